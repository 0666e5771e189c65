//! Which files damage harms, in words that a person knows: paths.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::check::Damage;
use crate::error::Result;
use crate::party::PersonId;
use crate::store::catalog::Tx;
use crate::tree::entry;

/// At most `most` texts.
pub(super) fn paths(tx: &dyn Tx, person: PersonId, damage: &Damage, most: usize) -> Result<Vec<String>> {
    let contents = contents(tx, person, damage)?;
    let mut found = Vec::new();
    if contents.is_empty() {
        return Ok(found);
    }
    let mut files: HashMap<i64, &str> = HashMap::new();
    entry::every(tx, person, &mut |e| {
        if contents.contains(&e.content) {
            files.insert(e.id, "");
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let sql = "SELECT entry, content FROM version WHERE person = ?1";
    let versions = tx.all(sql, &[person.0.into()], |row| Ok((row.int(0)?, row.int(1)?)))?;
    let earlier = versions.into_iter().filter(|(_, content)| contents.contains(content)).map(|(entry, _)| (entry, " (an earlier version)"));
    for (id, note) in files.into_iter().chain(earlier).take(most) {
        let place = match entry::path_of(tx, person, id)? {
            Some(path) => path.to_string(),
            None => format!("something in the trash (entry {id})"),
        };
        found.push(format!("{place}{note}"));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Contents that are damaged themselves, or hold a damaged chunk.
fn contents(tx: &dyn Tx, person: PersonId, damage: &Damage) -> Result<HashSet<i64>> {
    let mut contents = damage.contents.clone();
    if !damage.chunks.is_empty() {
        tx.query("SELECT content, chunk FROM part WHERE person = ?1", &[person.0.into()], &mut |row| {
            if damage.chunks.contains(&row.int(1)?) {
                contents.insert(row.int(0)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(contents)
}
