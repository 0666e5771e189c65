//! New keys: everything is there as before, and the old ones open nothing of it.

use std::path::Path;

use holm_core::{Entry, Error, Gate, Host, Key, PersonKey, RootKey, Timestamp};

use crate::shredding::{decipher, keys, pages};
use crate::world::{World, noise, root};

/// Whether a key opens a person's catalog: the page size, versions and reserved bytes of an SQLite header come out.
fn opens(key: &PersonKey, catalog: &Path) -> bool {
    let bytes = std::fs::read(catalog).unwrap();
    decipher(&key.catalog(), 1, &bytes[..4096])[..5] == [0x10, 0, 2, 2, 80]
}

/// The names that records bear in packs.
fn marks(packs: &[std::path::PathBuf]) -> Vec<[u8; 32]> {
    let mut found = Vec::new();
    for pack in packs {
        let bytes = std::fs::read(pack).unwrap();
        let mut at = 64;
        while at < bytes.len() {
            let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
            found.push(bytes[at + 8..at + 40].try_into().unwrap());
            at += 40 + length + length.div_ceil(64 * 1024) * 16;
        }
    }
    found
}

fn epochs(world: &World) -> Vec<u8> {
    world.packs().iter().map(|p| std::fs::read(p).unwrap()[40]).collect()
}

#[test]
fn a_persons_old_key_opens_nothing_and_nothing_else_changes() {
    if crate::world::shared() {
        return;
    }
    let world = World::new(41, 0);
    let (data, host) = (world.dir.path(), world.gate.host());
    let large = noise(42, 6 << 20);
    world.put("/large", &noise(43, 3 << 20));
    world.put("/large", &large);
    world.put("/small", b"small");
    let stat = |name: &str| -> Entry { world.access().stat(&holm_core::Path::parse(name).unwrap()).unwrap() };
    let before = ["/large", "/small"].map(|name| stat(name).etag());
    let ann = host.person("ann").unwrap();
    let catalog = data.join("people").join(ann.uid.iter().map(|b| format!("{b:02x}")).collect::<String>()).join("catalog.db");
    let old: Vec<PersonKey> = keys(&pages(data, &root()), &root(), &ann.uid).iter().map(|w| root().unwrap(&ann.uid, w).unwrap()).collect();
    let (old_names, packs) = (marks(&world.packs()), world.packs());
    world.gate.close_idle(Timestamp(i64::MAX));
    assert!(opens(&old[0], &catalog), "the catalog is not looked at as it should be");

    host.change_key(&ann).unwrap();
    assert!(!opens(&old[0], &catalog));
    assert!(keys(&pages(data, &root()), &root(), &ann.uid).iter().all(|w| opens(&root().unwrap(&ann.uid, w).unwrap(), &catalog)), "the old key is still there");
    assert!(world.gate.has_earlier_keys(ann.id).unwrap());
    assert_eq!(["/large", "/small"].map(|name| stat(name).etag()), before, "sync clients would fetch everything again");
    assert!(world.get("/large").unwrap() == large && world.get("/small").unwrap() == b"small");
    world.assert_whole();
    world.put("/later", &noise(44, 3 << 20));
    assert!(epochs(&world).contains(&0) && epochs(&world).contains(&1), "old packs and new ones side by side");

    // Interrupted, begun again, and a second change before the first is complete.
    world.gate.close_idle(Timestamp(i64::MAX));
    host.change_key(&ann).unwrap();
    world.put("/latest", &noise(45, 3 << 20));
    assert_eq!(world.gate.reseal(ann.id).unwrap().packs_outdated, 0);
    world.assert_whole();
    assert!(epochs(&world).iter().all(|e| *e == 2), "{:?}", epochs(&world));
    assert!(packs.iter().all(|p| !p.exists()));
    let names = marks(&world.packs());
    assert!(names.len() > 20 && old_names.iter().all(|name| !names.contains(name)), "old names are known again in new packs");
    world.gate.close_idle(Timestamp(i64::MAX));
    assert!(!world.gate.has_earlier_keys(ann.id).unwrap());
    assert!(world.get("/large").unwrap() == large && world.get("/latest").unwrap() == noise(45, 3 << 20));
    // The same bytes again are known by their names, which outlast every key.
    let size = |world: &World| world.packs().iter().map(|p| p.metadata().unwrap().len()).sum::<u64>();
    let before = size(&world);
    world.put("/copy", &noise(45, 3 << 20));
    assert_eq!(size(&world), before);
    world.assert_whole();
}

#[test]
fn upkeep_completes_a_change_and_keeps_the_key_that_damage_needs() {
    if crate::world::shared() {
        return;
    }
    let world = World::new(46, 0);
    let host = world.gate.host().clone();
    world.put("/a", &noise(47, 1 << 20));
    world.put("/b", &noise(48, 1 << 20));
    let ann = host.person("ann").unwrap();
    world.gate.close_idle(Timestamp(i64::MAX));
    host.change_key(&ann).unwrap();
    let pack = world.packs().remove(0);
    let good = std::fs::read(&pack).unwrap();
    let mut bad = good.clone();
    bad[200] ^= 1;
    std::fs::write(&pack, &bad).unwrap();
    let done = world.gate.reseal(ann.id).unwrap();
    assert_eq!((done.packs_damaged, done.packs_outdated), (1, 1));
    world.gate.close_idle(Timestamp(i64::MAX));
    assert!(world.gate.has_earlier_keys(ann.id).unwrap(), "the only key that opens the rest of the pack");
    std::fs::write(&pack, &good).unwrap();
    assert_eq!(world.keep_up(24).packs_outdated, 0);
    assert!(epochs(&world).iter().all(|e| *e == 1));
    assert!(world.get("/a").unwrap() == noise(47, 1 << 20));
}

#[test]
fn the_old_root_key_opens_nothing() {
    if crate::world::shared() {
        return;
    }
    let world = World::new(49, 0);
    world.put("/f", &noise(50, 1 << 20));
    let (env, dir, person) = (world.env(), world.dir, world.person);
    let ann = world.gate.host().person("ann").unwrap();
    world.gate.host().add_person("bob", None, 0).unwrap();
    drop(world.gate);
    let next = RootKey { key: Key::from_bytes([8; 32]), epoch: 2 };
    let beside = Host::open(dir.path(), root(), env.clone()).unwrap();
    let host = Host::open(dir.path(), root(), env.clone()).unwrap();
    assert!(matches!(host.change_root(&next), Err(Error::Forbidden(_))), "another has it open");
    drop(beside);
    Host::open(dir.path(), root(), env.clone()).unwrap().change_root(&next).unwrap();
    assert!(matches!(Host::open(dir.path(), root(), env.clone()), Err(Error::Key(_))));
    let all = pages(dir.path(), &next);
    assert!(!keys(&all, &next, &ann.uid).is_empty());
    assert_eq!(keys(&all, &root(), &ann.uid), Vec::<Vec<u8>>::new());
    let host = std::sync::Arc::new(Host::open(dir.path(), next, env.clone()).unwrap());
    assert_eq!(host.people().unwrap().len(), 2);
    let gate = Gate::new(host, env);
    assert_eq!(gate.check(person, true).unwrap().problems, Vec::<String>::new());
}

#[test]
fn d07_damage_is_not_sealed_under_a_new_key() {
    if crate::world::shared() {
        return;
    }
    let mut world = World::new(51, 0);
    let bytes = noise(52, 60_000);
    world.put("/f", &bytes);
    let ann = world.gate.host().person("ann").unwrap();
    world = world.reopened();
    let mut good = std::fs::read(world.catalog()).unwrap();
    let mut refused = 0;
    for page in 0..good.len() / 4096 {
        let mut bad = good.clone();
        bad[page * 4096 + 2000] ^= 4;
        std::fs::write(world.catalog(), &bad).unwrap();
        match world.gate.host().change_key(&ann) {
            Err(_) => {
                refused += 1;
                std::fs::write(world.catalog(), &good).unwrap();
                world = world.reopened();
            }
            Ok(()) => {
                world = world.reopened();
                good = std::fs::read(world.catalog()).unwrap();
            }
        }
        assert!(world.get("/f").unwrap() == bytes, "a flip in page {page} was copied");
        world = world.reopened();
    }
    assert!(refused > 60_000 / 4096, "{refused}");
}
