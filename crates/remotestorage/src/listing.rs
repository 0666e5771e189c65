//! Folders (draft §4): what is in them, with the ETag of each, so that a client looks only at what changed.

use axum::body::Body;
use axum::response::Response;
use holm_core::{Ability, Access, Entry, Error, Listed, Path, Tags, Transfer};
use holm_formats::date;
use holm_http::conditions::entity_tags;
use holm_http::transfer::download::content_type;
use holm_http::transfer::place;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};

use crate::error::Failure;
use crate::routes::{Answer, Call};

/// Members listed on the async thread, within a millisecond or two; more are read on another.
const SHORT: usize = 1_024;
/// The ETag of a folder that is not there: it holds nothing, and is not told apart from one that is empty.
const EMPTY: &str = "empty";
/// Clients compare these very texts.
const BEGIN: &str = r#"{"@context":"http://remotestorage.io/spec/folder-description","items":{"#;
const END: &str = "}}";

pub async fn get(call: Call) -> Answer {
    let path = &call.place.path;
    if !call.access.allows(Ability::Read, path)? {
        // Told by the one who refuses, so that it is on record.
        call.access.documents(path, 0, |_: &mut (), _| ())?;
    }
    let folder = match call.access.stat(path) {
        Ok(entry) => Some(entry).filter(Entry::is_folder),
        Err(Error::NotFound(_)) => None,
        Err(e) => return Err(e.into()),
    };
    if is_known(&call, folder.as_ref()) {
        return Ok(head(StatusCode::NOT_MODIFIED, folder.as_ref()).body(Body::empty()).expect("plain headers"));
    }
    let (folder, bytes) = match list(call.access.clone(), path.clone()).await? {
        Some(listed) => (Some(listed.folder), listed.members.finish()),
        None => (None, Listing::default().finish()),
    };
    Ok(head(StatusCode::OK, folder.as_ref()).header(CONTENT_TYPE, "application/ld+json").body(Body::from(bytes)).expect("plain headers"))
}

fn is_known(call: &Call, folder: Option<&Entry>) -> bool {
    match (entity_tags(&call.headers, IF_NONE_MATCH, true), folder) {
        (Some(tags), Some(folder)) => tags.holds(Some(folder)),
        (Some(Tags::List(tags)), None) => tags.iter().any(|tag| tag == EMPTY),
        _ => false,
    }
}

fn head(status: StatusCode, folder: Option<&Entry>) -> http::response::Builder {
    let etag = folder.map_or_else(|| EMPTY.to_owned(), Entry::etag);
    let answer = Response::builder().status(status).header(ETAG, format!("\"{etag}\"")).header(CACHE_CONTROL, "no-cache");
    answer.header("X-Content-Type-Options", "nosniff").header("Content-Security-Policy", "sandbox; default-src 'none'")
}

async fn list(access: Access, path: Path) -> Result<Option<Listed<Listing>>, Failure> {
    let short = access.documents(&path, SHORT, Listing::push)?;
    if short.as_ref().is_none_or(|listed| listed.complete) {
        return Ok(short);
    }
    // Of one state, so from its beginning again.
    let _place = place(&access, Transfer::Down).await?;
    let long = tokio::task::spawn_blocking(move || access.documents(&path, usize::MAX, Listing::push)).await;
    Ok(long.unwrap_or(Err(Error::Poisoned))?)
}

/// A listing as it is written.
#[derive(Default)]
struct Listing {
    json: Vec<u8>,
    /// What was written last changes often within the same second.
    second: Option<i64>,
    date: String,
}

impl Listing {
    fn push(&mut self, entry: &Entry) {
        self.json.extend_from_slice(if self.json.is_empty() { BEGIN.as_bytes() } else { b"," });
        if entry.is_folder() {
            self.string(&format!("{}/", entry.name));
            self.json.extend_from_slice(format!(r#":{{"ETag":"{}"}}"#, entry.etag()).as_bytes());
            return;
        }
        let second = entry.modified.seconds();
        if self.second != Some(second) {
            (self.second, self.date) = (Some(second), date::http(entry.modified.0));
        }
        self.string(&entry.name);
        self.json.extend_from_slice(format!(r#":{{"ETag":"{}","Content-Type":"#, entry.etag()).as_bytes());
        self.string(content_type(entry));
        self.json.extend_from_slice(format!(r#","Content-Length":{},"Last-Modified":"{}"}}"#, entry.size, self.date).as_bytes());
    }

    fn string(&mut self, text: &str) {
        serde_json::to_writer(&mut self.json, text).expect("memory takes everything");
    }

    fn finish(mut self) -> Vec<u8> {
        if self.json.is_empty() {
            self.json.extend_from_slice(BEGIN.as_bytes());
        }
        self.json.extend_from_slice(END.as_bytes());
        self.json
    }
}
