//! Sessions: credentials of the person themself, which a browser keeps in a cookie; here by the hash of its token.

use super::Host;
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::party::{PartyId, PersonId};
use crate::store::catalog::{Row, Tx};

/// A session ends when it was not used for so long, whatever end it was given.
const IDLE: i64 = 30 * Timestamp::DAY;
/// Sessions of one person; one more ends the oldest. Those that await a second factor end only each other: whoever knows the
/// password alone ends no others.
const MOST: i64 = 100;
const MOST_AWAITING: i64 = 10;
/// How long ended sessions stay on record.
const KEPT: i64 = 90 * Timestamp::DAY;

/// What a session begins with.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    pub person: PersonId,
    /// Of the token.
    pub hash: &'a [u8; 32],
    /// [`super::Proofs::changes`] as it was when the person was proven.
    pub changes: i64,
    /// The second factor is due: it opens nothing yet.
    pub awaits: bool,
    pub until: Timestamp,
    pub address: &'a str,
    /// What the browser calls itself.
    pub agent: &'a str,
}

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The credential's number.
    pub id: i64,
    pub person: PersonId,
    pub name: String,
    /// The person may invite others and look after their accounts.
    pub admin: bool,
    pub awaits: bool,
    /// When the person last proved all that is asked of them.
    pub proven: Timestamp,
    pub created: Timestamp,
    pub used: Timestamp,
    pub until: Timestamp,
    pub address: String,
    pub agent: String,
}

impl SessionRecord {
    /// A clock that jumped, either way, ends sessions rather than prolonging them (D12).
    fn holds(&self, now: Timestamp) -> bool {
        now < self.until && now.0 < self.used.0.saturating_add(IDLE) && now.0 >= self.created.0.saturating_sub(Timestamp::HOUR)
    }
}

fn session_row(r: &dyn Row) -> Result<SessionRecord> {
    let created = Timestamp(r.int(6)?);
    Ok(SessionRecord {
        id: r.int(0)?,
        person: PersonId(r.int(1)?),
        name: r.text(2)?.to_owned(),
        admin: r.int(3)? == 1,
        awaits: r.int(4)? == 1,
        proven: Timestamp(r.int(5)?),
        created,
        used: r.opt_int(7)?.map_or(created, Timestamp),
        until: Timestamp(r.int(8)?),
        address: r.text(9)?.to_owned(),
        agent: r.text(10)?.to_owned(),
    })
}

impl Host {
    /// Answers the session's number.
    ///
    /// # Errors
    /// [`Error::Again`] where what the person proved themself with was changed meanwhile.
    pub fn open_session(&self, new: &NewSession<'_>) -> Result<i64> {
        let now = self.env.now();
        self.catalog.writing(|tx| {
            let changes = tx.first("SELECT proofs FROM person WHERE person = ?1 AND removed IS NULL", &[new.person.0.into()], |r| r.int(0))?;
            if changes != Some(new.changes) {
                return Err(Error::Again("what you sign in with was changed a moment ago"));
            }
            let sql = "SELECT COUNT(*), MIN(c.id) FROM credential c JOIN session s ON s.person = c.person AND s.credential = c.id
                WHERE c.person = ?1 AND c.kind = 'session' AND c.revoked IS NULL AND c.expires > ?2 AND s.awaits = ?3";
            let open = tx.first(sql, &[new.person.0.into(), now.0.into(), i64::from(new.awaits).into()], |r| Ok((r.int(0)?, r.opt_int(1)?)))?;
            if let Some((count, Some(oldest))) = open
                && count >= if new.awaits { MOST_AWAITING } else { MOST }
            {
                end(tx, new.person, oldest, now)?;
            }
            let id = super::credential::next(tx, new.person)?;
            let sql = "INSERT INTO credential (person, id, party, kind, name, hash, created, expires) VALUES (?1, ?2, ?3, 'session', 'web', ?4, ?5, ?6)";
            let party = PartyId::OWNER.0;
            tx.execute(sql, &[new.person.0.into(), id.into(), party.into(), new.hash[..].into(), now.0.into(), new.until.0.into()])?;
            let sql = "INSERT INTO session (person, credential, awaits, proven, address, agent) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let (awaits, agent) = (i64::from(new.awaits), new.agent);
            tx.execute(sql, &[new.person.0.into(), id.into(), awaits.into(), now.0.into(), new.address.into(), agent.into()])?;
            Ok(id)
        })
    }

    /// The session whose token has this hash, if it holds.
    pub fn session(&self, hash: &[u8; 32]) -> Result<Option<SessionRecord>> {
        let sql = "SELECT c.id, c.person, p.name, p.admin, s.awaits, s.proven, c.created, c.used, c.expires, s.address, s.agent FROM credential c
            JOIN session s ON s.person = c.person AND s.credential = c.id JOIN person p ON p.person = c.person AND p.removed IS NULL
            WHERE c.hash = ?1 AND c.kind = 'session' AND c.revoked IS NULL";
        let found = self.catalog.reading(|tx| tx.first(sql, &[hash[..].into()], session_row))?;
        Ok(found.filter(|session| session.holds(self.env.now())))
    }

    /// A person's sessions that hold, the newest first.
    pub(crate) fn sessions(&self, person: PersonId) -> Result<Vec<SessionRecord>> {
        let sql = "SELECT c.id, c.person, p.name, p.admin, s.awaits, s.proven, c.created, c.used, c.expires, s.address, s.agent FROM credential c
            JOIN session s ON s.person = c.person AND s.credential = c.id JOIN person p ON p.person = c.person AND p.removed IS NULL
            WHERE c.person = ?1 AND c.kind = 'session' AND c.revoked IS NULL ORDER BY c.id DESC";
        let all = self.catalog.reading(|tx| tx.all(sql, &[person.0.into()], session_row))?;
        Ok(all.into_iter().filter(|session| session.holds(self.env.now())).collect())
    }

    /// The person has proven all that is asked of them: the session is open, under a new token, so that whoever knew the old
    /// one has nothing (T30), for `longest` milliseconds since it began. Answers whether there was one to renew.
    pub fn renew_session(&self, person: PersonId, id: i64, hash: &[u8; 32], longest: i64) -> Result<bool> {
        let now = self.env.now();
        self.catalog.writing(|tx| {
            let sql = "UPDATE credential SET hash = ?3, expires = created + ?4 WHERE person = ?1 AND id = ?2 AND kind = 'session' AND revoked IS NULL";
            let there = tx.execute(sql, &[person.0.into(), id.into(), hash[..].into(), longest.into()])? == 1;
            let sql = "UPDATE session SET awaits = 0, proven = ?3 WHERE person = ?1 AND credential = ?2";
            tx.execute(sql, &[person.0.into(), id.into(), now.0.into()])?;
            Ok(there)
        })
    }

    /// Answers whether there was one to end.
    pub fn end_session(&self, person: PersonId, id: i64) -> Result<bool> {
        let now = self.env.now();
        self.catalog.writing(|tx| end(tx, person, id, now))
    }

    /// Ends all sessions of a person but one, and forgets the browsers they signed in with.
    pub(crate) fn end_sessions(&self, person: PersonId, but: i64) -> Result<()> {
        let now = self.env.now();
        self.catalog.writing(|tx| end_others(tx, person, but, now))
    }

    /// Forgets sessions and visits of links that ended long ago, and sessions whose second factor never came. The newest credential stays, so that no
    /// number is given twice.
    pub fn forget_sessions(&self) -> Result<()> {
        let now = self.env.now();
        let old = "SELECT c.person, c.id FROM credential c LEFT JOIN session s ON s.person = c.person AND s.credential = c.id
            WHERE c.kind IN ('session', 'link-visit') AND (c.expires < ?1 OR c.revoked < ?1 OR s.awaits = 1 AND c.expires < ?2)
            AND c.id < (SELECT MAX(n.id) FROM credential n WHERE n.person = c.person) LIMIT 1000";
        let old = self.catalog.reading(|tx| tx.all(old, &[now.plus(-KEPT).0.into(), now.0.into()], |r| Ok((r.int(0)?, r.int(1)?))))?;
        if old.is_empty() {
            return Ok(());
        }
        self.catalog.writing(|tx| {
            for (person, id) in &old {
                tx.execute("DELETE FROM session WHERE person = ?1 AND credential = ?2", &[(*person).into(), (*id).into()])?;
                tx.execute("DELETE FROM credential WHERE person = ?1 AND id = ?2", &[(*person).into(), (*id).into()])?;
            }
            Ok(())
        })
    }
}

/// Ends all sessions of a person but one, and forgets the browsers they signed in with, whose tries have counts of their own.
pub(super) fn end_others(tx: &dyn Tx, person: PersonId, but: i64, now: Timestamp) -> Result<()> {
    let sql = "UPDATE credential SET revoked = ?3 WHERE person = ?1 AND kind = 'session' AND id <> ?2 AND revoked IS NULL";
    tx.execute(sql, &[person.0.into(), but.into(), now.0.into()])?;
    tx.execute("DELETE FROM known_device WHERE person = ?1", &[person.0.into()]).map(|_| ())
}

fn end(tx: &dyn Tx, person: PersonId, id: i64, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE credential SET revoked = ?3 WHERE person = ?1 AND id = ?2 AND kind = 'session' AND revoked IS NULL";
    Ok(tx.execute(sql, &[person.0.into(), id.into(), now.0.into()])? == 1)
}
