//! Who has to do with a person's data, and what they may do: the nouns that `auth` makes and `Gate` takes.

use std::fmt;

use crate::name::Path;

/// A person, by number; numbers are never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PersonId(pub i64);

/// What may be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    Read,
    Write,
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ability::Read => "read",
            Ability::Write => "write",
        })
    }
}

/// What a party may do, and where: everything at and below `scope`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    pub scope: Path,
    pub write: bool,
}

impl Grant {
    /// Everything, everywhere: what the person's own devices get unless narrowed.
    pub fn full() -> Grant {
        Grant { scope: Path::root(), write: true }
    }

    pub fn allows(&self, ability: Ability, path: &Path) -> bool {
        path.is_within(&self.scope) && (ability == Ability::Read || self.write)
    }
}

/// Whoever acts on a person's tree, already proven (`auth` makes these).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// Whose tree.
    pub person: PersonId,
    /// The credential that spoke, 0 for the command line on this machine.
    pub credential: i64,
    /// What the journal calls it: "laptop", "rclone on the NAS".
    pub label: String,
    pub grant: Grant,
}

impl Party {
    /// The operator at this machine's command line, who holds the root key anyway.
    pub fn operator(person: PersonId) -> Party {
        Party { person, credential: 0, label: "command line".into(), grant: Grant::full() }
    }
}
