//! What people prove themselves with: passwords, passkeys, codes of an authenticator app, recovery codes; and the browsers
//! they did it with. `auth` says what is right; here is what it compares with, and what may be used once.

use super::session::end_others;
use super::{Host, person_row};
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::party::PersonId;
use crate::store::catalog::{Row, Tx};

/// Passkeys of one person.
const MOST_PASSKEYS: i64 = 50;

/// What is asked of a person who signs in by name.
#[derive(Clone, Debug)]
pub struct Proofs {
    pub person: PersonId,
    /// PHC string.
    pub password: Option<String>,
    /// The secret of the authenticator app, once its first code was right.
    pub totp: Option<Vec<u8>>,
    pub passkeys: i64,
    /// How often any of it was changed or taken away: a session that was proven before such a change does not open after it.
    pub changes: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRecord {
    pub id: i64,
    pub person: PersonId,
    pub handle: Vec<u8>,
    pub name: String,
    /// JSON: public key and counter.
    pub record: String,
    pub created: Timestamp,
    pub used: Option<Timestamp>,
}

fn passkey_row(r: &dyn Row) -> Result<PasskeyRecord> {
    Ok(PasskeyRecord {
        id: r.int(0)?,
        person: PersonId(r.int(1)?),
        handle: r.blob(2)?.to_vec(),
        name: r.text(3)?.to_owned(),
        record: r.text(4)?.to_owned(),
        created: Timestamp(r.int(5)?),
        used: r.opt_int(6)?.map(Timestamp),
    })
}

/// What a person's secret of the authenticator app is bound to.
fn totp_name(person: PersonId) -> String {
    format!("totp {}", person.0)
}

impl Host {
    /// What the person of this name has to prove. The same work where there is none.
    pub fn proofs(&self, name: &str) -> Result<Option<Proofs>> {
        let sql = "SELECT p.person, p.password, t.secret, (SELECT COUNT(*) FROM passkey k WHERE k.person = p.person), p.proofs FROM person p
            LEFT JOIN totp t ON t.person = p.person AND t.proven IS NOT NULL WHERE p.name = ?1 AND p.removed IS NULL";
        self.catalog.reading(|tx| {
            tx.first(sql, &[name.into()], |r| {
                let person = PersonId(r.int(0)?);
                let (password, totp) = (r.opt_text(1)?.map(str::to_owned), r.opt_blob(2)?.map(<[u8]>::to_vec));
                let totp = totp.map(|kept| self.open_secret(&totp_name(person), kept)).transpose()?;
                Ok(Proofs { person, password, totp, passkeys: r.int(3)?, changes: r.int(4)? })
            })
        })
    }

    /// Whose user handle this is (their uid).
    pub fn person_by_uid(&self, uid: &[u8; 16]) -> Result<Option<super::Person>> {
        let sql = "SELECT person, uid, name, created, admin FROM person WHERE uid = ?1 AND removed IS NULL";
        self.catalog.reading(|tx| tx.first(sql, &[uid[..].into()], person_row))
    }

    pub fn is_admin(&self, person: PersonId) -> Result<bool> {
        let sql = "SELECT admin FROM person WHERE person = ?1 AND removed IS NULL";
        Ok(self.catalog.reading(|tx| tx.first(sql, &[person.0.into()], |r| r.int(0)))? == Some(1))
    }

    /// # Errors
    /// [`Error::Forbidden`] where nobody would be left to look after the others.
    pub fn set_admin(&self, person: PersonId, admin: bool) -> Result<()> {
        self.catalog.writing(|tx| {
            let others = "SELECT COUNT(*) FROM person WHERE admin = 1 AND removed IS NULL AND person <> ?1";
            if !admin && tx.first(others, &[person.0.into()], |r| r.int(0))?.unwrap_or(0) == 0 {
                return Err(Error::Forbidden("this is the only admin here; make somebody else one first"));
            }
            let sql = "UPDATE person SET admin = ?2 WHERE person = ?1 AND removed IS NULL";
            tx.execute(sql, &[person.0.into(), i64::from(admin).into()]).map(|_| ())
        })
    }

    /// By the authenticator's name for it.
    /// With it [`Proofs::changes`] of whose it is.
    pub fn passkey(&self, handle: &[u8]) -> Result<Option<(PasskeyRecord, i64)>> {
        let sql = "SELECT k.id, k.person, k.handle, k.name, k.record, k.created, k.used, p.proofs FROM passkey k
            JOIN person p ON p.person = k.person AND p.removed IS NULL WHERE k.handle = ?1";
        self.catalog.reading(|tx| tx.first(sql, &[handle.into()], |r| Ok((passkey_row(r)?, r.int(7)?))))
    }

    pub(crate) fn passkeys(&self, person: PersonId) -> Result<Vec<PasskeyRecord>> {
        let sql = "SELECT id, person, handle, name, record, created, used FROM passkey WHERE person = ?1 ORDER BY id";
        self.catalog.reading(|tx| tx.all(sql, &[person.0.into()], passkey_row))
    }

    /// A passkey was used: its counter may have changed.
    pub fn note_passkey(&self, person: PersonId, id: i64, record: &str) -> Result<()> {
        let sql = "UPDATE passkey SET record = ?3, used = ?4 WHERE person = ?1 AND id = ?2";
        let now = self.env.now().0;
        self.catalog.writing(|tx| tx.execute(sql, &[person.0.into(), id.into(), record.into(), now.into()]).map(|_| ()))
    }

    pub(crate) fn add_passkey(&self, person: PersonId, name: &str, handle: &[u8], record: &str) -> Result<i64> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            if tx.first("SELECT 1 FROM passkey WHERE handle = ?1", &[handle.into()], |_| Ok(()))?.is_some() {
                return Err(Error::Invalid("this passkey is registered already".into()));
            }
            let count = tx.first("SELECT COUNT(*) FROM passkey WHERE person = ?1", &[person.0.into()], |r| r.int(0))?;
            if count.unwrap_or(0) >= MOST_PASSKEYS {
                return Err(Error::Limit("50 passkeys; remove one"));
            }
            // The ledger tells of passkeys by their numbers, also of those that are gone.
            tx.execute("UPDATE person SET passkey = passkey + 1 WHERE person = ?1", &[person.0.into()])?;
            let id = tx.first("SELECT passkey FROM person WHERE person = ?1", &[person.0.into()], |r| r.int(0))?.unwrap_or(1);
            let sql = "INSERT INTO passkey (person, id, handle, name, record, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            tx.execute(sql, &[person.0.into(), id.into(), handle.into(), name.into(), record.into(), now.into()])?;
            Ok(id)
        })
    }

    /// Ends all sessions but one with it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] where the person could not sign in any more.
    pub(crate) fn remove_passkey(&self, person: PersonId, id: i64, but: i64) -> Result<bool> {
        let now = self.env.now();
        self.catalog.writing(|tx| {
            let there = tx.execute("DELETE FROM passkey WHERE person = ?1 AND id = ?2", &[person.0.into(), id.into()])? == 1;
            let left = "SELECT 1 FROM person p WHERE p.person = ?1 AND (p.password IS NOT NULL OR EXISTS (SELECT 1 FROM passkey k WHERE k.person = p.person))";
            if tx.first(left, &[person.0.into()], |_| Ok(()))?.is_none() {
                return Err(Error::Forbidden("this is all you can sign in with; set a password or add another passkey first"));
            }
            changed(tx, person, but, now)?;
            Ok(there)
        })
    }

    /// The secret of an authenticator app, and whether its first code was right already.
    pub(crate) fn totp(&self, person: PersonId) -> Result<Option<(Vec<u8>, bool)>> {
        let sql = "SELECT secret, proven FROM totp WHERE person = ?1";
        let kept = self.catalog.reading(|tx| tx.first(sql, &[person.0.into()], |r| Ok((r.blob(0)?.to_vec(), r.opt_int(1)?.is_some()))))?;
        kept.map(|(kept, proven)| Ok((self.open_secret(&totp_name(person), kept)?, proven))).transpose()
    }

    pub(crate) fn set_totp(&self, person: PersonId, secret: &[u8]) -> Result<()> {
        let kept = self.seal_secret(&totp_name(person), secret);
        self.catalog.writing(|tx| {
            tx.execute("DELETE FROM totp WHERE person = ?1", &[person.0.into()])?;
            tx.execute("INSERT INTO totp (person, secret, step) VALUES (?1, ?2, 0)", &[person.0.into(), kept[..].into()]).map(|_| ())
        })
    }

    /// Ends all sessions but one with it.
    pub(crate) fn remove_totp(&self, person: PersonId, but: i64) -> Result<bool> {
        let now = self.env.now();
        self.catalog.writing(|tx| {
            let there = tx.execute("DELETE FROM totp WHERE person = ?1", &[person.0.into()])? == 1;
            changed(tx, person, but, now)?;
            Ok(there)
        })
    }

    /// Sets the password, a PHC string, and ends all sessions but one; with `remove_factors` passkeys, authenticator app and
    /// recovery codes go with it.
    pub(crate) fn change_password(&self, person: PersonId, hash: &str, remove_factors: bool, but: i64) -> Result<()> {
        let now = self.env.now();
        self.catalog.writing(|tx| {
            let factors = ["DELETE FROM passkey WHERE person = ?1", "DELETE FROM totp WHERE person = ?1", "DELETE FROM recovery_code WHERE person = ?1"];
            for sql in factors.into_iter().filter(|_| remove_factors) {
                tx.execute(sql, &[person.0.into()])?;
            }
            tx.execute("UPDATE person SET password = ?2 WHERE person = ?1", &[person.0.into(), hash.into()])?;
            changed(tx, person, but, now)
        })
    }

    /// Uses a step's code; false where it or a later one was used before (T34).
    pub fn spend_totp(&self, person: PersonId, step: i64) -> Result<bool> {
        let now = self.env.now().0;
        let sql = "UPDATE totp SET step = ?2, proven = COALESCE(proven, ?3) WHERE person = ?1 AND step < ?2";
        self.catalog.writing(|tx| Ok(tx.execute(sql, &[person.0.into(), step.into(), now.into()])? == 1))
    }

    /// Uses a recovery code; false where there is none like it, or it was used.
    pub fn spend_recovery_code(&self, person: PersonId, hash: &[u8; 32]) -> Result<bool> {
        let now = self.env.now().0;
        let sql = "UPDATE recovery_code SET used = ?3 WHERE person = ?1 AND hash = ?2 AND used IS NULL";
        self.catalog.writing(|tx| Ok(tx.execute(sql, &[person.0.into(), hash[..].into(), now.into()])? == 1))
    }

    pub(crate) fn set_recovery_codes(&self, person: PersonId, hashes: &[[u8; 32]]) -> Result<()> {
        self.catalog.writing(|tx| {
            tx.execute("DELETE FROM recovery_code WHERE person = ?1", &[person.0.into()])?;
            for hash in hashes {
                tx.execute("INSERT INTO recovery_code (person, hash) VALUES (?1, ?2)", &[person.0.into(), hash[..].into()])?;
            }
            Ok(())
        })
    }

    pub(crate) fn recovery_codes_left(&self, person: PersonId) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM recovery_code WHERE person = ?1 AND used IS NULL";
        Ok(self.catalog.reading(|tx| tx.first(sql, &[person.0.into()], |r| r.int(0)))?.unwrap_or(0))
    }

    /// Whether a browser is one that the person of this name signed in with.
    pub fn knows_device(&self, hash: &[u8; 32], name: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM known_device d JOIN person p ON p.person = d.person AND p.removed IS NULL WHERE d.hash = ?1 AND p.name = ?2";
        Ok(self.catalog.reading(|tx| tx.first(sql, &[hash[..].into(), name.into()], |_| Ok(())))?.is_some())
    }

    /// Of more than twenty the one that was used longest ago is forgotten.
    pub fn note_device(&self, hash: &[u8; 32], person: PersonId) -> Result<()> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            let sql = "INSERT INTO known_device (hash, person, used) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO UPDATE SET used = excluded.used";
            tx.execute(sql, &[hash[..].into(), person.0.into(), now.into()])?;
            let sql = "DELETE FROM known_device WHERE person = ?1
                AND hash NOT IN (SELECT hash FROM known_device WHERE person = ?1 ORDER BY used DESC, hash LIMIT 20)";
            tx.execute(sql, &[person.0.into()]).map(|_| ())
        })
    }

    /// Of before there was a second factor: each of them has tries at it of its own.
    pub(crate) fn forget_devices(&self, person: PersonId) -> Result<()> {
        self.catalog.writing(|tx| tx.execute("DELETE FROM known_device WHERE person = ?1", &[person.0.into()]).map(|_| ()))
    }
}

/// What the person proves themself with is another from now on: who was proven before, and has no session yet, gets none; and all
/// sessions but one end (T30).
fn changed(tx: &dyn Tx, person: PersonId, but: i64, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE person SET proofs = proofs + 1 WHERE person = ?1", &[person.0.into()])?;
    end_others(tx, person, but, now)
}

/// Forgets all that a person proved themself with.
pub(super) fn remove(tx: &dyn Tx, person: PersonId) -> Result<()> {
    for sql in [
        "DELETE FROM credential WHERE person = ?1",
        "DELETE FROM session WHERE person = ?1",
        "DELETE FROM passkey WHERE person = ?1",
        "DELETE FROM totp WHERE person = ?1",
        "DELETE FROM recovery_code WHERE person = ?1",
        "DELETE FROM known_device WHERE person = ?1",
        "DELETE FROM ticket WHERE person = ?1",
        "DELETE FROM token WHERE person = ?1",
    ] {
        tx.execute(sql, &[person.0.into()])?;
    }
    Ok(())
}
