//! Large content: cut, sealed, deduplicated, and never served wrong.

use holm_core::{Change, Depth, Error, Overwrite, Path, Precondition, PropChange, Tags};

use crate::world::{Dice, World, noise};

#[test]
fn a_changed_part_is_all_that_is_stored_again() {
    let world = World::new(2, 0);
    let mut bytes = noise(3, 40 << 20);
    world.put("/f", &bytes);
    let size = |world: &World| world.packs().iter().map(|p| p.metadata().unwrap().len()).sum::<u64>();
    let before = size(&world);
    world.put("/copy", &bytes);
    assert_eq!(size(&world), before, "the same bytes again cost nothing");
    bytes[20 << 20..][..400_000].copy_from_slice(&noise(4, 400_000));
    world.put("/f", &bytes);
    let grown = size(&world) - before;
    assert!(grown < 4 << 20, "a change of 1 % stored {grown} bytes");
    assert!(world.reopened().get("/f").unwrap() == bytes);
}

#[test]
fn d07_a_flipped_bit_is_never_served() {
    let world = World::new(5, 0);
    let bytes = noise(6, 3 << 20);
    world.put("/f", &bytes);
    let pack = world.packs().remove(0);
    let good = std::fs::read(&pack).unwrap();
    let world = world.reopened();
    let dice = Dice::new(7);
    for _ in 0..40 {
        let mut bad = good.clone();
        // Past the headers, where content is: those say nothing that a reader believes.
        let at = 64 + 40 + dice.below(good.len() - 64 - 40);
        bad[at] ^= 1 << dice.below(8);
        std::fs::write(&pack, &bad).unwrap();
        match world.get("/f") {
            Err(Error::Corrupt(_)) => {}
            Ok(read) => assert!(read == bytes, "wrong bytes served after a flip at {at}"),
            Err(other) => panic!("{other}"),
        }
    }
    std::fs::write(&pack, &good).unwrap();
    assert!(world.get("/f").unwrap() == bytes);
}

#[test]
fn d07_a_flipped_bit_in_the_catalog_is_never_served() {
    if crate::world::shared() {
        return;
    }
    let mut world = World::new(5, 0);
    let bytes = noise(6, 60_000);
    world.put("/f", &bytes);
    world = world.reopened();
    let catalog = world.catalog();
    let good = std::fs::read(&catalog).unwrap();
    let dice = Dice::new(7);
    let mut refused = 0;
    for page in 0..good.len() / 4096 {
        let mut bad = good.clone();
        bad[page * 4096 + dice.below(4096)] ^= 1 << dice.below(8);
        std::fs::write(&catalog, &bad).unwrap();
        match world.get("/f") {
            Ok(read) => assert!(read == bytes, "wrong bytes served after a flip in page {page}"),
            Err(_) => refused += 1,
        }
        std::fs::write(&catalog, &good).unwrap();
        world = world.reopened();
    }
    assert!(refused > 60_000 / 4096, "{refused}");
    assert!(world.get("/f").unwrap() == bytes);
}

#[test]
fn what_no_commit_took_is_undone_at_once() {
    let world = World::new(8, 0);
    let path = Path::parse("/f").unwrap();
    let mut writer = world.access().upload(&path, None).unwrap();
    writer.write(&noise(1, 5_000_000)).unwrap();
    assert_eq!(world.packs().len(), 1);
    drop(writer);
    assert_eq!(world.packs().len(), 0, "given up");
    let mut writer = world.access().upload(&path, None).unwrap();
    writer.write(&noise(1, 5_000_000)).unwrap();
    let change = Change::Put { path: path.clone(), content: writer.finish().unwrap(), media_type: None, modified: None };
    let impossible = Precondition { if_match: Some(Tags::Any), ..Precondition::default() };
    assert!(world.access().commit_blocking(change, impossible).is_err());
    assert_eq!(world.packs().len(), 0, "refused");
    world.put("/f", &noise(1, 5_000_000));
    world.put("/g", &noise(2, 5_000_000));
    assert_eq!(world.packs().len(), 1, "taken, and written on");
    assert!(world.get("/f").unwrap() == noise(1, 5_000_000));
    world.assert_whole();
}

#[test]
fn t14_uploads_side_by_side_share_one_quota() {
    let world = World::new(9, 30_000_000);
    let access = world.access();
    let path = |n: &str| Path::parse(n).unwrap();
    let full = |e: Error| matches!(e, Error::QuotaExceeded { .. });
    let first = access.upload(&path("/a"), Some(20_000_000)).unwrap();
    assert!(access.upload(&path("/b"), Some(20_000_000)).is_err_and(full));
    // Of unknown length: refused as soon as it outgrows what is left, but for one step.
    let mut unknown = access.upload(&path("/c"), None).unwrap();
    let mut sent = 0;
    let refused = loop {
        match unknown.write(&noise(sent, 1_000_000)) {
            Ok(()) => sent += 1,
            Err(e) => break e,
        }
        assert!(sent < 30, "never refused");
    };
    assert!(full(refused) && (9..=18).contains(&sent), "refused after {sent} MB");
    drop((first, unknown));
    assert!(access.upload(&path("/b"), Some(20_000_000)).is_ok(), "what was given up is free again");
}

#[test]
fn t14_properties_count_until_they_are_gone() {
    let world = World::new(10, 100_000);
    let access = world.access();
    let path = |n: &str| Path::parse(n).unwrap();
    let commit = |change| access.commit_blocking(change, Precondition::default());
    let used = || access.usage().unwrap().used;
    let set = |at: &str, size: usize| {
        let props = vec![PropChange::Set { name: "{x}p".into(), value: "v".repeat(size) }];
        commit(Change::Patch { path: path(at), props, modified: None, created: None })
    };
    world.put("/f", b"12345");
    set("/f", 40_000).unwrap();
    assert_eq!(used(), 40_005);
    set("/f", 10_000).unwrap();
    assert_eq!(used(), 10_005);
    commit(Change::Copy { from: path("/f"), to: path("/g"), overwrite: Overwrite::No, depth: Depth::Infinity }).unwrap();
    assert_eq!(used(), 20_010);
    set("/g", 60_000).unwrap();
    assert!(matches!(set("/f", 60_000), Err(Error::QuotaExceeded { .. })));
    world.assert_whole();
    commit(Change::Move { from: path("/g"), to: path("/f"), overwrite: Overwrite::Yes }).unwrap();
    world.assert_whole();
    world.purge("/f");
    assert_eq!(used(), 0);
    world.assert_whole();
}
