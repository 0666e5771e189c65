"""webdavclient3 against a holm; the first assertion that fails ends it. HOLM_URL and HOLM_SECRET say where and as whom."""

import os
import tempfile
from urllib.parse import urlsplit

from webdav3.client import Client
from webdav3.exceptions import RemoteParentNotFound, RemoteResourceNotFound

url = urlsplit(os.environ["HOLM_URL"])
client = Client({
    "webdav_hostname": f"{url.scheme}://{url.netloc}",
    "webdav_root": url.path,
    "webdav_login": "ann",
    "webdav_password": os.environ["HOLM_SECRET"],
    "webdav_timeout": 30,
})
os.chdir(tempfile.mkdtemp(dir=os.environ["HOLM_SCRATCH"]))

NAMES = ["plain", "with space", "100%", "a+b", "c#d", "ü-äöß", "q?x", "%20", "semi;colon&amp", "日本"]


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def refused(error, call, *args):
    try:
        call(*args)
    except error:
        return
    raise AssertionError(f"{call.__name__}{args} was not refused")


client.mkdir("dir")
client.mkdir("dir/deep/er", recursive=True)
assert client.is_dir("dir/deep/er")
os.makedirs("tree/sub dir")
for name in NAMES:
    content = name.encode() * 1000
    write(f"tree/{name}", content)
    client.upload_sync(remote_path=f"dir/{name}", local_path=f"tree/{name}")
    assert client.check(f"dir/{name}") and not client.is_dir(f"dir/{name}"), name
    info = client.info(f"dir/{name}")
    assert int(info["size"]) == len(content) and info["etag"] and info["modified"].endswith("GMT"), info
    client.copy(f"dir/{name}", f"dir/copy of {name}")
    client.move(f"dir/copy of {name}", f"dir/deep/moved {name}")
    assert not client.check(f"dir/copy of {name}"), name
    client.download_sync(remote_path=f"dir/deep/moved {name}", local_path="back")
    assert read("back") == content, name
assert sorted(client.list("dir")) == sorted(NAMES + ["deep/"]), client.list("dir")
assert sorted(client.list("dir/deep")) == sorted([f"moved {name}" for name in NAMES] + ["er/"]), client.list("dir/deep")
assert {f["name"] for f in client.list("dir", get_info=True) if not f["isdir"]} == set(NAMES)

large = os.urandom(3_000_000)
write("tree/sub dir/large", large)
client.upload_sync(remote_path="dir/tree", local_path="tree")
client.download_sync(remote_path="dir/tree", local_path="tree back")
assert sorted(os.listdir("tree back")) == sorted(NAMES + ["sub dir"])
assert read("tree back/sub dir/large") == large

# A copy goes over what is there.
client.copy("dir/plain", "dir/100%")
client.download_sync(remote_path="dir/100%", local_path="back")
assert read("back") == b"plain" * 1000

client.set_property("dir/plain", {"namespace": "urn:x", "name": "p", "value": "ü & more"})
assert client.get_property("dir/plain", {"namespace": "urn:x", "name": "p"}) == "ü & more"

assert 0 < client.free() < 100 * 1024 * 1024, client.free()

refused(RemoteResourceNotFound, client.info, "dir/none")
refused(RemoteParentNotFound, client.mkdir, "none/d")
client.clean("dir/plain")
assert not client.check("dir/plain")
client.clean("dir")
assert client.list() == [], client.list()
