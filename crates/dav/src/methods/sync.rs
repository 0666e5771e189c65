//! REPORT sync-collection (RFC 6578). The first sync of members lists them page by page, because a copied collection has
//! members that the journal does not name.

use std::collections::VecDeque;

use holm_core::{Difference, Entry, Name, Seq};
use holm_formats::dav::{Propfind, SyncCollection};
use holm_formats::xml::Element;
use http::StatusCode;

use crate::multistatus::{self, Multistatus};
use crate::sync_token::Token;
use crate::{Answer, Call, Failure};

/// Places one answer tells of at most; the client asks on from the token it gets.
const MOST: usize = 5_000;
fn begin_again(why: &str) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, format!("{why}; begin again with an empty token")).with("valid-sync-token")
}

pub fn sync(call: Call, root: &Element, folder: &Entry) -> Answer {
    // RFC 6578 §3.2 says 0; some clients say 1 and mean it.
    if call.depth("0")? == "infinity" {
        return Err(Failure::bad("sync-collection is asked with Depth: 0"));
    }
    let sync = SyncCollection::from_xml(root)?;
    let newest = call.access.seq()?;
    let since = match sync.token.as_str() {
        "" => None,
        text => Some(Token::parse(text, folder.id, newest).ok_or_else(|| begin_again("not a token of this collection"))?),
    };
    let limit = sync.limit.unwrap_or(MOST).clamp(1, MOST);
    let asked = call.asked(Propfind::Prop(sync.props))?;
    let first = since.is_none();
    let since = since.unwrap_or(Token { folder: folder.id, seq: Seq(0), after: None });
    let (changed, until, complete) = if !sync.deep && (first || since.after.is_some()) {
        // Changes made while the listing goes on are told after it: its token stays where it began.
        let seq = if first { newest } else { since.seq };
        let mut members = call.access.list(&call.path, folder.id, since.after.as_deref().unwrap_or_default(), limit + 1)?;
        let complete = members.len() <= limit;
        members.truncate(limit);
        let after = members.last().filter(|_| !complete).map(|last| last.key.clone());
        let place = |entry: Entry| Ok(Difference { path: call.path.join(Name::new(entry.name.as_str())?), entry: Some(entry) });
        (members.into_iter().map(place).collect::<holm_core::Result<VecDeque<_>>>()?, Token { seq, after, ..since }, complete)
    } else {
        let found = call.access.differences(&call.path, since.seq, sync.deep, limit)?;
        if found.lost {
            return Err(begin_again("a folder took another's place since then"));
        }
        (found.changed.into(), Token { seq: found.until, after: None, ..since }, found.complete)
    };
    write(call, asked, first, changed, until, complete)
}

fn write(call: Call, asked: crate::props::Asked, first: bool, mut changed: VecDeque<Difference>, until: Token, complete: bool) -> Answer {
    let step = move |out: &mut Multistatus| {
        let Some(difference) = changed.pop_front() else {
            if !complete {
                out.status(&call.mount.href(&call.path, true), StatusCode::INSUFFICIENT_STORAGE, Some("d:number-of-matches-within-limits"));
            }
            out.xml.leaf("d:sync-token", &until.text());
            return Ok(false);
        };
        match &difference.entry {
            Some(entry) if !asked.mount.dialect.shows(&call.path, entry) => {}
            Some(entry) => asked.write(out, &difference.path, entry)?,
            // Who has nothing yet need not hear of what is gone.
            None if first => {}
            None => out.status(&call.mount.href(&difference.path, false), StatusCode::NOT_FOUND, None),
        }
        Ok(true)
    };
    Ok(multistatus::streamed(Multistatus::new(), step)?)
}
