//! The collections above a tree. They hold nothing of their own: Windows, Finder and file managers walk up through
//! them, and discovery asks them for the principal.

use axum::body::Body;
use axum::response::Response;
use holm_dav::{Answer, Failure, MAX_XML, Mount};
use holm_formats::dav::{DAV, Propfind};
use holm_formats::xml::{self, QName, Writer};
use http::{HeaderMap, Method, StatusCode};

/// What a browser sees at `/`.
pub fn welcome() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
        <meta name=\"color-scheme\" content=\"light dark\"><title>holm</title><h1>holm</h1>\
        <p>A personal cloud lives here. Connect a WebDAV client to <code>/dav/files/NAME/</code> with an app password.</p>";
    Response::builder()
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        .body(Body::from(page))
        .expect("a static answer")
}

/// One collection above the tree: its href, and what it shows of this person.
struct Parent {
    href: String,
    name: &'static str,
    member: Option<String>,
    principal: bool,
}

fn parent(names: &[&str], mount: &Mount) -> Option<Parent> {
    let plain = |href: &str, name, member: Option<&str>| Some(Parent { href: href.into(), name, member: member.map(str::to_owned), principal: false });
    let person = mount.principal.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match names {
        [] => plain("/", "holm", Some("/dav/")),
        ["dav"] => plain("/dav/", "dav", Some("/dav/files/")),
        ["dav", "files"] => plain("/dav/files/", "files", Some(&format!("{}/", mount.prefix))),
        ["dav", "principals"] => plain("/dav/principals/", "principals", None),
        ["dav", "principals", "users"] => plain("/dav/principals/users/", "users", Some(&mount.principal)),
        ["dav", "principals", "users", name] if *name == person => {
            Some(Parent { href: mount.principal.clone(), name: "principal", member: None, principal: true })
        }
        _ => None,
    }
}

pub async fn answer(method: &Method, names: &[&str], headers: &HeaderMap, mut body: Body, mount: &Mount) -> Answer {
    let parent = parent(names, mount).ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "nothing is kept here"))?;
    if method.as_str() != "PROPFIND" {
        return Err(if method == Method::DELETE || method.as_str() == "MOVE" {
            Failure::new(StatusCode::FORBIDDEN, "this collection stays")
        } else {
            Failure::not_allowed()
        });
    }
    let bytes = holm_http::body::whole(&mut body, MAX_XML).await?;
    let propfind = if bytes.is_empty() { Propfind::AllProp { include: Vec::new() } } else { Propfind::from_xml(&xml::parse(&bytes)?)? };
    let mut out = holm_dav::Multistatus::new();
    out.response(&parent.href, false, |xml| properties(xml, &propfind, &parent, mount));
    if headers.get("depth").is_some_and(|d| d != "0")
        && let Some(href) = &parent.member
    {
        let member = Parent { href: href.clone(), name: "", member: None, principal: false };
        out.response(href, false, |xml| properties(xml, &propfind, &member, mount));
    }
    Ok(out.finish())
}

/// Writes what is asked for and there; answers what is not.
fn properties(xml: &mut Writer, propfind: &Propfind, parent: &Parent, mount: &Mount) -> Vec<QName> {
    let all = ["resourcetype", "displayname", "current-user-principal"].map(|n| QName::new(DAV, n));
    let names: &[QName] = match propfind {
        Propfind::Prop(names) => names,
        _ => &all,
    };
    let mut missing = Vec::new();
    for name in names {
        match (name.ns.as_str(), name.local.as_str()) {
            (DAV, "resourcetype") if parent.principal => {
                xml.open("d:resourcetype").empty("d:collection").empty("d:principal").close("d:resourcetype");
            }
            (DAV, "resourcetype") => _ = xml.open("d:resourcetype").empty("d:collection").close("d:resourcetype"),
            (DAV, "displayname") => _ = xml.leaf("d:displayname", parent.name),
            (DAV, local @ ("current-user-principal" | "principal-URL")) => {
                let tag = format!("d:{local}");
                xml.open(&tag).leaf("d:href", &mount.principal).close(&tag);
            }
            _ => missing.push(name.clone()),
        }
    }
    missing
}
