//! What holds for every request and answer of this API, whichever its route: nothing is done on behalf of another site's
//! page (T27), and nothing of an answer is kept, guessed at, framed or lent to another site.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use holm_core::mutant;
use holm_http::client::Encrypted;
use holm_http::path::MAX_URI;
use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::problem::{Kind, Problem};

/// On every answer. CORS is not spoken: other sites may not read anything.
const HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Stands around all routes.
pub async fn guard(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let mut response = match check(&head) {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(problem) => problem.into_response(),
    };
    for (name, value) in HEADERS {
        // Files' content has stricter ones of its own.
        response.headers_mut().entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn check(head: &Parts) -> Result<(), Problem> {
    if head.uri.path_and_query().is_some_and(|p| p.as_str().len() > MAX_URI) {
        return Err(Problem::new(Kind::UriTooLong, "the URI is longer than 8 KiB; ask for less"));
    }
    if head.method.is_safe() || is_from_here(head) || mutant("cross-site-taken") {
        return Ok(());
    }
    Err(Problem::new(Kind::CrossSite, "a page of another site asked for this; open holm itself and do it there"))
}

/// Whether no browser says that a page of another origin sent this. What browsers do not send is not asked for: programs
/// send neither.
fn is_from_here(head: &Parts) -> bool {
    let site = head.headers.get_all("sec-fetch-site").iter().all(|v| v == "same-origin" || v == "none");
    let own = own_origins(head);
    site && head.headers.get_all(ORIGIN).iter().all(|origin| own.iter().any(|own| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes())))
}

/// What a page of this server's has for an origin (RFC 6454 §6.2): https always, for TLS may end at a proxy; http only where
/// that is what the client spoke.
fn own_origins(head: &Parts) -> Vec<String> {
    let Some(host) = host(&head.headers).or_else(|| head.uri.authority().map(|a| a.as_str())) else { return Vec::new() };
    let plain = (!Encrypted::of(&head.extensions)).then(|| format!("http://{}", host.strip_suffix(":80").unwrap_or(host)));
    [format!("https://{}", host.strip_suffix(":443").unwrap_or(host))].into_iter().chain(plain).collect()
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST).and_then(|host| host.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(method: &str, encrypted: bool, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().method(method).uri("/api/v1/parties");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        head.extensions.insert(Encrypted(encrypted));
        check(&head).is_ok()
    }

    #[test]
    fn t27_only_pages_of_this_origin_change_anything() {
        const HOST: (&str, &str) = ("host", "cloud.example.org");
        let from = |origin| passes("POST", true, &[HOST, ("origin", origin)]);
        assert!(from("https://cloud.example.org") && from("https://Cloud.example.org"));
        for other in [
            "https://evil.example.org",
            "https://cloud.example.org.evil.example",
            "https://cloud.example.org:8443",
            "http://cloud.example.org",
            "null",
            "",
            "https://cloud.example.org/",
            "https://x@cloud.example.org",
        ] {
            assert!(!from(other), "{other}");
        }
        assert!(passes("GET", true, &[HOST, ("origin", "https://evil.example.org")]), "reading changes nothing, and the answer is not lent");
        assert!(passes("POST", false, &[HOST, ("origin", "http://cloud.example.org")]), "without TLS");
        assert!(passes("POST", false, &[HOST, ("origin", "https://cloud.example.org")]), "TLS that ends at a proxy");
        assert!(passes("POST", true, &[("host", "cloud.example.org:443"), ("origin", "https://cloud.example.org")]));
        assert!(!passes("POST", true, &[("origin", "https://cloud.example.org")]), "which host is meant is not known");
        assert!(!passes("POST", true, &[HOST, ("origin", "https://cloud.example.org"), ("origin", "https://evil.example.org")]), "two");
        assert!(passes("DELETE", true, &[HOST]), "a program");
        for (site, passed) in [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false), ("x", false)] {
            assert_eq!(passes("DELETE", true, &[HOST, ("sec-fetch-site", site)]), passed, "{site}");
        }
        assert!(!passes("PATCH", true, &[HOST, ("origin", "https://cloud.example.org"), ("sec-fetch-site", "same-site")]));
    }
}
