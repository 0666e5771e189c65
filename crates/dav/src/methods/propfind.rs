//! PROPFIND (RFC 4918 §9.1): Depth 0 and 1. A large folder is written page by page, in constant memory.

use std::collections::VecDeque;

use holm_core::{Access, Entry, Name, Path, Result};
use holm_formats::dav::Propfind;
use http::header::CONTENT_LOCATION;
use http::{HeaderValue, StatusCode};

use crate::multistatus::{self, Multistatus};
use crate::props::Asked;
use crate::{Answer, Call, Failure};

/// Entries read at a time.
const PAGE: usize = 256;

pub async fn propfind(mut call: Call) -> Answer {
    let depth = call.depth("infinity")?;
    let propfind = match call.xml().await? {
        None => Propfind::AllProp { include: Vec::new() },
        Some(root) => Propfind::from_xml(&root)?,
    };
    let entry = call.access.stat(&call.path)?;
    if depth == "infinity" && entry.is_folder() {
        return Err(Failure::new(StatusCode::FORBIDDEN, "ask with Depth 0 or 1").with("propfind-finite-depth"));
    }
    let asked = call.asked(propfind)?;
    let minimal = asked.minimal;
    // Where the folder is, for a client that left out the slash.
    let location = entry.is_folder().then(|| call.mount.href_of(&call.path, &entry));
    let mut out = Multistatus::new();
    asked.write(&mut out, &call.path, &entry)?;
    let mut response = if depth == "1" && entry.is_folder() {
        let mut members = Members { access: call.access, id: entry.id, page: VecDeque::new(), after: Some(String::new()) };
        let folder = call.path;
        let step = move |out: &mut Multistatus| match members.next(&folder)? {
            Some(member) if !asked.mount.dialect.shows(&folder, &member) => Ok(true),
            Some(member) => asked.write(out, &folder.join(Name::new(member.name.as_str())?), &member).map(|()| true),
            None => Ok(false),
        };
        multistatus::streamed(out, step)?
    } else {
        out.finish()
    };
    if let Some(location) = location.and_then(|l| HeaderValue::try_from(l).ok()) {
        response.headers_mut().insert(CONTENT_LOCATION, location);
    }
    if minimal {
        response.headers_mut().insert("preference-applied", HeaderValue::from_static("return=minimal"));
    }
    Ok(response)
}

/// The members of a folder, page by page.
struct Members {
    access: Access,
    id: i64,
    page: VecDeque<Entry>,
    /// The last key read; None after the end.
    after: Option<String>,
}

impl Members {
    fn next(&mut self, folder: &Path) -> Result<Option<Entry>> {
        if self.page.is_empty()
            && let Some(after) = self.after.take()
        {
            self.page = self.access.list(folder, self.id, &after, PAGE)?.into();
            self.after = self.page.back().filter(|_| self.page.len() == PAGE).map(|last| last.key.clone());
        }
        Ok(self.page.pop_front())
    }
}

impl Call {
    pub fn asked(&self, propfind: Propfind) -> Result<Asked> {
        let hide_quota = hides_quota(self.header("user-agent").unwrap_or_default());
        Asked::new(propfind, self.mount.clone(), self.access.clone(), super::minimal(&self.headers), hide_quota)
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
