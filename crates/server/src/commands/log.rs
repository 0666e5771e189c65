//! `holm log`: who read or changed what, and through what.

use clap::Args;
use holm_core::{Page, PartyId, Path, RecordFilter, Timestamp};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

/// Lines at most: the newest.
const MOST: usize = 1_000;

#[derive(Args)]
pub struct Log {
    /// Whose tree
    person: String,
    /// Only what was done with this file or folder
    #[arg(long)]
    path: Option<String>,
    /// Only what this party did; see holm party list
    #[arg(long)]
    party: Option<i64>,
    /// How far back
    #[arg(long, default_value_t = 7)]
    days: i64,
}

impl Log {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let access = opened.access(&self.person)?;
        let entry = self.path.map(|path| Ok::<_, holm_core::Error>(access.stat(&Path::parse(&path)?)?.id)).transpose()?;
        let since = opened.env.now().plus(-self.days.saturating_mul(Timestamp::DAY));
        let names: std::collections::HashMap<_, _> = access.parties(Page::ALL)?.into_iter().map(|p| (p.id, p.name)).collect();
        for r in access.records(&RecordFilter { entry, party: self.party.map(PartyId), since, ..RecordFilter::default() }, MOST)? {
            let who = names.get(&r.party).map_or(if r.party == PartyId::OWNER { self.person.as_str() } else { "?" }, String::as_str);
            let how = if r.refused { "refused" } else { r.act.name() };
            let from = if r.address.is_empty() { r.via.clone() } else { format!("{} from {}", r.via, r.address) };
            opened.say(
                format!("{}\t{who}\t{how}\t{}\t{from}\t{}", holm_formats::date::rfc3339(r.last.0), r.path, r.times),
                json!({ "party": r.party.0, "credential": r.credential, "act": r.act.name(), "refused": r.refused, "entry": r.entry, "path": r.path,
                        "via": r.via, "address": r.address, "first": r.first.0, "last": r.last.0, "times": r.times }),
            );
        }
        Ok(())
    }
}
