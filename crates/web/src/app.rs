//! The pages: the app of `web/`, embedded, and answered before anything else looks at a request. It is one document and what
//! that asks for; all data comes through the API, with the session of whoever is signed in.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use holm_formats::media;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, VARY};
use http::{HeaderMap, Method, StatusCode};

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A file of the app, with its bytes as they were compressed when it was built.
pub struct File {
    path: &'static str,
    /// Changes with the content.
    tag: &'static str,
    plain: &'static [u8],
    br: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// What the document is answered for; `web/src/pages.ts` says what each shows.
const PAGES: [&str; 11] = ["/", "/welcome", "/sign-in", "/allow", "/device", "/files", "/trash", "/access", "/connect", "/settings", "/people"];
/// Whatever lies below is a folder's page, or what a link leads to.
const DEEP: [&str; 2] = ["/files/", "/s/"];
const DOCUMENT: &str = "/index.html";
/// Files here have their content's hash in their name.
const HASHED: &str = "/assets/";

/// Nothing but the app's own files runs, nothing frames it, and no text becomes code or markup but through the one policy by
/// which Svelte makes its own templates (T28, Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

/// On every answer of the app (T27, T28).
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("x-frame-options", "DENY"),
];

/// Answers what is the app's; all else goes on, also a page's address where no browser asks for it: WebDAV clients begin at `/`.
pub async fn app(request: Request, next: Next) -> Response {
    let (path, headers) = (request.uri().path(), request.headers());
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let page = PAGES.contains(&path) || DEEP.iter().any(|deep| path.starts_with(deep));
    let wanted = if page && takes(headers, ACCEPT, "text/html") { DOCUMENT } else { path };
    match FILES.iter().find(|f| f.path == wanted) {
        Some(file) => answer(file, request.method(), headers),
        // A file of another version of the app; a request for a password would puzzle whoever looks at a page.
        None if path.starts_with(HASHED) => hardened(StatusCode::NOT_FOUND).body(Body::empty()).expect("a static answer"),
        None => next.run(request).await,
    }
}

fn hardened(status: StatusCode) -> http::response::Builder {
    HEADERS.iter().fold(Response::builder().status(status), |answer, (name, value)| answer.header(*name, *value))
}

fn answer(file: &'static File, method: &Method, headers: &HeaderMap) -> Response {
    let (bytes, coding) = match (file.br, file.gzip) {
        (Some(br), _) if takes(headers, ACCEPT_ENCODING, "br") => (br, Some("br")),
        (_, Some(gzip)) if takes(headers, ACCEPT_ENCODING, "gzip") => (gzip, Some("gzip")),
        _ => (file.plain, None),
    };
    // Each coding has a tag of its own (RFC 9110 §8.8.3.3).
    let tag = format!("\"{}{}\"", file.tag, coding.map(|c| format!("-{c}")).unwrap_or_default());
    let life = if file.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let fresh = known.map(|t| t.trim()).any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == tag);
    let mut answer = hardened(if fresh { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    answer = answer.header(ETAG, tag).header(CACHE_CONTROL, life).header(VARY, "Accept, Accept-Encoding");
    if fresh {
        return answer.body(Body::empty()).expect("plain headers");
    }
    answer = answer.header(CONTENT_TYPE, typed(file.path)).header(CONTENT_LENGTH, bytes.len());
    if let Some(coding) = coding {
        answer = answer.header(CONTENT_ENCODING, coding);
    }
    answer.body(if method == Method::HEAD { Body::empty() } else { Body::from(bytes) }).expect("plain headers")
}

fn typed(path: &str) -> String {
    let kind = media::by_name(path);
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.into() }
}

/// Whether a list like Accept or Accept-Encoding names this very thing, and not with `q=0` (RFC 9110 §12.4.2).
fn takes(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let given = headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    given.map(|item| item.split(';').map(str::trim)).any(|mut parts| {
        let named = parts.next().is_some_and(|p| p.eq_ignore_ascii_case(wanted));
        named && !parts.any(|p| p.split_once('=').is_some_and(|(q, value)| q.trim() == "q" && value.trim().parse() == Ok(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken() {
        let of = |accept: &str| takes(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]), ACCEPT, "text/html");
        assert!(of("text/html,application/xhtml+xml,*/*;q=0.8") && of("a/b, Text/HTML;q=0.5"));
        assert!(!of("*/*") && !of("text/html;q=0") && !of("text/html; q=0.0") && !of("text/html-x") && !of(""));
    }
}
