//! `holm gc`: one round of upkeep, now.

use clap::Args;
use holm_core::{Rules, Timestamp};
use serde_json::json;

use super::Opened;
use crate::settings::{Fallible, Settings};

#[derive(Args)]
pub struct Gc {
    /// Only this person
    person: Option<String>,
    /// Hours for which bytes that nothing refers to stay; with less than a day, uploads under way may have to be sent again
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(i64).range(0..=8_760))]
    grace: i64,
    /// Believe the clock, however far it has come since the last round: else what is old is judged by a time that follows
    /// a jump slowly, so that a wrong clock does not empty the trash
    #[arg(long)]
    clock_is_right: bool,
}

impl Gc {
    pub fn run(self, settings: &Settings, opened: &Opened) -> Fallible<()> {
        let rules = Rules { retention: settings.retention()?, grace: self.grace * Timestamp::HOUR, clock_is_right: self.clock_is_right };
        let gate = opened.gate();
        opened.host.sweep_removed()?;
        let mut damaged = 0;
        for person in opened.chosen(self.person.as_deref())? {
            let u = gate.keep_up(person.id, &rules)?;
            damaged += u.packs_damaged;
            if u.behind > Timestamp::DAY {
                let days = u.behind / Timestamp::DAY;
                eprintln!(
                    "{}: what is old is judged by {days} days ago, for the clock has come far since the last round; if it is right: holm gc --clock-is-right",
                    person.name
                );
            }
            let text = format!(
                "{}: let go {} versions and {} things in the trash; deleted {} chunks and {} packs, {} bytes freed; {} chunks will follow",
                person.name, u.versions, u.purged, u.chunks_deleted, u.packs_deleted, u.bytes_freed, u.chunks_marked
            );
            opened.say(
                text,
                json!({ "person": person.name, "versions": u.versions, "purged": u.purged, "contents": u.contents, "chunks_marked": u.chunks_marked,
                        "chunks_deleted": u.chunks_deleted, "packs_compacted": u.packs_compacted, "packs_deleted": u.packs_deleted,
                        "packs_damaged": u.packs_damaged, "packs_outdated": u.packs_outdated, "bytes_freed": u.bytes_freed,
                        "behind": u.behind }),
            );
        }
        if damaged > 0 {
            return Err(format!("{damaged} packs are damaged and were left as they are; run holm check --deep").into());
        }
        Ok(())
    }
}
