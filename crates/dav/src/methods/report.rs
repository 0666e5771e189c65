//! REPORT sync-collection (RFC 6578): a sync-token is a journal number. It never expires.

use holm_core::Seq;
use holm_formats::dav::{DAV, Propfind, SyncCollection};
use http::StatusCode;

use crate::multistatus::Multistatus;
use crate::{Answer, Call, Failure};

/// Places one answer tells of at most; the client asks on from the token it gets.
const MOST: usize = 5_000;

pub fn token(seq: Seq) -> String {
    format!("urn:holm:sync:{}", seq.0)
}

fn parse_token(text: &str, newest: Seq) -> Option<Seq> {
    match text {
        "" => Some(Seq(0)),
        _ => text.strip_prefix("urn:holm:sync:")?.parse().ok().map(Seq).filter(|s| s.0 >= 0 && *s <= newest),
    }
}

pub async fn report(mut call: Call) -> Answer {
    let root = call.xml().await?.ok_or_else(|| Failure::bad("REPORT needs a body that names the report"))?;
    if !root.is(DAV, "sync-collection") {
        return Err(Failure::new(StatusCode::FORBIDDEN, "this report is not offered here").with("supported-report", None));
    }
    let sync = SyncCollection::from_xml(&root)?;
    let folder = call.access.stat(&call.path)?;
    if !folder.is_folder() {
        return Err(Failure::new(StatusCode::FORBIDDEN, "only a collection is synced").with("supported-report", None));
    }
    let since = parse_token(&sync.token, call.access.seq()?)
        .ok_or_else(|| Failure::new(StatusCode::FORBIDDEN, "not a token of this place").with("valid-sync-token", None))?;
    let limit = sync.limit.unwrap_or(MOST).clamp(1, MOST);
    let first = since == Seq(0);
    let found = call.access.differences(&call.path, since, sync.deep, limit)?;
    let asked = call.asked(Propfind::Prop(sync.props))?;
    let mut out = Multistatus::new();
    for difference in &found.changed {
        match &difference.entry {
            Some(entry) => asked.write(&mut out, &difference.path, entry)?,
            // Who has nothing yet need not hear of what is gone.
            None if first => {}
            None => out.status(&call.mount.href(&difference.path, false), StatusCode::NOT_FOUND, None),
        }
    }
    if !found.complete {
        out.status(&call.mount.href(&call.path, true), StatusCode::INSUFFICIENT_STORAGE, Some("d:number-of-matches-within-limits"));
    }
    out.xml.leaf("d:sync-token", &token(found.until));
    Ok(out.finish())
}
