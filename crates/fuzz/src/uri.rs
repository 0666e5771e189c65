//! URIs to places in the tree and back.

use holm_core::{MAX_NAME, Name, Path};
use holm_dav::Mount;
use holm_http::path::{self, MAX_URI};
use http::{HeaderMap, HeaderValue};

/// The same names, byte for byte: equality of paths alone looks away from how a name is composed.
pub fn assert_same(a: &Path, b: &Path) {
    let texts = |p: &Path| p.names().iter().map(|n| n.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(a), texts(b));
    assert_eq!(a, b);
}

/// What holds for every path, wherever it came from.
fn assert_sound(path: &Path) {
    assert!(path.names().len() <= 128);
    for name in path.names() {
        for text in [name.as_str(), name.key()] {
            assert!(!matches!(text, "" | "." | "..") && text.len() <= MAX_NAME, "{text:?}");
            assert!(!text.contains('/') && !text.contains(char::is_control), "{text:?}");
        }
        let key = Name::new(name.key()).expect("the form to compare by is a name");
        assert_eq!((key.as_str(), key.key()), (name.key(), name.key()), "composing twice changes nothing");
    }
    assert!(path.is_within(&Path::root()) && path.below(path).is_some_and(<[_]>::is_empty));
    if let (Some(parent), Some(name)) = (path.parent(), path.name()) {
        assert!(path.is_within(&parent) && !parent.is_within(path));
        assert_same(&parent.join(name.clone()), path);
    }
    assert_same(&Path::parse(&path.to_string()).expect("a path's own text"), path);
}

/// A URI's path: decoded once, split once; what is written for it is read as the same.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(path) = path::parse(text) {
        assert!(text.len() <= MAX_URI);
        assert_sound(&path);
        let mut written = String::new();
        path::push(&mut written, path.names());
        assert!(written.bytes().all(|b| b.is_ascii_graphic()), "{written:?}");
        if written.len() <= MAX_URI {
            assert_same(&path::parse(&written).expect("what was written"), &path);
        }
    }
    // Any name, with what must be escaped escaped, or all of it.
    if let Ok(name) = Name::new(text) {
        let mut least = String::new();
        path::push_name(&mut least, text);
        let most: String = std::iter::once('/').map(String::from).chain(text.bytes().map(|b| format!("%{b:02x}"))).collect();
        for escaped in [least, most] {
            let path = path::parse(&escaped).expect("an escaped name");
            assert_same(&path, &Path::root().join(name.clone()));
        }
    }
}

/// Where a Destination leads: into this person's tree on this server, or nowhere.
pub fn destination(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mount = Mount::new("/dav/files", "/dav/principals/users", "ann", "ann", ["cloud.example".to_owned()].into());
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("192.0.2.1:8420"));
    let resolve = |uri: &str| mount.resolve(uri, &headers).ok();
    if let Some(path) = resolve(text) {
        assert_sound(&path);
        if let Some((_, rest)) = text.split_once("://") {
            let authority = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
            assert!(["192.0.2.1", "cloud.example"].iter().any(|h| authority.contains(h)), "{text}");
        }
    }
    let Ok(path) = Path::parse(text) else { return };
    let href = mount.href(&path, false);
    if href.len() > MAX_URI {
        return;
    }
    for here in ["", "http://192.0.2.1:8420", "https://Cloud.Example", "https://ann@cloud.example:8443"] {
        assert_same(&resolve(&format!("{here}{href}")).expect("a place of this tree"), &path);
        assert_same(&resolve(&format!("{here}{href}/?a=b")).expect("a place of this tree"), &path);
    }
    for elsewhere in ["http://192.0.2.2:8420", "http://192.0.2.1:8421", "https://cloud.example.org", "https://cloud.example@x.example", "ftp://cloud.example"] {
        assert_eq!(resolve(&format!("{elsewhere}{href}")), None, "{elsewhere}");
    }
    let strangers = Mount { prefix: "/dav/files/bob".into(), ..mount.clone() };
    assert_eq!(resolve(&strangers.href(&path, false)), None, "somebody else's tree");
}
