"""python-caldav against a holm; the first assertion that fails ends it. HOLM_URL and HOLM_SECRET say where and as whom."""

import os
from datetime import datetime, timezone
from urllib.parse import urlsplit

import caldav

url = urlsplit(os.environ["HOLM_URL"])
client = caldav.DAVClient(url=f"{url.scheme}://{url.netloc}/dav/", username="ann", password=os.environ["HOLM_SECRET"])
principal = client.principal()
names = sorted(c.name for c in principal.calendars())
assert names == ["Calendar", "Tasks"], names

calendar = principal.make_calendar(name="Work & play", cal_id="work")
assert [c.name for c in principal.calendars() if c.name == "Work & play"], "a new calendar is there, by its name"


def event(uid, lines):
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"


def at(*numbers):
    return datetime(*numbers, tzinfo=timezone.utc)


calendar.save_event(event("once", "DTSTART:20260105T090000Z\r\nDTEND:20260105T100000Z\r\nSUMMARY:Tea\r\nCATEGORIES:a,b\r\n"))
calendar.save_event(event("daily", "DTSTART;TZID=Europe/Berlin:20260110T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:Walk\r\n"))
calendar.save_event(event("day", "DTSTART;VALUE=DATE:20260120\r\nSUMMARY:Fair\r\n"))

found = calendar.search(event=True, start=at(2026, 1, 5), end=at(2026, 1, 6))
assert [str(e.icalendar_component["SUMMARY"]) for e in found] == ["Tea"], found
found = calendar.search(event=True, start=at(2026, 1, 11), end=at(2026, 1, 31), expand=True)
starts = sorted(str(e.icalendar_component["DTSTART"].dt)[:10] for e in found)
assert starts == ["2026-01-11", "2026-01-12", "2026-01-20"], starts
found = calendar.search(event=True, start=at(2026, 1, 11), end=at(2026, 1, 31), server_expand=True)
assert len(found) >= 2, found
assert len(calendar.events()) == 3

one = calendar.event_by_uid("once")
one.icalendar_component["SUMMARY"] = "Coffee"
one.save()
assert "Coffee" in calendar.event_by_uid("once").data

token = calendar.objects_by_sync_token()
calendar.save_event(event("late", "DTSTART:20270105T090000Z\r\n"))
changes = calendar.objects_by_sync_token(token.sync_token)
assert len(list(changes)) == 1, "one thing changed"
one.delete()
try:
    calendar.event_by_uid("once")
    raise AssertionError("what was deleted is found")
except caldav.lib.error.NotFoundError:
    pass

tasks = next(c for c in principal.calendars() if c.name == "Tasks")
todo = tasks.save_todo("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTODO\r\nUID:t\r\nDTSTAMP:20260101T000000Z\r\nDUE;VALUE=DATE:20260105\r\nSUMMARY:Buy\r\nEND:VTODO\r\nEND:VCALENDAR\r\n")
assert [str(t.icalendar_component["SUMMARY"]) for t in tasks.todos()] == ["Buy"]
todo.complete()
assert not tasks.todos() and len(tasks.todos(include_completed=True)) == 1

busy = calendar.freebusy_request(at(2026, 1, 10), at(2026, 1, 11))
assert "FREEBUSY" in busy.data, busy.data
calendar.delete()
assert "Work & play" not in [c.name for c in principal.calendars()]
