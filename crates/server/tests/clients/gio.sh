# GNOME's gio and gvfs against a holm, in a session of their own; the first step that fails ends it.
# HOLM_URL and HOLM_SECRET say where and as whom.
set -eu
export HOME="$HOLM_SCRATCH" XDG_RUNTIME_DIR="$HOLM_SCRATCH" GIO_USE_VFS=gvfs
cd "$HOLM_SCRATCH"
there="dav://ann@${HOLM_URL#http://}"
there="${there%/}"
head -c 3000000 /dev/urandom >large

echo "$HOLM_SECRET" | gio mount "$there/"
trap 'gio mount -u "$there/" || true' EXIT
gio mkdir "$there/a%20folder"
gio copy large "$there/a%20folder/l%C3%A4rge%25"
gio copy "$there/a%20folder/l%C3%A4rge%25" back
cmp large back
gio rename "$there/a%20folder/l%C3%A4rge%25" "re#named?"
gio move "$there/a%20folder/re%23named%3F" "$there/moved+"
gio copy "$there/moved+" "$there/a%20folder/copied"
# gio saves as editors do: beside, then over what was there.
echo one | gio save "$there/a%20folder/saved"
echo three | gio save "$there/a%20folder/saved"
test "$(gio cat "$there/a%20folder/saved")" = three
gio info "$there/a%20folder/saved" | grep -q '^size: *6$'
gio info -f "$there/" | grep -q 'filesystem::size: 104857600'
test "$(gio list "$there/" | sort | xargs -d '\n' echo)" = "a folder moved+"
test "$(gio list "$there/a%20folder" | sort | xargs -d '\n' echo)" = "copied saved"
# A folder goes when it is empty.
if gio remove "$there/a%20folder" 2>refusal; then exit 1; fi
gio remove "$there/a%20folder/copied" "$there/a%20folder/saved" "$there/a%20folder" "$there/moved+"
test -z "$(gio list "$there/")"
