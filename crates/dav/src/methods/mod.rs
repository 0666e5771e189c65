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
pub mod transfer;

use holm_core::{Depth, Error, Precondition};
use holm_formats::xml::{self, Element};
use holm_http::{body, conditions};
use http::StatusCode;
use http::header::{IF_MATCH, IF_NONE_MATCH};

use crate::{Call, Failure, MAX_XML};

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// What the request demands of the state it meets.
    pub fn precondition(&self) -> Result<Precondition, Failure> {
        let if_lists = match self.header("if") {
            None => Vec::new(),
            Some(text) => conditions::parse_if(text, &self.path, |uri| self.mount.resolve(uri, &self.headers).ok()).map_err(Failure::bad)?,
        };
        Ok(Precondition {
            if_match: conditions::entity_tags(&self.headers, IF_MATCH, false),
            if_none_match: conditions::entity_tags(&self.headers, IF_NONE_MATCH, false),
            if_lists,
        })
    }

    /// 0, 1 or infinity; `missing` where there is no Depth header.
    pub fn depth(&self, missing: &'static str) -> Result<&'static str, Failure> {
        match self.header("depth") {
            None => Ok(missing),
            Some("0") => Ok("0"),
            Some("1") => Ok("1"),
            Some(d) if d.eq_ignore_ascii_case("infinity") => Ok("infinity"),
            Some(_) => Err(Failure::bad("Depth is 0, 1 or infinity")),
        }
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
        let bytes = body::whole(&mut self.body, MAX_XML).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        Ok(Some(xml::parse(&bytes)?))
    }

    /// A failure of the core with what DAV adds to it.
    pub fn failure(&self, e: Error) -> Failure {
        match &e {
            Error::Locked { root, .. } => {
                let href = self.mount.href(root, false);
                Failure::from(e).with("lock-token-submitted", Some(href))
            }
            Error::LockConflict(path) => {
                let href = self.mount.href(path, false);
                Failure::from(e).with("no-conflicting-lock", Some(href))
            }
            _ => Failure::from(e),
        }
    }
}

pub(crate) fn conflict(text: &str) -> Failure {
    Failure::new(StatusCode::CONFLICT, text)
}
