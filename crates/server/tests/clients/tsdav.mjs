// npm's tsdav against a holm; the first assertion that fails ends it. HOLM_URL and HOLM_SECRET say where and as whom.
import assert from "node:assert/strict";
import { createDAVClient } from "tsdav";

const serverUrl = new URL("/", process.env.HOLM_URL).href;
const credentials = { username: "ann", password: process.env.HOLM_SECRET };
const client = (defaultAccountType) => createDAVClient({ serverUrl, credentials, authMethod: "Basic", defaultAccountType });

const dates = await client("caldav");
const calendars = await dates.fetchCalendars();
assert.deepEqual(calendars.map((c) => c.displayName).sort(), ["Calendar", "Tasks"]);
assert.deepEqual(calendars.find((c) => c.displayName === "Tasks").components, ["VTODO"]);
const calendar = calendars.find((c) => c.displayName === "Calendar");
const event = (uid, start) =>
  `BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:${uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:${start}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`;
const put = (uid, start) => dates.createCalendarObject({ calendar, filename: `${uid}.ics`, iCalString: event(uid, start) });
assert.equal((await put("one", "20260105T090000Z")).status, 201);
assert.equal((await put("two", "20260205T090000Z")).status, 201);
const january = { start: "2026-01-01T00:00:00Z", end: "2026-02-01T00:00:00Z" };
const found = await dates.fetchCalendarObjects({ calendar, timeRange: january });
assert.equal(found.length, 1);
assert.equal(found[0].data, event("one", "20260105T090000Z").trim());
const changed = await dates.updateCalendarObject({ calendarObject: { ...found[0], data: event("one", "20260305T090000Z") } });
assert.equal(changed.status, 204);
const stale = await dates.updateCalendarObject({ calendarObject: found[0] });
assert.equal(stale.status, 412);
const all = await dates.fetchCalendarObjects({ calendar });
assert.equal(all.length, 2);
assert.equal((await dates.deleteCalendarObject({ calendarObject: all[0] })).status, 204);
assert.equal((await dates.fetchCalendarObjects({ calendar })).length, 1);

const people = await client("carddav");
const [addressBook] = await people.fetchAddressBooks();
assert.equal(addressBook.displayName, "Contacts");
const card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ann\r\nFN:Ann\r\nN:Lee;Ann;;;\r\nEND:VCARD\r\n";
assert.equal((await people.createVCard({ addressBook, filename: "ann.vcf", vCardString: card })).status, 201);
const cards = await people.fetchVCards({ addressBook });
assert.deepEqual(cards.map((c) => c.data.trim()), [card.trim()]);
