//! Documents (draft §4, §6): read, put, taken away.

use axum::body::Body;
use axum::response::Response;
use holm_core::{Change, Error, Outcome, Precondition};
use holm_http::conditions::entity_tags;
use holm_http::transfer::{download, upload};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPECT, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::error::Failure;
use crate::routes::{Answer, Call};

/// Longest media type in bytes.
const MAX_TYPE: usize = 1_024;
/// What a document is whose app does not say.
const UNKNOWN: &str = "application/octet-stream";
/// From this many bytes on, what can be refused is refused before they come.
const LARGE: u64 = 100_000;

pub async fn get(call: Call, head_only: bool) -> Answer {
    let (entry, content) = match call.access.open(&call.place.path) {
        Err(Error::IsFolder(_)) => return Err(Failure::nothing()),
        opened => opened?,
    };
    let file = download::File { access: call.access, path: &call.place.path, entry, content, random: call.random };
    let mut response = file.answer(&call.headers, head_only).await?;
    let life = if call.place.is_public { "no-cache, public" } else { "no-cache" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(life));
    Ok(response)
}

pub async fn put(mut call: Call) -> Answer {
    if call.headers.contains_key(CONTENT_RANGE) {
        return Err(Failure::bad("a document is put whole, without Content-Range"));
    }
    if one(&call.headers, CONTENT_ENCODING)?.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bodies are taken without a Content-Encoding; send it as it is"));
    }
    let media_type = media_type(&call.headers)?;
    let precondition = precondition(&call.headers)?;
    let path = call.place.path.clone();
    call.access.may_add(&path)?;
    let announced = one(&call.headers, CONTENT_LENGTH)?.and_then(|length| length.parse().ok());
    if call.headers.contains_key(EXPECT) || announced.is_none_or(|length| length >= LARGE) {
        early(&call, &precondition)?;
    }
    let content = upload::receive(&call.access, &path, &mut call.body, announced).await?;
    let done = call.access.commit(Change::PutDocument { path, content, media_type }, precondition).await?;
    let status = if done.outcome == Outcome::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(tagged(status, &done.entry.map(|e| e.etag()).unwrap_or_default()))
}

pub async fn delete(call: Call) -> Answer {
    let precondition = precondition(&call.headers)?;
    let done = call.access.commit(Change::RemoveDocument { path: call.place.path }, precondition).await?;
    Ok(tagged(StatusCode::OK, &done.entry.map(|e| e.etag()).unwrap_or_default()))
}

/// What would be refused in the end, found before a large body comes.
fn early(call: &Call, precondition: &Precondition) -> Result<(), Failure> {
    match call.access.stat(&call.place.path) {
        Ok(entry) if entry.is_folder() => return Err(Error::IsFolder(call.place.path.clone()).into()),
        Ok(_) | Err(Error::NotFound(_)) => {}
        Err(Error::Denied(..)) => return Ok(()),
        Err(e) => return Err(e.into()),
    }
    Ok(call.access.check(&call.place.path, precondition)?)
}

fn tagged(status: StatusCode, etag: &str) -> Response {
    let answer = Response::builder().status(status).header(ETAG, format!("\"{etag}\"")).header(CONTENT_LENGTH, "0");
    answer.body(Body::empty()).expect("an ETag of hex digits")
}

/// A header that decides what a request does: given once and readable, or not at all.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Failure> {
    let mut values = headers.get_all(&name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(text) if values.next().is_none() => Ok(Some(text.trim())),
        _ => Err(Failure::bad(format!("the header {name} is there twice, or holds what is no text"))),
    }
}

/// Kept as it was sent.
fn media_type(headers: &HeaderMap) -> Result<String, Failure> {
    match one(headers, CONTENT_TYPE)? {
        Some(given) if given.len() > MAX_TYPE => Err(Failure::bad("the Content-Type is longer than 1 KiB")),
        Some(given) if !given.is_empty() => Ok(given.to_owned()),
        _ => Ok(UNKNOWN.to_owned()),
    }
}

/// What a write demands. A tag without its quotes is refused: taken for another it would fail for no reason that shows.
fn precondition(headers: &HeaderMap) -> Result<Precondition, Failure> {
    for name in [IF_MATCH, IF_NONE_MATCH] {
        let tags = headers.get_all(&name).iter().map(|v| v.as_bytes()).flat_map(|v| v.split(|b| *b == b','));
        let quoted = |tag: &[u8]| tag == b"*" || tag.len() > 1 && tag.ends_with(b"\"") && (tag.starts_with(b"\"") || tag.starts_with(b"W/\""));
        if !tags.map(<[u8]>::trim_ascii).all(quoted) {
            return Err(Failure::bad(format!("{name} takes ETags in double quotes, or *")));
        }
    }
    Ok(Precondition { if_match: entity_tags(headers, IF_MATCH, false), if_none_match: entity_tags(headers, IF_NONE_MATCH, true), if_lists: Vec::new() })
}
