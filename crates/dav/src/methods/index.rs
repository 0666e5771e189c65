//! A collection as a plain page, for a browser that was sent to a WebDAV address.

use axum::body::Body;
use axum::response::Response;
use holm_formats::xml::Writer;
use http::HeaderValue;

use crate::{Answer, Call};

/// Entries one page shows.
const SHOWN: usize = 10_000;

pub fn page(call: &Call) -> Answer {
    let folder = call.access.stat(&call.path)?;
    let members = call.access.list(&call.path, folder.id, "", SHOWN + 1)?;
    let at_base = call.path == call.mount.base;
    let title = call.path.name().filter(|_| !at_base).map_or(call.mount.name.as_str(), |n| n.as_str());
    let mut links = Vec::new();
    if let Some(parent) = call.path.parent().filter(|_| !at_base) {
        links.push((call.mount.href(&parent, true), "..".to_owned()));
    }
    for entry in members.iter().take(SHOWN) {
        let mut href = call.mount.href(&call.path, false);
        holm_http::path::push_name(&mut href, &entry.name);
        let slash = if entry.is_folder() { "/" } else { "" };
        links.push((format!("{href}{slash}"), format!("{}{slash}", entry.name)));
    }
    let more = (members.len() > SHOWN).then_some("There is more than this page shows; use a WebDAV client to see all of it.");
    let mut response = html(title, &links, more);
    let etag = HeaderValue::try_from(format!("\"{}\"", folder.etag())).expect("an ETag of hex digits");
    response.headers_mut().insert("ETag", etag);
    Ok(response)
}

/// A page of links: (href, text).
pub fn html(title: &str, links: &[(String, String)], note: Option<&str>) -> Response {
    let mut html = Writer::default();
    html.fragment("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">");
    html.fragment("<meta name=\"color-scheme\" content=\"light dark\">").leaf("title", title).leaf("h1", title).open("ul");
    for (href, text) in links {
        // The href is percent-encoded: no quote is left in it.
        html.open("li").fragment("<a href=\"").text(href).fragment("\">").text(text).close("a").close("li");
    }
    html.close("ul");
    if let Some(note) = note {
        html.leaf("p", note);
    }
    let response = Response::builder()
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        .header("X-Content-Type-Options", "nosniff")
        .body(Body::from(html.take()));
    response.expect("static headers")
}
