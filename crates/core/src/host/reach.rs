//! Who of this host has to do with whom of it: what each proves to be to the others, and where to look for what they share.

use super::{Host, Person, person_row, uid};
use crate::error::{Error, Result};
use crate::party::PersonId;

impl Host {
    /// What a person of this host proves to be to others of it.
    pub fn subject(&self, person: PersonId) -> Result<String> {
        let sql = "SELECT uid FROM person WHERE person = ?1 AND removed IS NULL";
        let uid = self.catalog.reading(|tx| tx.first(sql, &[person.0.into()], |r| uid(r.blob(0)?)))?;
        let uid = uid.ok_or_else(|| Error::NoSuchPerson(format!("number {}", person.0)))?;
        Ok(uid.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Another person's tree holds grants for whoever proves to be `guest`.
    pub(crate) fn note_reach(&self, guest: &str, owner: PersonId) -> Result<()> {
        let sql = "INSERT INTO reach (guest, owner) VALUES (?1, ?2) ON CONFLICT (guest, owner) DO NOTHING";
        self.catalog.writing(|tx| tx.execute(sql, &[guest.into(), owner.0.into()]).map(|_| ()))
    }

    /// People who made this one known to themselves, and so may have granted them something. All it takes is this one
    /// question, whoever else lives here.
    pub fn reachable(&self, guest: PersonId) -> Result<Vec<Person>> {
        let subject = self.subject(guest)?;
        let sql = "SELECT p.person, p.uid, p.name, p.created, p.admin FROM reach r JOIN person p ON p.person = r.owner AND p.removed IS NULL
            WHERE r.guest = ?1 ORDER BY p.name";
        self.catalog.reading(|tx| tx.all(sql, &[subject.as_str().into()], person_row))
    }
}
