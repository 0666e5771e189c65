//! Who has to do with a person's data: the nouns that `auth` makes and `Gate` takes.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// A person, by number; numbers are never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PersonId(pub i64);

/// A party, by number among those that one person has to do with; numbers are never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PartyId(pub i64);

impl PartyId {
    /// The person themself, signed in, or the operator at the command line.
    pub const OWNER: PartyId = PartyId(1);
    /// Whoever comes without any credential.
    pub const ANYBODY: PartyId = PartyId(0);
}

/// What may be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    /// See that something is there, and read it.
    Read = 1,
    /// Put something where nothing is.
    Append = 2,
    /// Change what is there, and put something where nothing is.
    Write = 4,
    /// Take away what is there.
    Delete = 8,
    /// Grant others a part of what one was granted.
    Share = 16,
}

impl Ability {
    pub const ALL: [Ability; 5] = [Ability::Read, Ability::Append, Ability::Write, Ability::Delete, Ability::Share];

    fn name(self) -> &'static str {
        match self {
            Ability::Read => "read",
            Ability::Append => "append",
            Ability::Write => "write",
            Ability::Delete => "delete",
            Ability::Share => "share",
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of abilities. As text: their names with commas between, like `read,append`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Abilities(u8);

impl Abilities {
    pub const READ: Abilities = Abilities(1);
    /// Read and change everything, but share nothing.
    pub const CHANGE: Abilities = Abilities(15);
    pub const ALL: Abilities = Abilities(31);

    pub fn contains(self, ability: Ability) -> bool {
        self.0 & ability as u8 != 0
    }

    pub fn with(self, ability: Ability) -> Abilities {
        Abilities(self.0 | ability as u8)
    }

    pub fn and(self, other: Abilities) -> Abilities {
        Abilities(self.0 & other.0)
    }

    pub fn is_within(self, other: Abilities) -> bool {
        self.0 & !other.0 == 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// # Errors
    /// A name that is none of an ability.
    pub fn parse(text: &str) -> Result<Abilities> {
        let mut found = Abilities::default();
        for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let ability = Ability::ALL.into_iter().find(|a| a.name() == name);
            let ability = ability.ok_or_else(|| Error::Invalid(format!("\"{name}\" is no ability: use read, append, write, delete, share")))?;
            // Whoever may change what is there may also put something beside it.
            found.0 |= ability as u8 | if ability == Ability::Write { Ability::Append as u8 } else { 0 };
        }
        Ok(found)
    }
}

impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Ability::ALL.into_iter().filter(|a| self.contains(*a)).map(Ability::name).collect();
        f.write_str(&names.join(","))
    }
}

/// What kind of party it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartyKind {
    /// The person themself.
    Owner,
    /// The person's own: a phone, a laptop, a program on it.
    Device,
    /// A program of somebody else's that the person uses.
    App,
    /// Another person, here or elsewhere.
    Person,
    /// A firm, an authority, a club.
    Organisation,
    /// Whoever holds a link.
    Link,
    Everyone,
}

impl PartyKind {
    const NAMES: [(&'static str, PartyKind); 7] = [
        ("owner", PartyKind::Owner),
        ("device", PartyKind::Device),
        ("app", PartyKind::App),
        ("person", PartyKind::Person),
        ("organisation", PartyKind::Organisation),
        ("link", PartyKind::Link),
        ("everyone", PartyKind::Everyone),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|n| n.1 == self).map_or("", |n| n.0)
    }

    /// # Errors
    /// A word that names no kind.
    pub fn parse(name: &str) -> Result<PartyKind> {
        let known = Self::NAMES.iter().find(|n| n.0 == name).map(|n| n.1);
        known.ok_or_else(|| Error::Invalid(format!("\"{name}\" is no kind of party: use device, app, person, organisation, link, everyone")))
    }
}

/// Whoever acts on a person's tree, already proven (`auth` makes these). What it may do is in the person's ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// Whose party it is.
    pub person: PersonId,
    pub id: PartyId,
    /// The credential that spoke, 0 for the command line on this machine.
    pub credential: i64,
    /// What the journal calls it: "laptop", "rclone on the NAS".
    pub label: String,
    /// None: the credential is for all that its party may do.
    pub limits: Option<Arc<Limits>>,
}

/// What a credential is for, of all that its party may do: an app that was let in twice has two, and neither may do what was
/// allowed to the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// By these grants alone.
    pub grants: Vec<i64>,
    /// Through these protocols alone, as [`crate::Via`] names them; none named: through any.
    pub doors: Vec<String>,
}

impl Limits {
    pub(crate) fn opens(&self, door: &str) -> bool {
        self.doors.is_empty() || self.doors.iter().any(|d| d == door)
    }
}

impl Party {
    /// The operator at this machine's command line, who holds the root key anyway.
    pub fn operator(person: PersonId) -> Party {
        Party { person, id: PartyId::OWNER, credential: 0, label: "command line".into(), limits: None }
    }

    /// Whoever comes without any credential; what is public is open to them, and nothing else.
    pub fn anybody(person: PersonId) -> Party {
        Party { person, id: PartyId::ANYBODY, credential: 0, label: "anybody".into(), limits: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_are_told_and_read_back() {
        for set in (0..32).map(Abilities) {
            let read = Abilities::parse(&set.to_string()).unwrap();
            assert!(set.is_within(read) && (read == set || set.contains(Ability::Write)), "{set}");
        }
        assert_eq!(Abilities::parse("read, write").unwrap().to_string(), "read,append,write");
        assert!(Abilities::parse("read,everything").is_err());
        assert!(!Abilities::ALL.is_within(Abilities::CHANGE));
    }
}
