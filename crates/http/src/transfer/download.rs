//! Files on their way out, whole or by range (RFC 9110 §9.3.1, §13, §14).

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use holm_core::{Access, Content, Cut, Entry, Error, Path, Transfer};
use holm_formats::{date, media};
use http::header::{IF_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, StatusCode};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{TransferError, lost, multipart, place};
use crate::conditions;
use crate::range::Range;

/// Bytes read at a time when streaming. From the second on, the next block is read while one is sent; a client that reads
/// nothing gets no more than one read for it.
const BLOCK: u64 = 512 * 1024;
/// Up to this many bytes are opened on the async thread, about 30 µs, when they are in memory.
const SHORT: u64 = 128 * 1024;

/// The type a file was given, else what its name stands for.
pub fn content_type(entry: &Entry) -> &str {
    entry.media_type.as_deref().unwrap_or_else(|| media::by_name(&entry.name))
}

/// A file that somebody opened.
pub struct File<'a> {
    pub access: Access,
    pub path: &'a Path,
    pub entry: Entry,
    pub content: Content,
    /// Of this request alone, and not to be guessed.
    pub random: [u8; 16],
}

impl File<'_> {
    /// The answer to a GET, or to a HEAD.
    ///
    /// # Errors
    /// [`Error::ConditionFailed`] where the request is about another state of the file.
    pub async fn answer(self, headers: &HeaderMap, head_only: bool) -> Result<Response, TransferError> {
        let File { access, path, entry, content, random } = self;
        let changed = conditions::entity_tags(headers, IF_MATCH, false).is_some_and(|tags| !tags.holds(Some(&entry)));
        if changed || conditions::modified_since(headers, &entry, date::parse_http) {
            return Err(Error::ConditionFailed(path.clone()).into());
        }
        let head = Response::builder().header("ETag", format!("\"{}\"", entry.etag())).header("Last-Modified", date::http(entry.modified.0));
        if conditions::not_modified(headers, &entry, date::parse_http) {
            return whole(head.status(StatusCode::NOT_MODIFIED), Body::empty());
        }
        // What a person keeps is data here, never a page of this server (T28).
        let head = head
            .header("Accept-Ranges", "bytes")
            .header("X-Content-Type-Options", "nosniff")
            .header("Content-Security-Policy", "sandbox; default-src 'none'")
            .header("Cross-Origin-Resource-Policy", "same-origin");
        let kind = content_type(&entry);
        let (from, to, head) = match wanted(headers, &entry, head_only) {
            Range::Whole => (0, entry.size, head),
            Range::Part { from, to } => {
                let range = multipart::content_range(from, to, entry.size);
                (from, to, head.status(StatusCode::PARTIAL_CONTENT).header("Content-Range", range))
            }
            Range::Parts(parts) => {
                let parts = multipart::Parts::new(parts, kind, entry.size, random);
                let head = head.status(StatusCode::PARTIAL_CONTENT).header("Content-Type", parts.content_type()).header("Content-Length", parts.length());
                let place = place(&access, Transfer::Down).await?;
                return whole(head, parts.body(access, content, place));
            }
            Range::Unsatisfiable => {
                let head = head.status(StatusCode::RANGE_NOT_SATISFIABLE).header("Content-Range", format!("bytes */{}", entry.size));
                return whole(head.header("Content-Length", "0"), Body::empty());
            }
        };
        let head = head.header("Content-Type", kind).header("Content-Length", to - from);
        if head_only {
            return whole(head, Body::empty());
        }
        let body = match content {
            Content::Inline(bytes) => Body::from(Bytes::from(bytes).slice(from as usize..to as usize)),
            Content::Chunked(cut) => cut_body(access, cut, from, to).await?,
        };
        whole(head, body)
    }
}

fn whole(head: http::response::Builder, body: Body) -> Result<Response, TransferError> {
    head.body(body).map_err(|e| Error::Io { what: "an answer's head".into(), source: std::io::Error::other(e) }.into())
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// The range, unless If-Range says that the client's part is of another state. Only GET has ranges.
fn wanted(headers: &HeaderMap, entry: &Entry, head_only: bool) -> Range {
    if head_only || headers.get_all(RANGE).iter().count() > 1 {
        return Range::Whole;
    }
    let fresh = match text(headers, IF_RANGE) {
        None => true,
        Some(tag) if tag.starts_with('"') => tag.trim_matches('"') == entry.etag(),
        Some(when) => date::parse_http(when).is_some_and(|t| t.div_euclid(1_000) == entry.modified.seconds()),
    };
    if fresh { Range::parse(text(headers, RANGE), entry.size) } else { Range::Whole }
}

async fn cut_body(access: Access, content: Cut, from: u64, to: u64) -> Result<Body, TransferError> {
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
