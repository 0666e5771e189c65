//! `holm log`: who read or changed what, and through what.

use std::collections::HashMap;

use clap::Args;
use holm_core::{Access, AccessRecord, Page, PartyId, Path, RecordFilter, Timestamp};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

/// Records read at a time.
const TOGETHER: usize = 1_000;

#[derive(Args)]
pub struct Log {
    /// Whose tree
    person: String,
    /// Only what was done with this file or folder, also when it is deleted
    #[arg(long)]
    path: Option<String>,
    /// Only what this party did: its number or its name, as holm party list shows them; or the person's own name
    #[arg(long)]
    party: Option<String>,
    /// How far back
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i64).range(0..=36_500))]
    days: i64,
}

impl Log {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let access = opened.access(&self.person)?;
        let since = opened.env.now().plus(-self.days * Timestamp::DAY);
        let mut names: HashMap<_, _> = access.parties(Page::ALL)?.into_iter().map(|p| (p.id, p.name)).collect();
        names.insert(PartyId::OWNER, self.person.clone());
        names.insert(PartyId::ANYBODY, "anybody".into());
        let party = self.party.as_deref().map(|asked| named(&names, asked)).transpose()?;
        let entry = self.path.as_deref().map(|path| at(&access, path)).transpose()?;
        let mut filter = RecordFilter { entry, party, since, ..RecordFilter::default() };
        loop {
            let records = access.records(&filter, TOGETHER)?;
            records.iter().for_each(|r| say(opened, r, names.get(&r.party).map_or("?", String::as_str)));
            match records.last() {
                Some(last) => filter.before = Some((last.last, last.id)),
                None if filter.before.is_none() && !opened.json => {
                    eprintln!("holm: nothing is on record of that in the last {} days; look further back with --days", self.days);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }
}

fn say(opened: &Opened, r: &AccessRecord, who: &str) {
    let how = if r.refused { format!("refused to {}", r.act.name()) } else { r.act.name().to_owned() };
    let from = if r.address.is_empty() { r.via.clone() } else { format!("{} from {}", r.via, r.address) };
    let times = if r.times == 1 { String::new() } else { format!("\t{} times", r.times) };
    opened.say(
        format!("{}\t{who}\t{how}\t{}\t{from}{times}", holm_formats::date::rfc3339(r.last.0), r.path),
        json!({ "party": r.party.0, "name": who, "credential": r.credential, "act": r.act.name(), "refused": r.refused, "entry": r.entry, "path": r.path,
                "via": r.via, "address": r.address, "first": r.first.0, "last": r.last.0, "times": r.times }),
    );
}

/// A party by its number, or by a name that only one has.
fn named(names: &HashMap<PartyId, String>, asked: &str) -> Fallible<PartyId> {
    if let Some(id) = asked.parse().ok().map(PartyId).filter(|id| names.contains_key(id)) {
        return Ok(id);
    }
    let mut found = names.iter().filter(|(_, name)| *name == asked).map(|(id, _)| *id);
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(format!("several parties are called \"{asked}\": give the number of the one that is meant").into()),
        _ => Err(format!("no party is called \"{asked}\", nor has that number; see holm party list").into()),
    }
}

fn at(access: &Access, path: &str) -> Fallible<i64> {
    let path = Path::parse(path)?;
    access.once_at(&path)?.ok_or_else(|| format!("nothing was ever kept at {path}").into())
}
