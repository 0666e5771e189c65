//! Two people on one host, which may be one database: nothing of the one is reached by the other's access, by whatever number (T58).

use holm_core::{Access, Change, Party, Path, PersonId, Precondition, PropChange, Seq, Via};

use crate::world::{World, noise, put};

/// Numbers that the richer one's entries, contents and grants have, and some beyond.
const NUMBERS: std::ops::Range<i64> = 3..200;

fn access(world: &World, person: PersonId) -> Access {
    world.gate.admit(Party::operator(person).into(), Via::HERE).unwrap()
}

#[test]
fn t58_what_is_one_persons_is_not_reached_by_anothers_numbers() {
    let world = World::new(71, 0);
    let ann = access(&world, world.person);
    let path = |name: &str| Path::parse(name).unwrap();
    let commit = |access: &Access, change| access.commit_blocking(change, Precondition::default());
    for n in 0..20 {
        put(&ann, &format!("/f{n}"), &noise(n, 100));
        put(&ann, &format!("/f{n}"), &noise(n, 100_000));
        let props = vec![PropChange::Set { name: "{x}p".into(), value: "v".into() }];
        commit(&ann, Change::Patch { path: path(&format!("/f{n}")), props, modified: None, created: None }).unwrap();
    }
    for n in 0..10 {
        commit(&ann, Change::Remove { path: path(&format!("/f{n}")) }).unwrap();
    }
    let trashed: Vec<i64> = ann.trash().unwrap().iter().map(|t| t.entry).collect();
    assert!(trashed.len() == 10 && trashed.iter().all(|id| NUMBERS.contains(id)), "{trashed:?}");
    let before = (ann.usage().unwrap(), ann.seq().unwrap(), ann.journal(Seq(0), 1_000).unwrap());

    let bob = world.gate.host().add_person("bob", None, 0).unwrap().id;
    let bob = access(&world, bob);
    assert_eq!((bob.usage().unwrap().used, bob.seq().unwrap()), (0, Seq(0)));
    assert!(bob.trash().unwrap().is_empty() && bob.journal(Seq(0), 1_000).unwrap().is_empty() && !bob.any_locks().unwrap());
    for id in NUMBERS {
        assert!(bob.list(&Path::root(), id, "", 1_000).unwrap().is_empty(), "members of {id}");
        assert!(bob.props(&Path::root(), id).unwrap().is_empty(), "properties of {id}");
        assert!(commit(&bob, Change::Purge { entry: id }).is_err(), "purged {id}");
        assert!(commit(&bob, Change::Restore { entry: id, to: Some(path("/stolen")) }).is_err(), "restored {id}");
        assert!(!bob.revoke(id).unwrap());
    }
    for name in ["/f0", "/f10", "/f19"] {
        assert!(bob.stat(&path(name)).is_err() && bob.open(&path(name)).is_err() && bob.versions(&path(name)).is_err());
        assert!(commit(&bob, Change::Remove { path: path(name) }).is_err());
    }
    // The same bytes are stored once more: whether somebody else has them is not to be told by their cost.
    let packs = |world: &World| walk(&world.dir.path().join("people"));
    let kept = packs(&world);
    put(&bob, "/same", &noise(19, 100_000));
    assert!(packs(&world) > kept + 100_000);
    assert_eq!((ann.usage().unwrap(), ann.seq().unwrap(), ann.journal(Seq(0), 1_000).unwrap()), before);
    world.assert_whole();
}

/// Bytes of all packs below a directory.
fn walk(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let size = |e: std::fs::DirEntry| match e.metadata().unwrap() {
        meta if meta.is_dir() => walk(&e.path()),
        meta if e.path().extension().is_some_and(|end| end == "pack") => meta.len(),
        _ => 0,
    };
    entries.map(size).sum()
}
