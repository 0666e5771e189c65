//! The journal against the tree: numbers without gaps, and for every place what the newest record about it says.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::check::Report;
use crate::error::Result;
use crate::journal::{self, Op, Seq};
use crate::party::PersonId;
use crate::store::catalog::Tx;
use crate::tree::apply::Head;
use crate::tree::entry::TRASH;

/// A place in a folder, as 16 bytes: a million of them fit in memory.
pub(super) fn place(parent: i64, key: &str) -> u128 {
    let hash = blake3::Hasher::new().update(&parent.to_le_bytes()).update(key.as_bytes()).finalize();
    u128::from_le_bytes(hash.as_bytes()[..16].try_into().expect("sixteen bytes"))
}

/// What the newest record says of a place: which entry stands there, if any, and in which folder it is.
struct Said {
    entry: Option<i64>,
    parent: i64,
    seq: Seq,
}

/// `places` are the tree's: hash of (parent, key) → entry.
pub(super) fn journal(tx: &dyn Tx, person: PersonId, head: &Head, places: &HashMap<u128, i64>, report: &mut Report) -> Result<()> {
    let mut said: HashMap<u128, Said> = HashMap::new();
    let mut expected = 1;
    journal::every(tx, person, &mut |r| {
        report.changes += 1;
        if r.seq.0 != expected {
            report.problem(format!("the journal goes from {} to {}", expected - 1, r.seq.0));
        }
        expected = r.seq.0 + 1;
        if let (Op::Move, Some((parent, key))) = (r.op, &r.from) {
            said.insert(place(*parent, key), Said { entry: None, parent: *parent, seq: r.seq });
        }
        let entry = (!matches!(r.op, Op::Remove | Op::Purge)).then_some(r.entry);
        said.insert(place(r.parent, &r.key), Said { entry, parent: r.parent, seq: r.seq });
        Ok(ControlFlow::Continue(()))
    })?;
    if expected != head.seq.0 + 1 {
        report.problem(format!("the journal ends at {}, the head says {}", expected - 1, head.seq.0));
    }
    let known: std::collections::HashSet<i64> = places.values().copied().collect();
    for (at, said) in said {
        // What lay in an erased folder went with it; what is in the trash is keyed by its entry's id.
        if !known.contains(&said.parent) || said.parent == TRASH {
            continue;
        }
        match (said.entry, places.get(&at)) {
            (Some(entry), Some(there)) if entry == *there => {}
            (None, None) => {}
            (Some(entry), Some(there)) => report.problem(format!("change {} put entry {entry} in folder {}, but {there} is there", said.seq.0, said.parent)),
            (Some(entry), None) => report.problem(format!("change {} put entry {entry} in folder {}, but it is not there", said.seq.0, said.parent)),
            (None, Some(there)) => report.problem(format!("change {} removed what was in folder {}, but {there} is there", said.seq.0, said.parent)),
        }
    }
    Ok(())
}
