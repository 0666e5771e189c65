//! Tickets: what whoever holds the secret may do, once and for a while: be the first owner, accept an invitation, choose
//! a new password, answer a passkey's challenge. Kept by the hash of the secret.

use super::Host;
use crate::env::Timestamp;
use crate::error::Result;
use crate::party::PersonId;
use crate::store::catalog::Row;

/// Tickets of one kind that wait at a time, so that strangers who ask for challenges do not fill the catalog.
const MOST: i64 = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub hash: [u8; 32],
    pub kind: String,
    /// Whom it concerns, if they are here already.
    pub person: Option<PersonId>,
    /// JSON, by kind.
    pub body: String,
    pub created: Timestamp,
    pub expires: Timestamp,
}

fn ticket_row(r: &dyn Row) -> Result<Ticket> {
    Ok(Ticket {
        hash: super::bytes32(r.blob(0)?)?,
        kind: r.text(1)?.to_owned(),
        person: Some(PersonId(r.int(2)?)).filter(|p| p.0 != 0),
        body: r.text(3)?.to_owned(),
        created: Timestamp(r.int(4)?),
        expires: Timestamp(r.int(5)?),
    })
}

impl Host {
    /// Of too many of a kind the oldest is let go.
    pub fn put_ticket(&self, ticket: &Ticket) -> Result<()> {
        self.catalog.writing(|tx| {
            let count = tx.first("SELECT COUNT(*) FROM ticket WHERE kind = ?1", &[(&ticket.kind).into()], |r| r.int(0))?.unwrap_or(0);
            if count >= MOST {
                let sql = "DELETE FROM ticket WHERE hash IN (SELECT hash FROM ticket WHERE kind = ?1 ORDER BY created, hash LIMIT 1)";
                tx.execute(sql, &[(&ticket.kind).into()])?;
            }
            let sql = "INSERT INTO ticket (hash, kind, person, body, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let person = ticket.person.map_or(0, |p| p.0);
            tx.execute(
                sql,
                &[ticket.hash[..].into(), (&ticket.kind).into(), person.into(), (&ticket.body).into(), ticket.created.0.into(), ticket.expires.0.into()],
            )?;
            Ok(())
        })
    }

    /// A ticket that holds; a clock before its beginning is a wrong one, and opens nothing.
    pub fn ticket(&self, hash: &[u8; 32], kind: &str) -> Result<Option<Ticket>> {
        let now = self.env.now();
        let sql = "SELECT hash, kind, person, body, created, expires FROM ticket WHERE hash = ?1 AND kind = ?2";
        let found = self.catalog.reading(|tx| tx.first(sql, &[hash[..].into(), kind.into()], ticket_row))?;
        Ok(found.filter(|t| t.created.plus(-Timestamp::HOUR) <= now && now < t.expires))
    }

    /// Spends a ticket; of several who try at once, one has it.
    pub fn take_ticket(&self, hash: &[u8; 32], kind: &str) -> Result<Option<Ticket>> {
        let Some(ticket) = self.ticket(hash, kind)? else { return Ok(None) };
        let taken = self.catalog.writing(|tx| tx.execute("DELETE FROM ticket WHERE hash = ?1", &[hash[..].into()]))?;
        Ok((taken == 1).then_some(ticket))
    }

    /// Makes a ticket one of another kind, which may hold longer; of several who try at once, one has it. What it was made for is
    /// known to have been done, when somebody comes with it again.
    pub fn turn_ticket(&self, hash: &[u8; 32], kind: &str, into: &str, until: Timestamp) -> Result<Option<Ticket>> {
        let Some(ticket) = self.ticket(hash, kind)? else { return Ok(None) };
        let sql = "UPDATE ticket SET kind = ?3, expires = ?4 WHERE hash = ?1 AND kind = ?2";
        let turned = self.catalog.writing(|tx| tx.execute(sql, &[hash[..].into(), kind.into(), into.into(), until.0.into()]))?;
        Ok((turned == 1).then_some(ticket))
    }

    /// Writes anew what a ticket is for, unless that changed meanwhile; answers whether it did not.
    pub fn change_ticket(&self, before: &Ticket, body: &str) -> Result<bool> {
        let sql = "UPDATE ticket SET body = ?3 WHERE hash = ?1 AND kind = ?2 AND body = ?4";
        let params = [before.hash[..].into(), (&before.kind).into(), body.into(), (&before.body).into()];
        self.catalog.writing(|tx| Ok(tx.execute(sql, &params)? == 1))
    }

    /// Those of a kind that hold, the newest first.
    pub fn tickets(&self, kind: &str) -> Result<Vec<Ticket>> {
        let sql = "SELECT hash, kind, person, body, created, expires FROM ticket WHERE kind = ?1 AND expires > ?2 ORDER BY created DESC LIMIT 1000";
        self.catalog.reading(|tx| tx.all(sql, &[kind.into(), self.env.now().0.into()], ticket_row))
    }

    /// Ends all tickets of a kind that concern a person; nobody: those that concern nobody who is here.
    pub fn drop_tickets(&self, kind: &str, person: Option<PersonId>) -> Result<()> {
        let person = person.map_or(0, |p| p.0);
        self.catalog.writing(|tx| tx.execute("DELETE FROM ticket WHERE kind = ?1 AND person = ?2", &[kind.into(), person.into()]).map(|_| ()))
    }

    /// Forgets tickets whose time is over.
    pub fn forget_tickets(&self) -> Result<()> {
        let now = self.env.now().0;
        let old = self.catalog.reading(|tx| tx.first("SELECT 1 FROM ticket WHERE expires <= ?1 LIMIT 1", &[now.into()], |_| Ok(())))?;
        if old.is_none() {
            return Ok(());
        }
        self.catalog.writing(|tx| tx.execute("DELETE FROM ticket WHERE expires <= ?1", &[now.into()]).map(|_| ()))
    }
}
