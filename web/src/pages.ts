// The pages of whoever is signed in: address, name, icon, the key that opens it after `g`, and the code, loaded when needed.
// The server answers these addresses too: crates/web/src/app.rs.

import type { Component } from "svelte";
import type { Name } from "./parts/Icon.svelte";
import { session } from "./state/session.svelte";
import { text } from "./text";

export interface Page {
  path: string;
  name: string;
  icon: Name;
  key: string;
  admin?: boolean;
  /** Addresses below it are its own too, and it fills the window. */
  deep?: boolean;
  load: () => Promise<{ default: Component }>;
}

const pages: Page[] = [
  { path: "/", name: text.nav.home, icon: "home", key: "h", load: () => import("./pages/Home.svelte") },
  { path: "/files", name: text.nav.files, icon: "folder", key: "f", deep: true, load: () => import("./pages/Files.svelte") },
  { path: "/trash", name: text.nav.trash, icon: "trash", key: "t", load: () => import("./pages/Trash.svelte") },
  { path: "/access", name: text.nav.access, icon: "access", key: "a", load: () => import("./pages/Access.svelte") },
  { path: "/connect", name: text.nav.connect, icon: "connect", key: "c", load: () => import("./pages/Connect.svelte") },
  { path: "/settings", name: text.nav.settings, icon: "settings", key: "s", load: () => import("./pages/Settings.svelte") },
  { path: "/people", name: text.nav.people, icon: "people", key: "p", admin: true, load: () => import("./pages/People.svelte") },
];

/** Those that are for whoever is signed in. */
export const shown = () => pages.filter(page => !page.admin || session.admin);
export const at = (path: string) => shown().find(page => page.path === path || (page.deep && path.startsWith(`${page.path}/`)));
