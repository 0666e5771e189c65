# vdirsyncer between a holm and plain folders, both ways, for calendars and contacts. HOLM_URL, HOLM_SECRET and HOLM_SCRATCH say where
# and as whom, VDIRSYNCER which program.
set -eu
cd "$HOLM_SCRATCH"
origin=${HOLM_URL%/dav/files/ann/}
storage() {
  cat <<END
[pair $1]
a = "$1_here"
b = "$1_there"
collections = ["from a", "from b"]
metadata = ["displayname"]
[storage $1_here]
type = "filesystem"
path = "$HOLM_SCRATCH/$1/"
fileext = "$2"
[storage $1_there]
type = "$3"
url = "$origin/dav/"
username = "ann"
password = "$HOLM_SECRET"
END
}
{ printf '[general]\nstatus_path = "%s/status/"\n' "$HOLM_SCRATCH"; storage events .ics caldav; storage people .vcf carddav; } >config
export VDIRSYNCER_CONFIG="$HOLM_SCRATCH/config"
mkdir -p events people
yes | "$VDIRSYNCER" discover
test -d events/personal && test -d events/tasks && test -d people/personal
event() { printf 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260105T090000Z\r\nSUMMARY:%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n' "$1" "$2"; }
for n in 1 2 3; do event "$n" "first $n" >"events/personal/$n.ics"; done
printf 'BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ann\r\nFN:Ann\r\nN:Lee;Ann;;;\r\nEND:VCARD\r\n' >people/personal/ann.vcf
sed s/ann/bob/\;s/Ann/Bob/ people/personal/ann.vcf >people/personal/bob.vcf
"$VDIRSYNCER" sync
curl -sf -u "ann:$HOLM_SECRET" "$origin/dav/calendars/ann/personal/2.ics" | cmp - events/personal/2.ics
curl -sf -u "ann:$HOLM_SECRET" "$origin/dav/contacts/ann/personal/ann.vcf" | cmp - people/personal/ann.vcf
# A change on each side, and a removal on each.
event 1 changed | curl -sf -u "ann:$HOLM_SECRET" -H 'Content-Type: text/calendar' -T - "$origin/dav/calendars/ann/personal/1.ics"
event 2 mine >events/personal/2.ics
curl -sf -u "ann:$HOLM_SECRET" -X DELETE "$origin/dav/calendars/ann/personal/3.ics"
rm people/personal/ann.vcf
"$VDIRSYNCER" sync
grep -q changed events/personal/1.ics
test ! -e events/personal/3.ics
curl -sf -u "ann:$HOLM_SECRET" "$origin/dav/calendars/ann/personal/2.ics" | grep -q mine
test "$(curl -s -o /dev/null -w '%{http_code}' -u "ann:$HOLM_SECRET" "$origin/dav/contacts/ann/personal/ann.vcf")" = 404
"$VDIRSYNCER" sync
