//! Tokens of apps that were let in, by their hashes: what a credential of the kind "app" is proven with. And the apps, as they
//! describe themselves. What either means `auth` knows.

use super::Host;
use crate::env::Timestamp;
use crate::error::Result;
use crate::party::{PartyId, PersonId};
use crate::store::catalog::{Row, Tx};

/// Apps that describe themselves without anybody having let them in, at a time: the oldest go.
const MOST_CLIENTS: i64 = 10_000;
/// Tokens of one credential: an app that asks for more loses the oldest.
const MOST_TOKENS: i64 = 200;

/// A token that is about to be handed out.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    pub hash: &'a [u8; 32],
    /// What it is good for: "access" or "refresh".
    pub kind: &'a str,
    /// JSON.
    pub body: &'a str,
    pub until: Timestamp,
}

/// A token as it is kept, with whom it proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    pub person: PersonId,
    /// The person's name.
    pub name: String,
    pub party: PartyId,
    pub credential: i64,
    /// What the app is called.
    pub label: String,
    pub kind: String,
    pub body: String,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub spent: Option<Timestamp>,
}

/// An app as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    pub id: String,
    /// JSON (RFC 7591 §2).
    pub document: String,
    /// The hash of its secret, where it can keep one.
    pub secret: Option<[u8; 32]>,
    pub created: Timestamp,
    pub expires: Timestamp,
}

fn token_row(r: &dyn Row) -> Result<TokenRecord> {
    Ok(TokenRecord {
        person: PersonId(r.int(0)?),
        name: r.text(1)?.to_owned(),
        party: PartyId(r.int(2)?),
        credential: r.int(3)?,
        label: r.text(4)?.to_owned(),
        kind: r.text(5)?.to_owned(),
        body: r.text(6)?.to_owned(),
        created: Timestamp(r.int(7)?),
        expires: Timestamp(r.int(8)?),
        spent: r.opt_int(9)?.map(Timestamp),
    })
}

fn add(tx: &dyn Tx, person: PersonId, credential: i64, now: Timestamp, new: &NewToken<'_>) -> Result<()> {
    let sql = "INSERT INTO token (hash, person, credential, kind, body, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (kind, body, until) = (new.kind.into(), new.body.into(), new.until.0.into());
    tx.execute(sql, &[new.hash[..].into(), person.0.into(), credential.into(), kind, body, now.0.into(), until]).map(|_| ())
}

impl Host {
    /// Hands out tokens of a credential that holds; answers whether it does.
    pub fn add_tokens(&self, person: PersonId, credential: i64, new: &[NewToken<'_>]) -> Result<bool> {
        let now = self.env.now();
        self.catalog.writing(|tx| {
            let sql = "SELECT 1 FROM credential WHERE person = ?1 AND id = ?2 AND kind = 'app' AND revoked IS NULL";
            if tx.first(sql, &[person.0.into(), credential.into()], |_| Ok(()))?.is_none() {
                return Ok(false);
            }
            for new in new {
                add(tx, person, credential, now, new)?;
            }
            let sql = "DELETE FROM token WHERE person = ?1 AND credential = ?2
                AND hash NOT IN (SELECT hash FROM token WHERE person = ?1 AND credential = ?2 ORDER BY expires DESC, hash LIMIT ?3)";
            tx.execute(sql, &[person.0.into(), credential.into(), MOST_TOKENS.into()])?;
            Ok(true)
        })
    }

    /// A token of a credential that was not revoked, also one that was spent or whose time is over.
    pub fn token(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>> {
        let sql = "SELECT t.person, p.name, c.party, t.credential, c.name, t.kind, t.body, t.created, t.expires, t.spent FROM token t
            JOIN credential c ON c.person = t.person AND c.id = t.credential AND c.revoked IS NULL
            JOIN person p ON p.person = t.person AND p.removed IS NULL WHERE t.hash = ?1";
        self.catalog.reading(|tx| tx.first(sql, &[hash[..].into()], token_row))
    }

    /// The tokens of a party's that hold.
    pub fn tokens_of(&self, person: PersonId, party: PartyId) -> Result<Vec<TokenRecord>> {
        let sql = "SELECT t.person, p.name, c.party, t.credential, c.name, t.kind, t.body, t.created, t.expires, t.spent FROM token t
            JOIN credential c ON c.person = t.person AND c.id = t.credential AND c.revoked IS NULL
            JOIN person p ON p.person = t.person AND p.removed IS NULL
            WHERE c.person = ?1 AND c.party = ?2 AND t.spent IS NULL AND t.expires > ?3 ORDER BY t.created DESC LIMIT 1000";
        let now = self.env.now().0;
        self.catalog.reading(|tx| tx.all(sql, &[person.0.into(), party.0.into(), now.into()], token_row))
    }

    /// Spends a refresh token; known as spent it stays.
    pub fn spend_token(&self, hash: &[u8; 32]) -> Result<()> {
        let sql = "UPDATE token SET spent = ?2 WHERE hash = ?1 AND spent IS NULL";
        self.catalog.writing(|tx| tx.execute(sql, &[hash[..].into(), self.env.now().0.into()]).map(|_| ()))
    }

    /// Takes back one token.
    pub fn drop_token(&self, hash: &[u8; 32]) -> Result<()> {
        self.catalog.writing(|tx| tx.execute("DELETE FROM token WHERE hash = ?1", &[hash[..].into()]).map(|_| ()))
    }

    /// Ends what an app was let in with, and all tokens of it. [`crate::Access::end_app`] also tells the ledger.
    pub fn end_app(&self, person: PersonId, credential: i64) -> Result<()> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            let sql = "UPDATE credential SET revoked = ?3 WHERE person = ?1 AND id = ?2 AND kind = 'app' AND revoked IS NULL";
            tx.execute(sql, &[person.0.into(), credential.into(), now.into()])?;
            tx.execute("DELETE FROM token WHERE person = ?1 AND credential = ?2", &[person.0.into(), credential.into()]).map(|_| ())
        })
    }

    pub(crate) fn party_of(&self, person: PersonId, credential: i64) -> Result<Option<PartyId>> {
        let sql = "SELECT party FROM credential WHERE person = ?1 AND id = ?2 AND kind = 'app'";
        self.catalog.reading(|tx| tx.first(sql, &[person.0.into(), credential.into()], |r| Ok(PartyId(r.int(0)?))))
    }

    /// Forgets tokens whose time is over.
    pub fn forget_tokens(&self) -> Result<()> {
        // What was spent is known as long as it would have held: whoever comes with it again has stolen it, or was stolen from.
        let now = self.env.now().0;
        let old = self.catalog.reading(|tx| tx.first("SELECT 1 FROM token WHERE expires <= ?1 LIMIT 1", &[now.into()], |_| Ok(())))?;
        if old.is_some() {
            self.catalog.writing(|tx| tx.execute("DELETE FROM token WHERE expires <= ?1", &[now.into()]))?;
        }
        let old = self.catalog.reading(|tx| tx.first("SELECT 1 FROM client WHERE expires <= ?1 LIMIT 1", &[now.into()], |_| Ok(())))?;
        if old.is_some() {
            self.catalog.writing(|tx| tx.execute("DELETE FROM client WHERE expires <= ?1", &[now.into()]))?;
        }
        Ok(())
    }

    /// Keeps an app's description, in place of the one before. Of too many the one that ends first is let go.
    pub fn put_client(&self, client: &ClientRecord) -> Result<()> {
        self.catalog.writing(|tx| {
            let count = tx.first("SELECT COUNT(*) FROM client", &[], |r| r.int(0))?.unwrap_or(0);
            if count >= MOST_CLIENTS {
                tx.execute("DELETE FROM client WHERE id IN (SELECT id FROM client ORDER BY expires, id LIMIT 1)", &[])?;
            }
            let sql = "INSERT INTO client (id, document, secret, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (id) DO UPDATE SET document = excluded.document, secret = excluded.secret, created = excluded.created, expires = excluded.expires";
            let secret = client.secret.as_ref().map(|s| &s[..]);
            tx.execute(sql, &[(&client.id).into(), (&client.document).into(), secret.into(), client.created.0.into(), client.expires.0.into()]).map(|_| ())
        })
    }

    /// An app's description, where its time is not over.
    pub fn client(&self, id: &str) -> Result<Option<ClientRecord>> {
        let sql = "SELECT id, document, secret, created, expires FROM client WHERE id = ?1 AND expires > ?2";
        let row = |r: &dyn Row| {
            let secret = r.opt_blob(2)?.map(super::bytes32).transpose()?;
            let (id, document) = (r.text(0)?.to_owned(), r.text(1)?.to_owned());
            Ok(ClientRecord { id, document, secret, created: Timestamp(r.int(3)?), expires: Timestamp(r.int(4)?) })
        };
        self.catalog.reading(|tx| tx.first(sql, &[id.into(), self.env.now().0.into()], row))
    }

    /// An app was let in: its description stays.
    pub fn keep_client(&self, id: &str, until: Timestamp) -> Result<()> {
        let sql = "UPDATE client SET expires = ?2 WHERE id = ?1 AND expires < ?2";
        self.catalog.writing(|tx| tx.execute(sql, &[id.into(), until.0.into()]).map(|_| ()))
    }
}
