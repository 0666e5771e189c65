//! Credentials: how parties prove who they are, each by the hash of its secret. What a party may do is in its person's ledger.

use super::Host;
use crate::env::Timestamp;
use crate::error::Result;
use crate::ledger::Page;
use crate::party::{Party, PartyId, PersonId};
use crate::store::catalog::{Row, Tx};

/// What a credential is, and so which doors take it (T35). Sessions have more to them, and a file of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// Of a device of the person's own.
    AppPassword,
    /// Of whoever holds it.
    Link,
    /// Of a browser in which a link's password was right.
    LinkVisit,
    /// Of an app that was let in; tokens prove it.
    App,
}

impl CredentialKind {
    fn name(self) -> &'static str {
        match self {
            CredentialKind::AppPassword => "app-password",
            CredentialKind::Link => "link",
            CredentialKind::LinkVisit => "link-visit",
            CredentialKind::App => "app",
        }
    }
}

/// A credential that is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewCredential<'a> {
    pub kind: CredentialKind,
    pub party: PartyId,
    pub name: &'a str,
    /// Of the secret.
    pub hash: &'a [u8; 32],
    /// The PHC string of a password that is asked for beside.
    pub phrase: Option<&'a str>,
    pub expires: Option<Timestamp>,
}

/// A way in which a party proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub id: i64,
    pub party: PartyId,
    pub name: String,
    pub created: Timestamp,
    pub used: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
    /// A password is asked for beside.
    pub has_phrase: bool,
}

/// Whom a credential proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub party: Party,
    /// The name of the person whose party it is.
    pub person: String,
    /// It has done so before.
    pub before: bool,
    /// Of the password that must be right too.
    pub phrase: Option<String>,
}

fn row(r: &dyn Row) -> Result<Credential> {
    Ok(Credential {
        id: r.int(0)?,
        party: PartyId(r.int(1)?),
        name: r.text(2)?.to_owned(),
        created: Timestamp(r.int(3)?),
        used: r.opt_int(4)?.map(Timestamp),
        revoked: r.opt_int(5)?.map(Timestamp),
        has_phrase: r.opt_text(6)?.is_some(),
    })
}

/// The number that a person's next credential has.
pub(super) fn next(tx: &dyn Tx, person: PersonId) -> Result<i64> {
    let newest = "SELECT COALESCE(MAX(id), 0) + 1 FROM credential WHERE person = ?1";
    Ok(tx.first(newest, &[person.0.into()], |r| r.int(0))?.unwrap_or(1))
}

impl Host {
    /// Answers the credential's number.
    pub(crate) fn add_credential(&self, person: PersonId, new: &NewCredential<'_>) -> Result<i64> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            let id = next(tx, person)?;
            let sql = "INSERT INTO credential (person, id, party, kind, name, hash, created, expires, phrase) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            let (kind, expires) = (new.kind.name().into(), new.expires.map(|t| t.0).into());
            tx.execute(
                sql,
                &[person.0.into(), id.into(), new.party.0.into(), kind, new.name.into(), new.hash[..].into(), now.into(), expires, new.phrase.into()],
            )?;
            Ok(id)
        })
    }

    /// Adds a credential, where another one of the person's holds and asks for this very password beside; answers whether.
    pub(crate) fn add_beside(&self, person: PersonId, other: i64, phrase: &str, new: &NewCredential<'_>) -> Result<bool> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            // First, so that whoever changes the password now comes before all of this, or after.
            let sql = "UPDATE credential SET phrase = phrase WHERE person = ?1 AND id = ?2 AND phrase = ?3 AND revoked IS NULL";
            if tx.execute(sql, &[person.0.into(), other.into(), phrase.into()])? == 0 {
                return Ok(false);
            }
            let id = next(tx, person)?;
            let sql = "INSERT INTO credential (person, id, party, kind, name, hash, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let (kind, expires) = (new.kind.name().into(), new.expires.map(|t| t.0).into());
            tx.execute(sql, &[person.0.into(), id.into(), new.party.0.into(), kind, new.name.into(), new.hash[..].into(), now.into(), expires])?;
            Ok(true)
        })
    }

    /// A person's credentials of a kind, those that were revoked too.
    pub fn credentials(&self, person: PersonId, kind: CredentialKind, page: Page) -> Result<Vec<Credential>> {
        let sql = "SELECT id, party, name, created, used, revoked, phrase FROM credential
            WHERE person = ?1 AND kind = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
        self.catalog.reading(|tx| tx.all(sql, &[person.0.into(), kind.name().into(), page.after.into(), page.limit().into()], row))
    }

    pub(crate) fn credential(&self, person: PersonId, kind: CredentialKind, id: i64) -> Result<Option<Credential>> {
        let sql = "SELECT id, party, name, created, used, revoked, phrase FROM credential WHERE person = ?1 AND kind = ?2 AND id = ?3";
        self.catalog.reading(|tx| tx.first(sql, &[person.0.into(), kind.name().into(), id.into()], row))
    }

    /// Another password beside a credential's secret, or none.
    pub(crate) fn set_phrase(&self, person: PersonId, id: i64, phrase: Option<&str>) -> Result<()> {
        let sql = "UPDATE credential SET phrase = ?3 WHERE person = ?1 AND id = ?2";
        self.catalog.writing(|tx| tx.execute(sql, &[person.0.into(), id.into(), phrase.into()]).map(|_| ()))
    }

    /// Answers whose it was, if there was one to revoke.
    pub(crate) fn revoke_credential(&self, person: PersonId, kind: CredentialKind, id: i64) -> Result<Option<PartyId>> {
        let (now, kind) = (self.env.now().0, kind.name());
        self.catalog.writing(|tx| {
            let sql = "SELECT party FROM credential WHERE person = ?1 AND id = ?2 AND kind = ?3 AND revoked IS NULL";
            let party = tx.first(sql, &[person.0.into(), id.into(), kind.into()], |r| r.int(0))?;
            let sql = "UPDATE credential SET revoked = ?3 WHERE person = ?1 AND id = ?2 AND kind = ?4 AND revoked IS NULL";
            tx.execute(sql, &[person.0.into(), id.into(), now.into(), kind.into()])?;
            Ok(party.map(PartyId))
        })
    }

    /// Ends all credentials of a party, or all of one kind.
    pub(crate) fn revoke_credentials(&self, person: PersonId, party: PartyId, kind: Option<CredentialKind>) -> Result<()> {
        let now = self.env.now().0;
        let sql = "UPDATE credential SET revoked = ?3 WHERE person = ?1 AND party = ?2 AND revoked IS NULL AND (?4 = '' OR kind = ?4)";
        let kind = kind.map_or("", CredentialKind::name);
        self.catalog.writing(|tx| tx.execute(sql, &[person.0.into(), party.0.into(), now.into(), kind.into()]).map(|_| ()))
    }

    /// Ends the oldest credential of a kind, where a party has `most`.
    pub(crate) fn end_oldest(&self, person: PersonId, party: PartyId, kind: CredentialKind, most: i64) -> Result<()> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            let sql = "SELECT COUNT(*), MIN(id) FROM credential
                WHERE person = ?1 AND party = ?2 AND kind = ?3 AND revoked IS NULL AND (expires IS NULL OR expires > ?4)";
            let held = tx.first(sql, &[person.0.into(), party.0.into(), kind.name().into(), now.into()], |r| Ok((r.int(0)?, r.opt_int(1)?)))?;
            if let Some((count, Some(oldest))) = held
                && count >= most
            {
                let sql = "UPDATE credential SET revoked = ?3 WHERE person = ?1 AND id = ?2";
                tx.execute(sql, &[person.0.into(), oldest.into(), now.into()])?;
            }
            Ok(())
        })
    }

    pub(crate) fn has_credentials(&self, person: PersonId, party: PartyId) -> Result<bool> {
        let sql = "SELECT 1 FROM credential WHERE person = ?1 AND party = ?2 AND revoked IS NULL LIMIT 1";
        self.catalog.reading(|tx| Ok(tx.first(sql, &[person.0.into(), party.0.into()], |_| Ok(()))?.is_some()))
    }

    /// Whether a credential that was proven a while ago still holds.
    pub(crate) fn still_holds(&self, person: PersonId, credential: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM credential c JOIN person p ON p.person = c.person AND p.removed IS NULL
            WHERE c.person = ?1 AND c.id = ?2 AND c.revoked IS NULL AND (c.expires IS NULL OR c.expires > ?3)";
        let now = self.env.now().0;
        self.catalog.reading(|tx| Ok(tx.first(sql, &[person.0.into(), credential.into(), now.into()], |_| Ok(()))?.is_some()))
    }

    /// What a secret with this hash proves, as a credential of this kind.
    pub fn proof(&self, kind: CredentialKind, hash: &[u8; 32]) -> Result<Option<Proof>> {
        let sql = "SELECT c.person, c.id, c.party, c.name, p.name, c.used, c.phrase FROM credential c
            JOIN person p ON p.person = c.person AND p.removed IS NULL
            WHERE c.hash = ?1 AND c.kind = ?2 AND c.revoked IS NULL AND (c.expires IS NULL OR c.expires > ?3)";
        let now = self.env.now().0;
        self.catalog.reading(|tx| {
            tx.first(sql, &[hash[..].into(), kind.name().into(), now.into()], |r| {
                let party = Party { person: PersonId(r.int(0)?), id: PartyId(r.int(2)?), credential: r.int(1)?, label: r.text(3)?.to_owned(), limits: None };
                let phrase = r.opt_text(6)?.map(str::to_owned);
                Ok(Proof { party, person: r.text(4)?.to_owned(), before: r.opt_int(5)?.is_some(), phrase })
            })
        })
    }

    /// Records when credentials were last used; kept in memory by `auth` between calls.
    pub fn note_uses(&self, uses: &[(PersonId, i64, Timestamp)]) -> Result<()> {
        self.catalog.writing(|tx| {
            for (person, id, at) in uses {
                let sql = "UPDATE credential SET used = ?3 WHERE person = ?1 AND id = ?2";
                tx.execute(sql, &[person.0.into(), (*id).into(), at.0.into()])?;
            }
            Ok(())
        })
    }
}
