//! GET and HEAD (RFC 9110 §9.3): files whole or by range; a collection as a plain page.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use holm_core::{Access, Content, Cut, Entry, Error, Transfer};
use holm_formats::date;
use holm_http::conditions;
use holm_http::range::Range;
use http::StatusCode;
use http::header::IF_MATCH;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{index, place, ranges};
use crate::props::content_type;
use crate::{Answer, Call, Failure};

/// Bytes read at a time when streaming. From the second on, the next block is read while one is sent; a client that reads
/// nothing gets no more than one read for it.
const BLOCK: u64 = 512 * 1024;
/// Up to this many bytes are opened on the async thread, about 30 µs, when they are in memory.
const SHORT: u64 = 128 * 1024;

pub async fn get(call: Call, head_only: bool) -> Answer {
    let (entry, content) = match call.access.open(&call.path) {
        Err(Error::IsFolder(_)) => return index::page(&call),
        other => other?,
    };
    let changed = conditions::entity_tags(&call.headers, IF_MATCH, false).is_some_and(|tags| !tags.holds(Some(&entry)));
    if changed || conditions::modified_since(&call.headers, &entry, date::parse_http) {
        return Err(Failure::new(StatusCode::PRECONDITION_FAILED, "the file has changed"));
    }
    let head = Response::builder().header("ETag", format!("\"{}\"", entry.etag())).header("Last-Modified", date::http(entry.modified.0));
    if conditions::not_modified(&call.headers, &entry, date::parse_http) {
        return head.status(StatusCode::NOT_MODIFIED).body(Body::empty()).map_err(internal);
    }
    // What a person keeps is data here, never a page of this server (T28).
    let head = head
        .header("Accept-Ranges", "bytes")
        .header("X-Content-Type-Options", "nosniff")
        .header("Content-Security-Policy", "sandbox; default-src 'none'")
        .header("Cross-Origin-Resource-Policy", "same-origin");
    let kind = content_type(&entry);
    let (from, to, head) = match wanted(&call, &entry, head_only) {
        Range::Whole => (0, entry.size, head),
        Range::Part { from, to } => (from, to, head.status(StatusCode::PARTIAL_CONTENT).header("Content-Range", ranges::content_range(from, to, entry.size))),
        Range::Parts(parts) => {
            let parts = ranges::Parts::new(parts, kind, entry.size, call.random);
            let head = head.status(StatusCode::PARTIAL_CONTENT).header("Content-Type", parts.content_type()).header("Content-Length", parts.length());
            let place = place(&call.access, Transfer::Down).await?;
            return head.body(parts.body(call.access, content, place)).map_err(internal);
        }
        Range::Unsatisfiable => {
            let head = head.status(StatusCode::RANGE_NOT_SATISFIABLE).header("Content-Range", format!("bytes */{}", entry.size));
            return head.header("Content-Length", "0").body(Body::empty()).map_err(internal);
        }
    };
    let head = head.header("Content-Type", kind).header("Content-Length", to - from);
    if head_only {
        return head.body(Body::empty()).map_err(internal);
    }
    let body = match content {
        Content::Inline(bytes) => Body::from(Bytes::from(bytes).slice(from as usize..to as usize)),
        Content::Chunked(cut) => cut_body(call.access.clone(), cut, from, to).await?,
    };
    head.body(body).map_err(internal)
}

fn internal(e: http::Error) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())
}

/// The range, unless If-Range says that the client's part is of another state. Only GET has ranges.
fn wanted(call: &Call, entry: &Entry, head_only: bool) -> Range {
    if head_only || call.headers.get_all("range").iter().count() > 1 {
        return Range::Whole;
    }
    let fresh = match call.header("if-range") {
        None => true,
        Some(tag) if tag.starts_with('"') => tag.trim_matches('"') == entry.etag(),
        Some(when) => date::parse_http(when).is_some_and(|t| t.div_euclid(1_000) == entry.modified.seconds()),
    };
    if fresh { Range::parse(call.header("range"), entry.size) } else { Range::Whole }
}

async fn cut_body(access: Access, content: Cut, from: u64, to: u64) -> Result<Body, Failure> {
    if to - from <= SHORT
        && let Some(bytes) = short(&access, &content, from, to)?
    {
        return Ok(Body::from(bytes));
    }
    let place = place(&access, Transfer::Down).await?;
    let first = next_block(&access, &content, from, to).await.map_err(lost)??;
    if to - from <= BLOCK {
        return Ok(Body::from(first.0));
    }
    let rest = blocks(access, content, first.1, to);
    let first = stream::iter([Ok(Bytes::from(first.0))]);
    Ok(Body::from_stream(first.chain(rest).inspect(move |_| _ = &place)))
}

/// A short stretch, if all of it is in memory: that costs less than a hop to another thread and back.
fn short(access: &Access, content: &Cut, from: u64, to: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut out = Vec::with_capacity((to - from) as usize + 128 * 1024);
    let mut at = from;
    while at < to {
        match access.read_now(content, at, to, &mut out)? {
            Some(came) => at += came,
            None => return Ok(None),
        }
    }
    Ok(Some(out))
}

/// Bytes `from..to` of cut content, block by block. Nothing is read before it is asked for.
pub fn blocks(access: Access, content: Cut, from: u64, to: u64) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::unfold((None, from), move |(ready, at): (Option<Read>, u64)| {
        let (access, content) = (access.clone(), content.clone());
        async move {
            if ready.is_none() && at >= to {
                return None;
            }
            let read = ready.unwrap_or_else(|| next_block(&access, &content, at, to));
            match read.await.map_err(std::io::Error::other) {
                Ok(Ok((bytes, at))) => {
                    let next = (at < to).then(|| next_block(&access, &content, at, to));
                    Some((Ok(Bytes::from(bytes)), (next, at)))
                }
                Ok(Err(e)) => {
                    tracing::error!("reading {content:?}: {e}");
                    Some((Err(std::io::Error::other("reading failed")), (None, to)))
                }
                Err(e) => Some((Err(e), (None, to))),
            }
        }
    })
}

fn lost(_: tokio::task::JoinError) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the read's worker failed")
}

type Read = JoinHandle<Result<(Vec<u8>, u64), Error>>;

fn next_block(access: &Access, content: &Cut, from: u64, to: u64) -> Read {
    let (access, content) = (access.clone(), content.clone());
    spawn_blocking(move || {
        let stop = to.min(from + BLOCK);
        // Room for the seals that come with the bytes.
        let mut out = Vec::with_capacity((stop - from) as usize + 128 * 1024);
        let mut at = from;
        while at < stop {
            at += access.read_some(&content, at, stop, &mut out)?;
        }
        Ok((out, at))
    })
}
