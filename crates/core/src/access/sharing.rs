//! Who has to do with the person and what they may do: read and changed here, through the same access as data. What a
//! token grants, a token can not: only the person, or whoever was allowed to share, and then never more than they have.

use super::Access;
use super::log::{self, AccessRecord, RecordFilter};
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::host::{self, CredentialKind, NewCredential};
use crate::journal;
use crate::ledger::{self, Book, Grant, KnownParty, LedgerEntry, NewGrant, Page, Scope, Terms};
use crate::mutant::mutant;
use crate::name::Path;
use crate::party::{Abilities, PartyId, PartyKind};

/// An app that a person lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApp {
    pub name: String,
    /// What it proves to be: its origin, or the address of the document it describes itself with.
    pub subject: String,
    pub grants: Vec<(Scope, Abilities)>,
    /// In the words that were shown to the person.
    pub purpose: String,
    pub terms: Option<Terms>,
    pub until: Option<Timestamp>,
}

/// What letting an app in came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedApp {
    pub party: PartyId,
    pub credential: i64,
    pub grants: Vec<i64>,
}

impl Access {
    pub(super) fn owner(&self) -> Result<()> {
        if self.party.id == PartyId::OWNER { Ok(()) } else { Err(Error::Forbidden("only the person themself may see or change this")) }
    }

    pub(super) fn booking<T>(&self, mut work: impl FnMut(&Book<'_>) -> Result<T>) -> Result<T> {
        let (person, now, by) = (self.person(), self.tree.env.now(), &*self.party);
        let done = self.store().catalog.writing(|tx| work(&Book { tx, person, now, by }));
        self.tree.forget_rights();
        done
    }

    /// In the order in which they were met; those that ended too.
    pub fn parties(&self, page: Page) -> Result<Vec<KnownParty>> {
        self.owner()?;
        self.store().catalog.reading(|tx| ledger::parties(tx, self.person(), page))
    }

    pub fn known_party(&self, id: PartyId) -> Result<Option<KnownParty>> {
        self.owner()?;
        self.store().catalog.reading(|tx| ledger::party(tx, self.person(), id))
    }

    /// Somebody the person has to do with from now on. `subject` is what the party proves to be, where it is not its
    /// credentials that tell: of a person here, their [`crate::Host::subject`].
    pub fn meet(&self, kind: PartyKind, name: &str, subject: &str) -> Result<PartyId> {
        self.owner()?;
        let party = self.booking(|book| book.meet(kind, name, subject))?;
        if kind == PartyKind::Person {
            self.host.note_reach(subject, self.person())?;
        }
        Ok(party)
    }

    /// [`Access::meet`] for whoever is called `name` in this holm. Whether somebody is, it does not tell (T58): a party is there
    /// afterwards either way, and what it is granted waits for ever where nobody is.
    pub fn meet_person(&self, name: &str) -> Result<PartyId> {
        self.owner()?;
        host::check_name(name)?;
        let subject = match self.host.person(name) {
            Ok(person) if person.id == self.person() => return Err(Error::Invalid("you may do everything with what is yours".into())),
            Ok(person) => self.host.subject(person.id)?,
            Err(Error::NoSuchPerson(_)) if !mutant("who-lives-here-told") => self.tree.env.random::<16>().iter().map(|b| format!("{b:02x}")).collect(),
            Err(e) => return Err(e),
        };
        let known = self.store().catalog.reading(|tx| ledger::by_name(tx, self.person(), PartyKind::Person, name))?;
        if known.is_some() { Err(Error::Taken(format!("{name} is known"))) } else { self.meet(PartyKind::Person, name, &subject) }
    }

    /// Ends everything with a party: its grants and its credentials. Answers whether there was one.
    pub fn part(&self, party: PartyId) -> Result<bool> {
        self.owner()?;
        let there = self.booking(|book| book.part(party))?;
        self.host.revoke_credentials(self.person(), party, None)?;
        Ok(there)
    }

    /// All grants, or those of one party; a party itself sees its own.
    pub fn grants(&self, party: Option<PartyId>, page: Page) -> Result<Vec<Grant>> {
        if party != Some(self.party.id) {
            self.owner()?;
        }
        self.store().catalog.reading(|tx| ledger::grants(tx, self.person(), party, page))
    }

    pub fn known_grant(&self, id: i64) -> Result<Option<Grant>> {
        self.owner()?;
        self.store().catalog.reading(|tx| ledger::grant(tx, self.person(), id))
    }

    /// Grants something to a party; answers the grant's number.
    ///
    /// # Errors
    /// [`Error::Denied`] where this party may not share that, [`Error::Forbidden`] where it would give more than it has.
    pub fn grant(&self, what: &NewGrant) -> Result<i64> {
        let rights = self.rights()?;
        // Where a link leads and what it allows is one grant: see [`Access::change_link`].
        let party = self.store().catalog.reading(|tx| ledger::party(tx, self.person(), what.party))?;
        if party.is_some_and(|party| party.kind == PartyKind::Link) {
            return Err(Error::Invalid("a link has one grant; change the link, or make another".into()));
        }
        self.booking(|book| book.grant(what, &rights))
    }

    /// Takes a grant back, and all that hangs on it; answers whether there was one.
    pub fn revoke(&self, grant: i64) -> Result<bool> {
        self.owner()?;
        self.booking(|book| book.revoke(grant))
    }

    /// The ledger, the oldest entries first.
    pub fn ledger(&self, page: Page) -> Result<Vec<LedgerEntry>> {
        self.owner()?;
        self.store().catalog.reading(|tx| ledger::entries(tx, self.person(), page))
    }

    /// A new device or app with a credential of its own, whose secret has this hash; answers the credential's number.
    pub fn connect(&self, kind: PartyKind, name: &str, scope: Scope, abilities: Abilities, hash: &[u8; 32]) -> Result<i64> {
        self.owner()?;
        let rights = self.rights()?;
        let party = self.booking(|book| {
            let party = book.meet(kind, name, "")?;
            book.grant(&NewGrant::new(party, scope.clone(), abilities), &rights)?;
            Ok(party)
        })?;
        let new = NewCredential { kind: CredentialKind::AppPassword, party, name, hash, phrase: None, expires: None };
        self.host.add_credential(self.person(), &new)
    }

    /// Lets an app in. Its party is the one it was known as before, where it was; its credential is for what is granted now alone.
    pub fn allow_app(&self, app: &NewApp) -> Result<AllowedApp> {
        self.owner()?;
        let rights = self.rights()?;
        let (party, grants) = self.booking(|book| {
            let known = ledger::by_subject(book.tx, book.person, PartyKind::App, &app.subject)?;
            let party = known.map_or_else(|| book.meet(PartyKind::App, &app.name, &app.subject), Ok)?;
            let grants = app.grants.iter().map(|(scope, abilities)| {
                let (purpose, terms) = (app.purpose.clone(), app.terms.clone());
                let new = NewGrant { party, scope: scope.clone(), abilities: *abilities, purpose, terms, from: None, until: app.until };
                book.grant(&new, &rights)
            });
            Ok((party, grants.collect::<Result<Vec<_>>>()?))
        })?;
        let credential = self.add_app(party, &app.name)?;
        Ok(AllowedApp { party, credential, grants })
    }

    /// It is proven by tokens, which come and go; its hash is of nothing.
    fn add_app(&self, party: PartyId, name: &str) -> Result<i64> {
        let hash = self.tree.env.random();
        self.host.add_credential(self.person(), &NewCredential { kind: CredentialKind::App, party, name, hash: &hash, phrase: None, expires: None })
    }

    /// Another credential for what an app was allowed already.
    pub fn allow_app_again(&self, party: PartyId, name: &str) -> Result<i64> {
        self.owner()?;
        self.add_app(party, name)
    }

    /// Ends what an app was let in with: the credential, the grants that were made for it, and its party with the last one.
    pub fn end_app(&self, credential: i64, grants: &[i64]) -> Result<()> {
        self.owner()?;
        let party = self.host.party_of(self.person(), credential)?;
        self.host.end_app(self.person(), credential)?;
        let last = match party {
            Some(party) if !self.host.has_credentials(self.person(), party)? => Some(party),
            _ => None,
        };
        self.booking(|book| {
            for grant in grants {
                book.revoke(*grant)?;
            }
            last.map_or(Ok(false), |party| book.part(party)).map(|_| ())
        })
    }

    /// The app's party, where it was let in before and has not been shown the door.
    pub fn known_app(&self, subject: &str) -> Result<Option<PartyId>> {
        self.owner()?;
        self.store().catalog.reading(|tx| ledger::by_subject(tx, self.person(), PartyKind::App, subject))
    }

    /// Ends a credential, and its party with its last one; answers whether there was one.
    pub fn disconnect(&self, kind: CredentialKind, credential: i64) -> Result<bool> {
        self.owner()?;
        let Some(party) = self.host.revoke_credential(self.person(), kind, credential)? else { return Ok(false) };
        self.host.revoke_credentials(self.person(), party, Some(CredentialKind::LinkVisit))?;
        if !self.host.has_credentials(self.person(), party)? {
            self.booking(|book| book.part(party))?;
        }
        Ok(true)
    }

    /// The access log, the newest first: who did what with what.
    pub fn records(&self, filter: &RecordFilter, limit: usize) -> Result<Vec<AccessRecord>> {
        self.owner()?;
        self.tree.write_log()?;
        self.store().catalog.reading(|tx| log::find(tx, self.person(), filter, limit))
    }

    /// The number of what stands at a path, or stood there last: what was deleted has records too.
    pub fn once_at(&self, path: &Path) -> Result<Option<i64>> {
        self.owner()?;
        self.store().catalog.reading(|tx| journal::once_at(tx, self.person(), path))
    }
}
