//! WebFinger (RFC 7033): `/.well-known/webfinger?resource=acct:NAME@HOST` tells where somebody's things are found. Each door
//! that has something to tell adds a link.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use holm_auth::Auth;
use holm_core::{Error, Gate};
use holm_formats::jrd::{Jrd, Link};
use holm_http::client::ClientAddress;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

/// A link of somebody's, by where holm is opened and by their name.
pub type Door = fn(&str, &str) -> Link;

/// What the protocol needs.
#[derive(Clone)]
pub struct Webfinger {
    pub gate: Arc<Gate>,
    pub auth: Arc<Auth>,
    /// Where holm is opened, like `https://cloud.example`.
    pub origin: Arc<str>,
    /// Names this server is known by, beside those of the origin and of the request.
    pub hosts: Arc<[String]>,
    pub doors: Arc<[Door]>,
}

pub fn routes(webfinger: Webfinger) -> Router {
    Router::new().route("/.well-known/webfinger", any(handle)).with_state(webfinger)
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    resource: String,
    /// The links to tell of; none: all.
    rels: Vec<String>,
}

impl Query {
    fn parse(query: &str) -> Option<Query> {
        let (mut resources, mut rels) = (Vec::new(), Vec::new());
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
            match name {
                "resource" => resources.push(value),
                "rel" => rels.push(value),
                _ => {}
            }
        }
        // One, and it is a URI.
        let resource = resources.pop().filter(|r| resources.is_empty() && r.contains(':'))?;
        Some(Query { resource, rels })
    }
}

async fn handle(State(webfinger): State<Webfinger>, request: Request) -> Response {
    let address = ClientAddress::of(request.extensions());
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer(StatusCode::METHOD_NOT_ALLOWED).header("Allow", "GET, HEAD").body(Body::empty()).expect("a static answer");
    }
    let Some(query) = request.uri().query().and_then(Query::parse) else {
        return refuse(StatusCode::BAD_REQUEST, "ask for one resource, like ?resource=acct:name@host");
    };
    let asked = request.headers().get(HOST).and_then(|h| h.to_str().ok()).map(str::to_owned);
    let asked = asked.or_else(|| request.uri().authority().map(|a| a.as_str().to_owned())).unwrap_or_default();
    let found = tokio::task::spawn_blocking(move || webfinger.find(&query, &asked, address)).await;
    match found.unwrap_or(Err(Refusal::Failed(Error::Poisoned))) {
        Ok(jrd) => {
            let json = serde_json::to_string(&jrd).expect("texts are JSON");
            answer(StatusCode::OK).header(CONTENT_TYPE, "application/jrd+json").body(Body::from(json)).expect("plain headers")
        }
        Err(Refusal::Unknown) => refuse(StatusCode::NOT_FOUND, "nobody here is called so"),
        Err(Refusal::Throttled(seconds)) => {
            let answer = answer(StatusCode::TOO_MANY_REQUESTS).header(RETRY_AFTER, seconds);
            answer.body(Body::from("too many questions from here; wait\n")).expect("a number is a header")
        }
        Err(Refusal::Failed(e)) => {
            tracing::error!("{e}");
            refuse(StatusCode::SERVICE_UNAVAILABLE, "what this server keeps is out of its reach for now")
        }
    }
}

enum Refusal {
    Unknown,
    Throttled(i64),
    Failed(Error),
}

impl Webfinger {
    /// The protocol tells who lives here to whoever guesses names: so many guesses are counted, right or wrong (T32).
    fn find(&self, query: &Query, asked: &str, address: std::net::IpAddr) -> Result<Jrd, Refusal> {
        let (name, host) = query.resource.strip_prefix("acct:").and_then(|account| account.rsplit_once('@')).ok_or(Refusal::Unknown)?;
        if !self.is_here(host, asked) {
            return Err(Refusal::Unknown);
        }
        if let Some(seconds) = self.auth.asks_whereabouts(address).map_err(Refusal::Failed)? {
            return Err(Refusal::Throttled(seconds));
        }
        match self.gate.host().person(name) {
            Ok(person) => {
                let links = self.doors.iter().map(|door| door(&self.origin, &person.name));
                let wanted = |link: &Link| query.rels.is_empty() || query.rels.iter().any(|rel| rel == link.rel);
                Ok(Jrd { subject: format!("acct:{}@{host}", person.name), links: links.filter(wanted).collect() })
            }
            Err(Error::NoSuchPerson(_)) => Err(Refusal::Unknown),
            Err(e) => Err(Refusal::Failed(e)),
        }
    }

    fn is_here(&self, host: &str, asked: &str) -> bool {
        let authority = self.origin.split_once("://").map_or(&*self.origin, |(_, a)| a);
        let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
        [authority, name, asked].into_iter().chain(self.hosts.iter().map(String::as_str)).any(|own| own.eq_ignore_ascii_case(host))
    }
}

fn answer(status: StatusCode) -> http::response::Builder {
    let answer = Response::builder().status(status).header(ACCESS_CONTROL_ALLOW_ORIGIN, "*").header(CACHE_CONTROL, "no-store");
    answer.header("X-Content-Type-Options", "nosniff")
}

fn refuse(status: StatusCode, text: &'static str) -> Response {
    answer(status).header(CONTENT_TYPE, "text/plain; charset=utf-8").body(Body::from(text)).expect("a static answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let parse = |query: &str| Query::parse(query).map(|q| (q.resource, q.rels.join(" ")));
        let is = |resource: &str, rels: &str| Some((resource.to_owned(), rels.to_owned()));
        assert_eq!(parse("resource=acct%3Aann%40cloud.example"), is("acct:ann@cloud.example", ""));
        assert_eq!(parse("rel=a&resource=acct:ann@localhost:8420&rel=b%3Ac&x"), is("acct:ann@localhost:8420", "a b:c"));
        for bad in ["", "resource", "resource=", "resource=ann", "resource=acct:a@b&resource=acct:c@d", "resource=acct:%ff@b"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
