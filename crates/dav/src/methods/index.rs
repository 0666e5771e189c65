//! A collection as a plain page, for a browser that was sent to a WebDAV address.

use axum::body::Body;
use axum::response::Response;
use holm_core::Path;
use holm_formats::xml::Writer;

use crate::{Answer, Call};

/// Entries one page shows.
const SHOWN: usize = 10_000;

pub fn page(call: &Call) -> Answer {
    let folder = call.access.stat(&call.path)?;
    let members = call.access.list(&call.path, folder.id, "", SHOWN + 1)?;
    let title = call.path.name().map_or("Files", |n| n.as_str());
    let mut html = Writer::default();
    html.fragment("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">");
    html.fragment("<meta name=\"color-scheme\" content=\"light dark\">").leaf("title", title).leaf("h1", title).open("ul");
    if call.path.parent().is_some() {
        link(&mut html, &call.mount.href(&call.path.parent().unwrap_or_else(Path::root), true), "..");
    }
    for entry in members.iter().take(SHOWN) {
        let mut href = call.mount.href(&call.path, false);
        holm_http::path::push_name(&mut href, &entry.name);
        let slash = if entry.is_folder() { "/" } else { "" };
        link(&mut html, &format!("{href}{slash}"), &format!("{}{slash}", entry.name));
    }
    html.close("ul");
    if members.len() > SHOWN {
        html.leaf("p", "There is more than this page shows; use a WebDAV client to see all of it.");
    }
    let response = Response::builder()
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        .header("X-Content-Type-Options", "nosniff")
        .header("ETag", format!("\"{}\"", folder.etag()))
        .body(Body::from(html.take()));
    Ok(response.expect("static headers and an ETag of hex digits"))
}

fn link(html: &mut Writer, href: &str, text: &str) {
    // The href is percent-encoded: no quote is left in it.
    html.open("li").fragment("<a href=\"").text(href).fragment("\">").text(text).close("a").close("li");
}
