//! The ledger: who has to do with a person, and what they were granted. Entries are only ever added, each sealed with a
//! hash over itself and the one before; the tables of parties and grants are what they come to.

mod grant;
mod rights;

use serde::{Deserialize, Serialize};

use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::party::{Abilities, Ability, Party, PartyId, PartyKind, PersonId};
use crate::store::catalog::{Row, Tx};

pub use grant::{Grant, KnownParty, MAX_TEXT, NewGrant, Scope, Standing, Terms};
pub use rights::{Right, Rights};

/// A grant that hangs on more than this many others gives nothing.
const MAX_PARENTS: usize = 16;
/// Longest name of a party in characters.
const MAX_PARTY_NAME: usize = 255;
/// Parties, and grants of a party, that a person may have.
const MAX_PARTIES: i64 = 10_000;
const MAX_GRANTS: i64 = 1_000;

/// Which part of a list: at most so many, after a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub after: i64,
    pub limit: usize,
}

impl Page {
    pub const ALL: Page = Page { after: 0, limit: usize::MAX };

    pub(crate) fn limit(self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }
}

/// What an entry says. The field names are the on-disk format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Met {
        party: i64,
        kind: String,
        name: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        subject: String,
    },
    Parted {
        party: i64,
    },
    Granted {
        grant: i64,
        party: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<i64>,
        scope: String,
        abilities: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        purpose: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
    },
    Revoked {
        grant: i64,
    },
    /// Something about the person's own account: a password changed, a passkey added.
    Account {
        act: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Body {
    /// The party that did it, its credential, and what it is called.
    by: (i64, i64, String),
    #[serde(flatten)]
    event: Event,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    pub number: i64,
    pub at: Timestamp,
    /// JSON.
    pub body: String,
    /// Over the hash before, the number, the time and the body.
    pub hash: [u8; 32],
}

impl LedgerEntry {
    fn seal(previous: &[u8; 32], number: i64, at: Timestamp, body: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("holm 1 ledger");
        hasher.update(previous).update(&number.to_le_bytes()).update(&at.0.to_le_bytes()).update(body.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

fn entry_row(r: &dyn Row) -> Result<LedgerEntry> {
    let hash = r.blob(3)?.try_into().map_err(|_| Error::Corrupt("a hash in the ledger is not 32 bytes".into()))?;
    Ok(LedgerEntry { number: r.int(0)?, at: Timestamp(r.int(1)?), body: r.text(2)?.to_owned(), hash })
}

/// Entries after a number, the oldest first.
pub(crate) fn entries(tx: &dyn Tx, person: PersonId, page: Page) -> Result<Vec<LedgerEntry>> {
    let sql = "SELECT number, at, body, hash FROM ledger WHERE person = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
    tx.all(sql, &[person.0.into(), page.after.into(), page.limit().into()], entry_row)
}

/// The newest entry's number, 0 where there is none.
pub(crate) fn newest(tx: &dyn Tx, person: PersonId) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(number), 0) FROM ledger WHERE person = ?1";
    Ok(tx.first(sql, &[person.0.into()], |r| r.int(0))?.unwrap_or(0))
}

/// Writes to the ledger, within one transaction.
pub(crate) struct Book<'a> {
    pub tx: &'a dyn Tx,
    pub person: PersonId,
    pub now: Timestamp,
    pub by: &'a Party,
}

impl Book<'_> {
    fn append(&self, event: Event) -> Result<()> {
        let sql = "SELECT number, at, body, hash FROM ledger WHERE person = ?1 ORDER BY number DESC LIMIT 1";
        let last = self.tx.first(sql, &[self.person.0.into()], entry_row)?;
        let (number, previous) = last.map_or((1, [0; 32]), |l| (l.number + 1, l.hash));
        let by = (self.by.id.0, self.by.credential, self.by.label.clone());
        let body = serde_json::to_string(&Body { by, event: event.clone() }).map_err(|e| Error::Invalid(e.to_string()))?;
        let hash = LedgerEntry::seal(&previous, number, self.now, &body);
        let sql = "INSERT INTO ledger (person, number, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.tx.execute(sql, &[self.person.0.into(), number.into(), self.now.0.into(), body.as_str().into(), hash[..].into()])?;
        apply(self.tx, self.person, self.now, &event)
    }

    fn next(&self, sql: &'static str, most: i64, what: &'static str) -> Result<i64> {
        let next = self.tx.first(sql, &[self.person.0.into()], |r| r.int(0))?.unwrap_or(1);
        if next > most { Err(Error::Limit(what)) } else { Ok(next) }
    }

    /// Somebody the person has to do with from now on. An empty `subject` is one that only its credentials prove.
    pub fn meet(&self, kind: PartyKind, name: &str, subject: &str) -> Result<PartyId> {
        if name.is_empty() || name.chars().count() > MAX_PARTY_NAME || name.chars().any(char::is_control) {
            return Err(Error::Invalid("a name is 1 to 255 characters, none of them a control character".into()));
        }
        if kind == PartyKind::Owner || subject.len() > MAX_TEXT {
            return Err(Error::Invalid("there is one owner; and a subject is at most 1,024 bytes".into()));
        }
        if !subject.is_empty() && by_subject(self.tx, self.person, kind, subject)?.is_some() {
            return Err(Error::Taken(format!("{name} is known")));
        }
        let id = self.next("SELECT COALESCE(MAX(id), 1) + 1 FROM party WHERE person = ?1", MAX_PARTIES, "10,000 parties; no more can be met")?;
        self.append(Event::Met { party: id, kind: kind.name().into(), name: name.into(), subject: subject.into() })?;
        Ok(PartyId(id))
    }

    /// Grants something; `of` are the giver's own rights, and what it gives hangs on the grant that it has it from.
    pub fn grant(&self, what: &NewGrant, of: &Rights) -> Result<i64> {
        what.check()?;
        let party = party(self.tx, self.person, what.party)?.filter(|p| p.ended.is_none());
        party.ok_or_else(|| Error::Invalid(format!("no party has the number {}", what.party.0)))?;
        let scope = what.scope.path();
        let held = of.grant_for(Ability::Share, &scope, self.now).ok_or_else(|| Error::Denied(Ability::Share, scope.clone()))?;
        if !what.abilities.is_within(held.abilities) || what.until.unwrap_or(Timestamp(i64::MAX)) > held.until {
            return Err(Error::Forbidden("nobody can grant more than they have"));
        }
        let parent = (held.grant != 0).then_some(held.grant);
        let count = "SELECT COUNT(*) FROM granted WHERE person = ?1 AND party = ?2 AND revoked IS NULL";
        if self.tx.first(count, &[self.person.0.into(), what.party.0.into()], |r| r.int(0))?.unwrap_or(0) >= MAX_GRANTS {
            return Err(Error::Limit("1,000 grants of one party; revoke some"));
        }
        let id = self.next("SELECT COALESCE(MAX(id), 0) + 1 FROM granted WHERE person = ?1", i64::MAX, "")?;
        self.append(Event::Granted {
            grant: id,
            party: what.party.0,
            parent,
            scope: what.scope.to_string(),
            abilities: what.abilities.to_string(),
            purpose: what.purpose.clone(),
            terms: what.terms.clone(),
            from: what.from.map(|t| t.0),
            until: what.until.map(|t| t.0),
        })?;
        Ok(id)
    }

    /// Answers whether there was one to revoke. What hangs on it ends with it.
    pub fn revoke(&self, grant: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM granted WHERE person = ?1 AND id = ?2 AND revoked IS NULL";
        let there = self.tx.first(sql, &[self.person.0.into(), grant.into()], |_| Ok(()))?.is_some();
        if there {
            self.append(Event::Revoked { grant })?;
        }
        Ok(there)
    }

    /// Writes down what is done to the person's own account.
    pub fn account(&self, act: &str, detail: &str) -> Result<()> {
        self.append(Event::Account { act: act.to_owned(), detail: detail.to_owned() })
    }

    /// Ends everything with a party; answers whether there was one.
    pub fn part(&self, id: PartyId) -> Result<bool> {
        let there = party(self.tx, self.person, id)?.is_some_and(|p| p.ended.is_none());
        if there {
            for grant in grants(self.tx, self.person, Some(id), Page::ALL)?.iter().filter(|g| g.revoked.is_none()) {
                self.revoke(grant.id)?;
            }
            self.append(Event::Parted { party: id.0 })?;
        }
        Ok(there)
    }
}

/// What an entry comes to.
fn apply(tx: &dyn Tx, person: PersonId, at: Timestamp, event: &Event) -> Result<()> {
    let (person, at) = (person.0.into(), at.0.into());
    match event {
        Event::Met { party, kind, name, subject } => {
            let sql = "INSERT INTO party (person, id, kind, name, subject, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            tx.execute(sql, &[person, (*party).into(), kind.into(), name.into(), subject.into(), at])?;
        }
        Event::Parted { party } => {
            tx.execute("UPDATE party SET ended = ?3 WHERE person = ?1 AND id = ?2", &[person, (*party).into(), at])?;
        }
        Event::Granted { grant, party, parent, scope, abilities, purpose, terms, from, until } => {
            let sql = "INSERT INTO granted (person, id, party, parent, scope, abilities, purpose, terms, terms_hash, since, until, made)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
            let (url, hash) = (terms.as_ref().map(|t| &t.url), terms.as_ref().map(|t| &t.sha256));
            let (grant, party, parent) = ((*grant).into(), (*party).into(), (*parent).into());
            tx.execute(
                sql,
                &[person, grant, party, parent, scope.into(), abilities.into(), purpose.into(), url.into(), hash.into(), (*from).into(), (*until).into(), at],
            )?;
        }
        Event::Revoked { grant } => {
            tx.execute("UPDATE granted SET revoked = ?3 WHERE person = ?1 AND id = ?2", &[person, (*grant).into(), at])?;
        }
        Event::Account { .. } => {}
    }
    Ok(())
}

fn party_row(r: &dyn Row) -> Result<KnownParty> {
    Ok(KnownParty {
        id: PartyId(r.int(0)?),
        kind: PartyKind::parse(r.text(1)?)?,
        name: r.text(2)?.to_owned(),
        subject: r.text(3)?.to_owned(),
        since: Timestamp(r.int(4)?),
        ended: r.opt_int(5)?.map(Timestamp),
    })
}

/// Parties after a number.
pub(crate) fn parties(tx: &dyn Tx, person: PersonId, page: Page) -> Result<Vec<KnownParty>> {
    let sql = "SELECT id, kind, name, subject, since, ended FROM party WHERE person = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    tx.all(sql, &[person.0.into(), page.after.into(), page.limit().into()], party_row)
}

pub(crate) fn party(tx: &dyn Tx, person: PersonId, id: PartyId) -> Result<Option<KnownParty>> {
    let sql = "SELECT id, kind, name, subject, since, ended FROM party WHERE person = ?1 AND id = ?2";
    tx.first(sql, &[person.0.into(), id.0.into()], party_row)
}

/// The party that proves to be `subject`.
pub(crate) fn by_subject(tx: &dyn Tx, person: PersonId, kind: PartyKind, subject: &str) -> Result<Option<PartyId>> {
    let sql = "SELECT id FROM party WHERE person = ?1 AND kind = ?2 AND subject = ?3 AND ended IS NULL";
    tx.first(sql, &[person.0.into(), kind.name().into(), subject.into()], |r| Ok(PartyId(r.int(0)?)))
}

/// The party that is called so and has not ended.
pub(crate) fn by_name(tx: &dyn Tx, person: PersonId, kind: PartyKind, name: &str) -> Result<Option<PartyId>> {
    let sql = "SELECT id FROM party WHERE person = ?1 AND kind = ?2 AND name = ?3 AND ended IS NULL";
    tx.first(sql, &[person.0.into(), kind.name().into(), name.into()], |r| Ok(PartyId(r.int(0)?)))
}

fn grant_row(r: &dyn Row) -> Result<Grant> {
    let terms = match (r.opt_text(6)?, r.opt_text(7)?) {
        (Some(url), Some(sha256)) => Some(Terms { url: url.to_owned(), sha256: sha256.to_owned() }),
        _ => None,
    };
    let what = NewGrant {
        party: PartyId(r.int(1)?),
        scope: Scope::parse(r.text(3)?)?,
        abilities: Abilities::parse(r.text(4)?)?,
        purpose: r.text(5)?.to_owned(),
        terms,
        from: r.opt_int(8)?.map(Timestamp),
        until: r.opt_int(9)?.map(Timestamp),
    };
    Ok(Grant { id: r.int(0)?, parent: r.opt_int(2)?, what, made: Timestamp(r.int(10)?), revoked: r.opt_int(11)?.map(Timestamp) })
}

/// The grant of a party that was made last.
pub(crate) fn newest_grant(tx: &dyn Tx, person: PersonId, party: PartyId) -> Result<Option<Grant>> {
    let sql = "SELECT id, party, parent, scope, abilities, purpose, terms, terms_hash, since, until, made, revoked FROM granted
        WHERE person = ?1 AND party = ?2 ORDER BY id DESC LIMIT 1";
    tx.first(sql, &[person.0.into(), party.0.into()], grant_row)
}

/// Grants after a number; all, or those of one party.
pub(crate) fn grants(tx: &dyn Tx, person: PersonId, party: Option<PartyId>, page: Page) -> Result<Vec<Grant>> {
    // One text an index: an engine that must guess from OR guesses wrong.
    let (person, after, limit) = (person.0.into(), page.after.into(), page.limit().into());
    let Some(party) = party else {
        let sql = "SELECT id, party, parent, scope, abilities, purpose, terms, terms_hash, since, until, made, revoked FROM granted
            WHERE person = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        return tx.all(sql, &[person, after, limit], grant_row);
    };
    let sql = "SELECT id, party, parent, scope, abilities, purpose, terms, terms_hash, since, until, made, revoked FROM granted
        WHERE person = ?1 AND party = ?4 AND id > ?2 ORDER BY id LIMIT ?3";
    tx.all(sql, &[person, after, limit, party.0.into()], grant_row)
}

pub(crate) fn grant(tx: &dyn Tx, person: PersonId, id: i64) -> Result<Option<Grant>> {
    let sql = "SELECT id, party, parent, scope, abilities, purpose, terms, terms_hash, since, until, made, revoked FROM granted
        WHERE person = ?1 AND id = ?2";
    tx.first(sql, &[person.0.into(), id.into()], grant_row)
}

/// What a party may do, as the ledger stands: each grant within all its parents.
pub(crate) fn rights(tx: &dyn Tx, person: PersonId, party: PartyId) -> Result<Rights> {
    match party {
        PartyId::OWNER => return Ok(Rights::owner()),
        PartyId::ANYBODY => return Ok(Rights::anybody()),
        _ => {}
    }
    let mut held = Vec::new();
    'grants: for own in grants(tx, person, Some(party), Page::ALL)?.into_iter().filter(|g| g.revoked.is_none()) {
        let Some(mut right) = right(&own) else { continue };
        let mut parent = own.parent;
        for _ in 0..MAX_PARENTS {
            let Some(id) = parent else {
                held.push(right);
                continue 'grants;
            };
            let above = grant(tx, person, id)?.filter(|g| g.revoked.is_none());
            let Some(cut) = above.as_ref().and_then(self::right).and_then(|above| right.within(&above)) else { continue 'grants };
            right = cut;
            parent = above.and_then(|g| g.parent);
        }
    }
    Ok(Rights::new(held))
}

fn right(grant: &Grant) -> Option<Right> {
    let NewGrant { scope, abilities, from, until, .. } = &grant.what;
    grant.revoked.is_none().then(|| Right {
        grant: grant.id,
        scope: scope.path(),
        abilities: *abilities,
        from: from.unwrap_or(Timestamp(i64::MIN)),
        until: until.unwrap_or(Timestamp(i64::MAX)),
    })
}

/// Reads the whole ledger and compares the tables with what it comes to; tells what is wrong.
pub(crate) fn verify(tx: &dyn Tx, person: PersonId, tell: &mut dyn FnMut(String)) -> Result<()> {
    let (mut number, mut previous) = (0, [0; 32]);
    let (mut parties_due, mut grants_due) = (Vec::new(), Vec::new());
    loop {
        let some = entries(tx, person, Page { after: number, limit: 1_000 })?;
        if some.is_empty() {
            break;
        }
        for entry in some {
            if entry.number != number + 1 {
                tell(format!("the ledger lacks number {}", number + 1));
            }
            if entry.hash != LedgerEntry::seal(&previous, entry.number, entry.at, &entry.body) {
                tell(format!("number {} of the ledger is not what was written", entry.number));
            }
            match serde_json::from_str::<Body>(&entry.body) {
                Ok(body) => replay(entry.at, body.event, &mut parties_due, &mut grants_due)?,
                Err(e) => tell(format!("number {} of the ledger can not be read: {e}", entry.number)),
            }
            (number, previous) = (entry.number, entry.hash);
        }
    }
    if parties(tx, person, Page::ALL)? != parties_due {
        tell("the parties are not those that the ledger tells of".into());
    }
    if grants(tx, person, None, Page::ALL)? != grants_due {
        tell("the grants are not those that the ledger tells of".into());
    }
    Ok(())
}

fn replay(at: Timestamp, event: Event, parties: &mut Vec<KnownParty>, grants: &mut Vec<Grant>) -> Result<()> {
    match event {
        Event::Met { party, kind, name, subject } => {
            parties.push(KnownParty { id: PartyId(party), kind: PartyKind::parse(&kind)?, name, subject, since: at, ended: None });
        }
        Event::Parted { party } => parties.iter_mut().filter(|p| p.id.0 == party).for_each(|p| p.ended = Some(at)),
        Event::Granted { grant, party, parent, scope, abilities, purpose, terms, from, until } => {
            let (scope, abilities) = (Scope::parse(&scope)?, Abilities::parse(&abilities)?);
            let what = NewGrant { party: PartyId(party), scope, abilities, purpose, terms, from: from.map(Timestamp), until: until.map(Timestamp) };
            grants.push(Grant { id: grant, parent, what, made: at, revoked: None });
        }
        Event::Revoked { grant } => grants.iter_mut().filter(|g| g.id == grant).for_each(|g| g.revoked = Some(at)),
        Event::Account { .. } => {}
    }
    Ok(())
}
