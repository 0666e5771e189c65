//! PROPFIND (RFC 4918 §9.1): Depth 0 and 1. A large folder is written page by page, in constant memory.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use holm_core::{Entry, Name, Path, Result};
use holm_formats::dav::Propfind;
use http::StatusCode;

use crate::multistatus::{self, Multistatus};
use crate::props::Asked;
use crate::{Answer, Call, Failure};

/// Entries read and written at a time.
const PAGE: usize = 256;

pub async fn propfind(mut call: Call) -> Answer {
    let depth = call.depth("infinity")?;
    let propfind = match call.xml().await? {
        None => Propfind::AllProp { include: Vec::new() },
        Some(root) => Propfind::from_xml(&root)?,
    };
    let entry = call.access.stat(&call.path)?;
    if depth == "infinity" && entry.is_folder() {
        return Err(Failure::new(StatusCode::FORBIDDEN, "ask with Depth 0 or 1").with("propfind-finite-depth", None));
    }
    let asked = call.asked(propfind)?;
    let mut out = Multistatus::new();
    asked.write(&mut out, &call.path, &entry)?;
    if depth == "0" || !entry.is_folder() {
        return Ok(out.finish());
    }
    let first = call.access.list(&call.path, entry.id, "", PAGE)?;
    write(&asked, &mut out, &call.path, &first)?;
    if first.len() < PAGE {
        return Ok(out.finish());
    }
    let listing = Listing { asked: Arc::new(asked), folder: call.path, id: entry.id, after: first.last().map(|e| e.key.clone()), out };
    Ok(multistatus::answer(Body::from_stream(stream::unfold(Some(listing), |state| async move {
        let mut listing = state?;
        let sent = Bytes::from(listing.out.xml.take());
        Some(match listing.advance() {
            Ok(true) => (Ok(sent), Some(listing)),
            Ok(false) => (Ok(sent), None),
            Err(e) => {
                tracing::error!("listing {}: {e}", listing.folder);
                (Err(std::io::Error::other(e)), None)
            }
        })
    }))))
}

fn write(asked: &Asked, out: &mut Multistatus, folder: &Path, entries: &[Entry]) -> Result<()> {
    for entry in entries {
        asked.write(out, &folder.join(Name::new(entry.name.as_str())?), entry)?;
    }
    Ok(())
}

struct Listing {
    asked: Arc<Asked>,
    folder: Path,
    id: i64,
    /// The last key written; None after the end.
    after: Option<String>,
    out: Multistatus,
}

impl Listing {
    /// Writes the next page; answers whether there is something to send.
    fn advance(&mut self) -> Result<bool> {
        let Some(after) = self.after.take() else { return Ok(false) };
        let page = self.asked.access.list(&self.folder, self.id, &after, PAGE)?;
        write(&self.asked, &mut self.out, &self.folder, &page)?;
        match page.last() {
            Some(last) if page.len() == PAGE => self.after = Some(last.key.clone()),
            _ => _ = self.out.xml.close("d:multistatus"),
        }
        Ok(true)
    }
}

impl Call {
    pub(super) fn asked(&self, propfind: Propfind) -> Result<Asked> {
        let minimal = self.header("prefer").is_some_and(|p| p.contains("return=minimal")) || self.header("brief") == Some("t");
        Asked::new(propfind, self.mount.clone(), self.access.clone(), minimal, hides_quota(self.header("user-agent").unwrap_or_default()))
    }
}

/// macOS 15.4 and later (Darwin 24.4) hang for 90 s on mounts that tell their quota.
fn hides_quota(agent: &str) -> bool {
    let Some(version) = agent.strip_prefix("WebDAVFS/").and_then(|_| agent.split("Darwin/").nth(1)) else { return false };
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (24, 4)
}

#[cfg(test)]
mod tests {
    use super::hides_quota;

    #[test]
    fn quota_is_hidden_from_newer_finders_only() {
        let agent = |darwin| format!("WebDAVFS/3.0.0 (03008000) Darwin/{darwin} (arm64)");
        assert!(hides_quota(&agent("24.4.0")) && hides_quota(&agent("25.0.0")));
        assert!(!hides_quota(&agent("24.3.0")) && !hides_quota("curl/8 Darwin/25.0"));
    }
}
