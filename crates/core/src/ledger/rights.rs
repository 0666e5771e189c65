//! What a party may do now: all its grants, each cut down to what its parents still allow.

use std::collections::BTreeSet;

use crate::env::Timestamp;
use crate::mutant::mutant;
use crate::name::Path;
use crate::party::{Abilities, Ability};

/// One grant as it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Right {
    /// The grant it comes of; 0 for what needs none.
    pub grant: i64,
    pub scope: Path,
    pub abilities: Abilities,
    pub from: Timestamp,
    /// Never, where it is the largest there is.
    pub until: Timestamp,
}

impl Right {
    fn is_now(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now)
    }

    /// What of this is left within `other`; nothing where they do not meet.
    pub(super) fn within(&self, other: &Right) -> Option<Right> {
        let scope = match (self.scope.is_within(&other.scope), other.scope.is_within(&self.scope)) {
            (true, _) => self.scope.clone(),
            (_, true) => other.scope.clone(),
            _ => return None,
        };
        let abilities = self.abilities.and(other.abilities);
        let (from, until) = (self.from.max(other.from), self.until.min(other.until));
        (!abilities.is_empty() && from < until).then_some(Right { grant: self.grant, scope, abilities, from, until })
    }
}

/// Where documents are open to everybody who knows their address (draft-dejong-remotestorage-26 §5).
fn public() -> Path {
    Path::parse("/apps/public").expect("two names")
}

/// Everything one party may do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rights {
    held: Vec<Right>,
}

impl Rights {
    pub(crate) fn new(held: Vec<Right>) -> Rights {
        Rights { held }
    }

    /// The person's own.
    pub(crate) fn owner() -> Rights {
        Rights::always(Path::root(), Abilities::ALL)
    }

    /// Those of whoever comes without a credential: a person makes public what they let be put there.
    pub(crate) fn anybody() -> Rights {
        Rights::always(public(), Abilities::READ)
    }

    /// What needs no grant.
    fn always(scope: Path, abilities: Abilities) -> Rights {
        Rights::new(vec![Right { grant: 0, scope, abilities, from: Timestamp(i64::MIN), until: Timestamp(i64::MAX) }])
    }

    /// What may be done in the whole tree.
    pub(crate) fn everywhere(&self, now: Timestamp) -> Abilities {
        let whole = |a: &Ability| self.allows(*a, &Path::root(), now);
        Ability::ALL.into_iter().filter(whole).fold(Abilities::default(), Abilities::with)
    }

    /// No more than `most` of it.
    pub(crate) fn only(&self, most: Abilities) -> Rights {
        let cut = |r: &Right| Right { abilities: r.abilities.and(most), ..r.clone() };
        Rights::new(self.held.iter().map(cut).filter(|r| !r.abilities.is_empty()).collect())
    }

    /// What of it comes of these grants.
    pub(crate) fn by(&self, grants: &[i64]) -> Rights {
        Rights::new(self.held.iter().filter(|r| grants.contains(&r.grant)).cloned().collect())
    }

    /// The keys of a folder's members that lead to something that may be read.
    pub(crate) fn next_names(&self, folder: &Path, now: Timestamp) -> BTreeSet<String> {
        let readable = self.held.iter().filter(|r| r.abilities.contains(Ability::Read) && r.is_now(now));
        readable.filter_map(|r| Some(r.scope.below(folder)?.first()?.key().to_owned())).collect()
    }

    /// The grant that lets this party do that there, if one does.
    pub(crate) fn grant_for(&self, ability: Ability, path: &Path, now: Timestamp) -> Option<&Right> {
        let covers = |r: &Right| path.is_within(&r.scope) || mutant("scope-ignored");
        self.held.iter().find(|r| r.abilities.contains(ability) && covers(r) && r.is_now(now))
    }

    pub fn allows(&self, ability: Ability, path: &Path, now: Timestamp) -> bool {
        self.grant_for(ability, path, now).is_some()
    }

    /// Whether a path leads to something that may be read: then the folders on the way are seen, and in them only what
    /// leads on.
    pub fn leads(&self, path: &Path, now: Timestamp) -> bool {
        self.held.iter().any(|r| r.abilities.contains(Ability::Read) && r.is_now(now) && r.scope.is_within(path))
    }

    /// Whether anything at all may be done.
    pub(crate) fn is_empty(&self, now: Timestamp) -> bool {
        !self.held.iter().any(|r| r.is_now(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(scope: &str, abilities: &str, from: i64, until: i64) -> Right {
        Right { grant: 1, scope: Path::parse(scope).unwrap(), abilities: Abilities::parse(abilities).unwrap(), from: Timestamp(from), until: Timestamp(until) }
    }

    #[test]
    fn t38_a_child_is_never_more_than_its_parent() {
        let parent = right("/photos", "read,append", 10, 20);
        let cut = |child: Right| child.within(&parent);
        assert_eq!(cut(right("/photos/2024", "read,write,delete", 0, 30)), Some(right("/photos/2024", "read,append", 10, 20)));
        assert_eq!(cut(right("/", "read", 0, 30)), Some(right("/photos", "read", 10, 20)));
        assert_eq!(cut(right("/photos-x", "read", 0, 30)), None);
        assert_eq!(cut(right("/photos", "delete", 0, 30)), None);
        assert_eq!(cut(right("/photos", "read", 20, 30)), None);
    }

    #[test]
    fn t40_rights_reach_whole_names_and_end_in_time() {
        let rights = Rights::new(vec![right("/a/b", "read", 10, 20), right("/c", "append", 0, 100)]);
        let p = |s| Path::parse(s).unwrap();
        let read = |path, at| rights.allows(Ability::Read, &p(path), Timestamp(at));
        assert!(read("/a/b", 10) && read("/a/b/c/d", 19));
        assert!(!read("/a/b", 9) && !read("/a/b", 20) && !read("/a/bc", 15) && !read("/a", 15) && !read("/c", 15));
        let leads = |path| rights.leads(&p(path), Timestamp(15));
        assert!(leads("/") && leads("/a") && leads("/a/b") && !leads("/a/b/c") && !leads("/c") && !leads("/x"));
        assert!(!rights.is_empty(Timestamp(50)) && rights.is_empty(Timestamp(100)));
    }

    #[test]
    fn t40_anybody_reads_what_is_public_and_nothing_beside() {
        let may = |ability, path| Rights::anybody().allows(ability, &Path::parse(path).unwrap(), Timestamp(0));
        assert!(may(Ability::Read, "/apps/public/notes/a"));
        for other in ["/apps/public-x/a", "/apps/notes/public/a", "/public/a", "/apps"] {
            assert!(!may(Ability::Read, other), "{other}");
        }
        assert!(Ability::ALL.into_iter().all(|a| a == Ability::Read || !may(a, "/apps/public/notes/a")));
    }
}
