//! The collections above a tree, and its person's principal: Windows, Finder and file managers walk up through them,
//! and discovery asks them for the principal. A person sees the way to their own tree, and to those of
//! which they were granted a part.

use axum::body::Body;
use axum::response::Response;
use holm_core::Person;
use holm_dav::Principals;
use holm_dav::place::{CALENDARS, CONTACTS, Kind, Place};
use http::StatusCode;

/// What a browser sees at `/`.
pub fn welcome() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
        <meta name=\"color-scheme\" content=\"light dark\"><title>holm</title><h1>holm</h1>\
        <p>A personal cloud lives here. Connect a WebDAV client to <code>/dav/files/NAME/</code> with an app password.</p>";
    Response::builder()
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        .body(page.into())
        .expect("a static answer")
}

/// RFC 6764 §5: where discovery goes on. PROPFIND is answered on the spot, because some clients do not follow.
pub fn to_dav() -> Response {
    let response = Response::builder().status(StatusCode::MOVED_PERMANENTLY).header("Location", "/dav/").header("Content-Length", "0");
    response.body(Body::empty()).expect("a static answer")
}

/// What stands at a path above or beside the trees, with its members.
/// `others` are the people whose trees this one may reach.
pub fn find(names: &[&str], known: &Principals, others: &[Person]) -> Option<(Place, Vec<Place>)> {
    let dav = || Place::new("/dav/", "dav", Kind::AbovePrincipals);
    let files = || Place::new("/dav/files/", "files", Kind::Collection);
    let tree = |name: &str| Place::new(&format!("/dav/files/{name}/"), name, Kind::Collection);
    let trees = || [tree(&known.person)].into_iter().chain(others.iter().map(|p| tree(&p.name))).collect();
    let above = || Place::new("/dav/principals/", "principals", Kind::AbovePrincipals);
    let home = |above: &str, name: &str| {
        let place = |href: &str, name: &str| Place::new(href, name, Kind::Collection);
        (place(&format!("{above}/"), name), vec![place(&format!("{above}/{}/", known.person), &known.person)])
    };
    match names {
        // What clients try of themselves, and what others' servers have.
        [".well-known", "caldav" | "carddav"] | ["principals"] | ["remote.php", "dav"] => {
            let href = format!("/{}/", names.join("/"));
            Some((Place::new(&href, names.last().unwrap_or(&"holm"), Kind::AbovePrincipals), Vec::new()))
        }
        ["dav", "calendars"] => Some(home(CALENDARS, "calendars")),
        ["dav", "contacts"] => Some(home(CONTACTS, "contacts")),
        [] => Some((Place::new("/", "holm", Kind::AbovePrincipals), vec![dav()])),
        ["dav"] => Some((dav(), vec![files(), home(CALENDARS, "calendars").0, home(CONTACTS, "contacts").0, above()])),
        ["dav", "files"] => Some((files(), trees())),
        ["dav", "principals"] => Some((above(), vec![Place::principals(known)])),
        ["dav", "principals", "users"] => Some((Place::principals(known), vec![Place::principal(known)])),
        ["dav", "principals", "users", name] if *name == known.person => Some((Place::principal(known), Vec::new())),
        _ => None,
    }
}
