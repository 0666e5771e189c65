//! Links: what whoever holds one may do with one file or folder. A link is a party with one credential and its grants; where
//! it leads is the scope of the newest grant that holds.

use super::Access;
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::host::{Credential, CredentialKind, NewCredential};
use crate::ledger::{self, Grant, NewGrant, Page, Scope};
use crate::name::Path;
use crate::party::{Abilities, Ability, PartyKind};

/// How long a browser in which a link's password was right need not ask for it again.
const VISIT: i64 = 12 * Timestamp::HOUR;
/// Browsers at a time in which one link's password was right; one more ends the oldest.
const VISITS: i64 = 1_000;

/// A link that is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewLink<'a> {
    /// What the person calls it.
    pub name: &'a str,
    /// To a file or folder that is there.
    pub path: &'a Path,
    /// Not [`Ability::Share`].
    pub abilities: Abilities,
    pub purpose: &'a str,
    pub until: Option<Timestamp>,
    /// The PHC string of the password that it asks for.
    pub phrase: Option<&'a str>,
    /// Of its token.
    pub hash: &'a [u8; 32],
}

/// A link, and what it grants.
#[derive(Clone, Debug)]
pub struct Link {
    pub credential: Credential,
    /// The newest, whether it holds or not.
    pub grant: Grant,
}

/// What a link leads to.
#[derive(Clone, Debug)]
pub struct LinkEnd {
    pub path: Path,
    pub folder: bool,
    /// What whoever holds it may do there.
    pub what: NewGrant,
}

impl Access {
    /// Makes a link; answers the number of its credential.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nothing is at its path, [`Error::Invalid`] for one that would let others share.
    pub fn add_link(&self, new: &NewLink<'_>) -> Result<i64> {
        self.owner()?;
        if new.abilities.contains(Ability::Share) {
            return Err(Error::Invalid("whoever holds a link may not make others; leave out share".into()));
        }
        self.stat(new.path)?;
        let rights = self.rights()?;
        let party = self.booking(|book| {
            let party = book.meet(PartyKind::Link, new.name, "")?;
            let mut what = NewGrant::new(party, Scope::Path(new.path.clone()), new.abilities);
            (what.purpose, what.until) = (new.purpose.to_owned(), new.until);
            book.grant(&what, &rights)?;
            Ok(party)
        })?;
        let (kind, name, hash, phrase) = (CredentialKind::Link, new.name, new.hash, new.phrase);
        self.host.add_credential(self.person(), &NewCredential { kind, party, name, hash, phrase, expires: None })
    }

    /// The person's links after a number, those that were revoked too.
    pub fn links(&self, page: Page) -> Result<Vec<Link>> {
        self.owner()?;
        let credentials = self.host.credentials(self.person(), CredentialKind::Link, page)?;
        credentials.into_iter().filter_map(|credential| self.link_of(credential).transpose()).collect()
    }

    /// The link with this number.
    pub fn link(&self, id: i64) -> Result<Option<Link>> {
        self.owner()?;
        let found = self.host.credential(self.person(), CredentialKind::Link, id)?;
        found.map_or(Ok(None), |credential| self.link_of(credential))
    }

    fn link_of(&self, credential: Credential) -> Result<Option<Link>> {
        let newest = self.store().catalog.reading(|tx| ledger::newest_grant(tx, self.person(), credential.party))?;
        Ok(newest.map(|grant| Link { credential, grant }))
    }

    /// Another end for a link, and other abilities: a new grant in place of those it has. Answers whether there is such a link.
    pub fn change_link(&self, id: i64, abilities: Abilities, until: Option<Timestamp>) -> Result<bool> {
        let Some(link) = self.link(id)?.filter(|link| link.credential.revoked.is_none()) else { return Ok(false) };
        if abilities.contains(Ability::Share) {
            return Err(Error::Invalid("whoever holds a link may not make others; leave out share".into()));
        }
        let rights = self.rights()?;
        let what = NewGrant { abilities, until, ..link.grant.what.clone() };
        self.booking(|book| {
            book.revoke(link.grant.id)?;
            book.grant(&what, &rights).map(|_| ())
        })?;
        Ok(true)
    }

    /// Another password for a link, as a PHC string, or none. Browsers that gave the one before ask again. Answers whether there
    /// is such a link.
    pub fn set_link_phrase(&self, id: i64, phrase: Option<&str>) -> Result<bool> {
        let Some(link) = self.link(id)?.filter(|link| link.credential.revoked.is_none()) else { return Ok(false) };
        self.host.set_phrase(self.person(), id, phrase)?;
        self.host.revoke_credentials(self.person(), link.credential.party, Some(CredentialKind::LinkVisit))?;
        Ok(true)
    }

    /// Where the link leads whose holder this is; none where it leads nowhere any more.
    pub fn leads_to(&self) -> Result<Option<LinkEnd>> {
        let now = self.tree.env.now();
        let newest = self.store().catalog.reading(|tx| ledger::newest_grant(tx, self.person(), self.party.id))?;
        let Some(Grant { what, .. }) = newest.filter(|grant| grant.standing(now) == ledger::Standing::Active) else { return Ok(None) };
        let path = what.scope.path();
        let folder = match self.stat(&path) {
            Ok(entry) => entry.is_folder(),
            Err(Error::NotFound(_)) => return Ok(None),
            // Where one may put what one may not read; whoever may do neither will be told so.
            Err(Error::Denied(..)) => true,
            Err(e) => return Err(e),
        };
        Ok(Some(LinkEnd { path, folder, what }))
    }

    /// The password of the link whose holder this is was right, as `phrase` is its PHC string: a credential of its own for this
    /// browser. Answers whether it still is the link's.
    pub fn visit_link(&self, phrase: &str, hash: &[u8; 32]) -> Result<bool> {
        let (party, kind, name) = (self.party.id, CredentialKind::LinkVisit, self.party.label.as_str());
        self.host.end_oldest(self.person(), party, kind, VISITS)?;
        let expires = Some(self.tree.env.now().plus(VISIT));
        let new = NewCredential { kind, party, name, hash, phrase: None, expires };
        self.host.add_beside(self.person(), self.party.credential, phrase, &new)
    }
}
