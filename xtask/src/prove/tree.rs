//! What a server shows of a folder: its listing, the bytes of every file, and what a sync client makes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::Fallible;
use super::plan::{File, Node, State, hash};
use crate::bench::client::Conn;

/// Path below the folder → ETag of a file, or nothing for a folder.
type Listing = BTreeMap<String, Option<String>>;

fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    let start = text.find(from)? + from.len();
    Some(&text[start..start + text[start..].find(to)?])
}

/// The (path below `root`, ETag, is there) of each response. Names here need no decoding.
fn responses(text: &str, root: &str) -> Fallible<Vec<(String, Option<String>, bool)>> {
    let mut found = Vec::new();
    // What stands before the first response is the multistatus's head.
    for response in text.split("<d:response>").skip(1) {
        let href = between(response, "<d:href>", "</d:href>").ok_or("a response without an href")?;
        let path = href.split_once(root).ok_or_else(|| format!("{href} is not below {root}"))?.1.trim_end_matches('/');
        let folder = response.contains("<d:collection");
        let etag = between(response, "<d:getetag>", "</d:getetag>").filter(|_| !folder).map(|e| e.replace("&quot;", "\""));
        let there = folder || etag.is_some();
        found.push((path.to_owned(), etag, there));
    }
    Ok(found)
}

const ASKED: &[u8] = br#"<propfind xmlns="DAV:"><prop><resourcetype/><getetag/><getcontentlength/></prop></propfind>"#;

fn list(conn: &mut Conn, home: &str, findings: &mut Vec<String>) -> Fallible<Listing> {
    let mut listing = Listing::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let status = conn.send_once("PROPFIND", &format!("{home}{folder}/"), "Depth: 1\r\n", ASKED)?;
        if status != 207 {
            findings.push(format!("PROPFIND {home}{folder} is answered {status}"));
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut conn.body))?;
        for (path, etag, _) in responses(&text, home)?.into_iter().filter(|r| r.0 != folder) {
            if etag.is_none() {
                folders.push(path.clone());
            }
            listing.insert(path, etag);
        }
    }
    Ok(listing)
}

/// What is there, all bytes read; and what the server says of it that does not agree.
pub fn read(conn: &mut Conn, home: &str, findings: &mut Vec<String>) -> Fallible<State> {
    let mut state = State::new();
    for (path, etag) in list(conn, home, findings)? {
        let Some(listed) = etag else {
            state.insert(path, Node::Folder);
            continue;
        };
        let status = conn.send_once("GET", &format!("{home}{path}"), "", b"")?;
        if status != 200 {
            findings.push(format!("{home}{path} is listed, but reading it is answered {status}"));
            continue;
        }
        if conn.etag != listed {
            findings.push(format!("{home}{path} is listed with the ETag {listed}, and read with {}", conn.etag));
        }
        let file = File { seed: None, length: conn.body.len(), hash: hash(&conn.body), etag: Some(listed) };
        state.insert(path, Node::File(file));
    }
    Ok(state)
}

/// What a client that syncs knows.
#[derive(Default)]
pub struct Mirror {
    token: String,
    listing: Listing,
}

impl Mirror {
    /// Asks what changed since the last time, and tells where the mirror then differs from what is there.
    pub fn sync(&mut self, conn: &mut Conn, home: &str, findings: &mut Vec<String>) -> Fallible<()> {
        let ask = format!(
            r#"<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>infinite</sync-level><prop><resourcetype/><getetag/></prop></sync-collection>"#,
            self.token
        );
        let status = conn.send_once("REPORT", &format!("{home}/"), "Depth: 0\r\n", ask.as_bytes())?;
        let text = String::from_utf8(std::mem::take(&mut conn.body))?;
        if status == 403 && text.contains("valid-sync-token") && !self.token.is_empty() {
            // Where a folder took another's place no list of changes tells all: the client begins again.
            *self = Mirror::default();
            return self.sync(conn, home, findings);
        }
        if status != 207 {
            findings.push(format!("{home}: a sync from the token {:?} is answered {status}: {text}", self.token));
            return Ok(());
        }
        for (path, etag, there) in responses(&text, home)?.into_iter().filter(|r| !r.0.is_empty()) {
            if there {
                self.listing.insert(path, etag);
            } else {
                let below = format!("{path}/");
                self.listing.retain(|p, _| *p != path && !p.starts_with(&below));
            }
        }
        self.token = between(&text, "<d:sync-token>", "</d:sync-token>").ok_or("a sync without a token")?.to_owned();
        if text.contains("number-of-matches-within-limits") {
            // There is more than one answer tells of: the client asks on from there (RFC 6578, section 3.6).
            return self.sync(conn, home, findings);
        }
        let there = list(conn, home, findings)?;
        for path in there.keys().chain(self.listing.keys()).collect::<BTreeSet<_>>() {
            if there.get(path) != self.listing.get(path) {
                findings.push(format!("{home}{path} is {:?}, but a sync client believes {:?}", there.get(path), self.listing.get(path)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_told_apart() {
        let text = "<d:response><d:href>/dav/files/ann/c0/</d:href><d:collection/><d:getetag>\"7\"</d:getetag></d:response>\
            <d:response><d:href>/dav/files/ann/c0/f1</d:href><d:getetag>\"8\"</d:getetag></d:response>\
            <d:response><d:href>/dav/files/ann/c0/f2</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>";
        let want = [("", None, true), ("/f1", Some("\"8\""), true), ("/f2", None, false)];
        let want: Vec<_> = want.map(|(p, e, t)| (p.to_owned(), e.map(str::to_owned), t)).into();
        assert_eq!(responses(text, "/c0").expect("read"), want);
    }
}
