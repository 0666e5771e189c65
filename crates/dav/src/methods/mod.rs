//! One file a method. Each parses, makes one call on `Access`, and writes the answer.

pub mod delete;
pub mod get;
pub mod index;
pub mod lock;
pub mod mkcol;
pub mod patch;
pub mod propfind;
pub mod proppatch;
pub mod put;
pub mod report;
pub mod sync;
pub mod transfer;

use holm_core::{Depth, Precondition, Tags, mutant};
use holm_formats::date;
use holm_formats::xml::{self, Element};
use holm_http::conditions;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};

use crate::{Call, Failure, MAX_XML};

/// A header that decides what a request does: given once and readable, or not at all. One that was overlooked for being
/// neither would turn a conditional write into one without conditions.
pub fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Failure::bad(format!("the header {name} is there twice; send one")));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Failure::bad(format!("the header {name} is not UTF-8")))?;
    Ok(Some(text.trim()))
}

/// 0, 1 or infinity; `missing` where there is no Depth header.
pub fn depth(headers: &HeaderMap, missing: &'static str) -> Result<&'static str, Failure> {
    match one(headers, "depth")? {
        None => Ok(missing),
        Some("0") => Ok("0"),
        Some("1") => Ok("1"),
        Some(d) if d.eq_ignore_ascii_case("infinity") => Ok("infinity"),
        Some(_) => Err(Failure::bad("Depth is 0, 1 or infinity")),
    }
}

/// Whether the client would rather not hear of properties that are not there (RFC 8144 §2.1).
pub fn minimal(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    text("prefer").is_some_and(|p| p.contains("return=minimal")) || text("brief") == Some("t")
}

impl Call {
    /// A header that only gives a hint: what cannot be read is not there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    pub fn one(&self, name: &str) -> Result<Option<&str>, Failure> {
        one(&self.headers, name)
    }

    /// What the request demands of the state it meets.
    pub fn precondition(&self) -> Result<Precondition, Failure> {
        let if_lists = match self.one("if")? {
            None => Vec::new(),
            Some(text) => conditions::parse_if(text, &self.path, |uri| self.mount.resolve(uri, &self.headers).ok()).map_err(Failure::bad)?,
        };
        Ok(Precondition {
            if_match: conditions::entity_tags(&self.headers, IF_MATCH, false).or_else(|| self.unmodified()),
            if_none_match: conditions::entity_tags(&self.headers, IF_NONE_MATCH, true),
            if_lists,
        })
    }

    /// If-Unmodified-Since as a condition on the ETag, so that it is decided when the change is made.
    fn unmodified(&self) -> Option<Tags> {
        self.headers.get("if-unmodified-since")?;
        let entry = self.access.stat(&self.path).ok()?;
        let newer = conditions::modified_since(&self.headers, &entry, date::parse_http);
        Some(Tags::List(if newer { Vec::new() } else { vec![entry.etag()] }))
    }

    pub fn depth(&self, missing: &'static str) -> Result<&'static str, Failure> {
        depth(&self.headers, missing)
    }

    /// 0 or infinity.
    pub fn deep(&self) -> Result<Depth, Failure> {
        match self.depth("infinity")? {
            "0" => Ok(Depth::Zero),
            "infinity" => Ok(Depth::Infinity),
            _ => Err(Failure::bad("Depth is 0 or infinity here")),
        }
    }

    /// The XML body; None where there is none.
    pub async fn xml(&mut self) -> Result<Option<Element>, Failure> {
        let bytes = self.body.whole(if mutant("xml-of-any-size") { 1 << 30 } else { MAX_XML }).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        Ok(Some(xml::parse(&bytes)?))
    }
}

pub(crate) fn conflict(text: &str) -> Failure {
    Failure::new(StatusCode::CONFLICT, text)
}
