//! `holm check`: whether catalog, packs, journal and quota of each person agree.

use clap::Args;
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Args)]
pub struct Check {
    /// Only this person
    person: Option<String>,
    /// Read and authenticate every byte too
    #[arg(long)]
    deep: bool,
}

impl Check {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let gate = opened.gate();
        let mut wrong = 0;
        for text in opened.host.verify()? {
            wrong += 1;
            opened.say(format!("PROBLEM  the host's catalog: {text}"), json!({ "person": null, "problem": text }));
        }
        for person in opened.chosen(self.person.as_deref())? {
            let r = match gate.check(person.id, self.deep) {
                Ok(report) => report,
                Err(e) => {
                    wrong += 1;
                    opened.say(format!("PROBLEM  {}: {e}", person.name), json!({ "person": person.name, "problem": e.to_string() }));
                    continue;
                }
            };
            wrong += r.problem_count;
            if !opened.json {
                r.problems.iter().for_each(|p| opened.print(format!("PROBLEM  {}: {p}", person.name)));
                r.affected.iter().for_each(|p| opened.print(format!("AFFECTED {}: {p}", person.name)));
            }
            let state = if r.problem_count == 0 { "good".to_owned() } else { format!("{} problems", r.problem_count) };
            let read = if self.deep { format!(", {} bytes read", r.bytes) } else { String::new() };
            let text = format!(
                "{}: {state} ({} entries, {} versions, {} changes, {} chunks in {} packs{read})",
                person.name, r.entries, r.versions, r.changes, r.chunks, r.packs
            );
            opened.say(
                text,
                json!({ "person": person.name, "problems": r.problems, "problem_count": r.problem_count, "entries": r.entries, "versions": r.versions,
                        "contents": r.contents, "changes": r.changes, "chunks": r.chunks, "packs": r.packs, "orphans": r.orphans, "bytes": r.bytes, "affected": r.affected }),
            );
        }
        if wrong > 0 {
            return Err(format!("{wrong} problems; keep this data directory as it is, and restore what is affected from a backup").into());
        }
        Ok(())
    }
}
