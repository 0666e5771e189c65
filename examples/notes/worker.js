// Keeps the app for offline. What is kept is answered at once, and looked after for the next time.
const KEPT = "notes-1";
const FILES = ["./", "remotestorage.js"];

self.addEventListener("install", event => event.waitUntil(caches.open(KEPT).then(cache => cache.addAll(FILES)).then(() => self.skipWaiting())));
self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", event => {
  const { method, url } = event.request;
  // The storage is elsewhere, and the library looks after what it keeps of that.
  if (method !== "GET" || !url.startsWith(self.registration.scope)) return;
  event.respondWith(answer(event, url.split(/[?#]/)[0]));
});

async function answer(event, url) {
  const cache = await caches.open(KEPT);
  const newer = fetch(event.request).then(async found => {
    if (found.ok) await cache.put(url, found.clone());
    return found;
  });
  const kept = await cache.match(url);
  if (!kept) return newer;
  event.waitUntil(newer.catch(() => undefined));
  return kept;
}
