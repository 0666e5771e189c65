//! What is let go, what comes back, and that nothing in use goes with it.

use holm_core::{Change, Error, Path, Precondition, Rules, Timestamp};

use crate::world::{World, noise};

fn file_bytes(world: &World) -> u64 {
    world.packs().iter().map(|p| p.metadata().unwrap().len()).sum()
}

/// Makes every pack file so many hours old, by the test's clock.
fn age_files(world: &World, hours: i64) {
    let at = std::time::Duration::from_millis((world.now().0 - hours * Timestamp::HOUR) as u64);
    for pack in world.packs() {
        std::fs::File::options().write(true).open(pack).unwrap().set_modified(std::time::UNIX_EPOCH + at).unwrap();
    }
}

#[test]
fn versions_thin_out_and_their_space_comes_back() {
    let world = World::new(11, 0);
    for day in 0..40 {
        for hour in 0..3 {
            world.put("/f", &noise(day * 10 + hour, 100_000));
            world.wait(8);
        }
    }
    let path = Path::parse("/f").unwrap();
    let all = world.access().versions(&path).unwrap();
    assert_eq!(all.len(), 119);
    let before = file_bytes(&world);
    let done = world.keep_up(24);
    let kept = world.access().versions(&path).unwrap();
    for gone in all.iter().filter(|v| !kept.contains(v) && all[0].ended.0 - v.ended.0 < 28 * Timestamp::DAY) {
        let day = |at: Timestamp| at.0 / Timestamp::DAY;
        assert!(kept.iter().any(|v| v.ended > gone.ended && day(v.ended) == day(gone.ended)), "{gone:?}: the last of its day stays");
    }
    let left = kept.len();
    assert!((30..40).contains(&left), "{left} versions left");
    assert_eq!(done.versions as usize, 119 - left);
    assert_eq!(done.contents, done.versions);
    assert_eq!(world.access().usage().unwrap().used, 100_000 * (left as u64 + 1));
    assert_eq!((done.chunks_deleted, file_bytes(&world)), (0, before), "a first round only marks");
    world.wait(25);
    world.keep_up(24);
    assert!(file_bytes(&world) < before / 2, "{} of {before} bytes are left", file_bytes(&world));
    assert!(world.get("/f").unwrap() == noise(392, 100_000));
    assert!(world.reopened().get("/f").unwrap() == noise(392, 100_000));
}

#[test]
fn the_trash_empties_itself_after_its_time() {
    let world = World::new(12, 0);
    let access = world.access();
    let commit = |change| access.commit_blocking(change, Precondition::default()).unwrap();
    commit(Change::MakeFolder { path: Path::parse("/d").unwrap(), props: vec![] });
    commit(Change::MakeFolder { path: Path::parse("/d/e").unwrap(), props: vec![] });
    (0..2_500).for_each(|n| world.put(&format!("/d/e/{n}"), b"x"));
    world.put("/d/large", &noise(1, 3_000_000));
    commit(Change::Remove { path: Path::parse("/d").unwrap() });
    world.wait(24 * 29);
    assert_eq!(world.keep_up(0).purged, 0);
    assert_eq!(world.access().trash().unwrap().len(), 1);
    world.wait(24 * 2);
    assert_eq!(world.keep_up(0).purged, 1);
    assert_eq!(world.access().trash().unwrap(), vec![]);
    assert_eq!(world.access().usage().unwrap().used, 0);
    world.keep_up(0);
    assert_eq!(world.packs().len(), 0);
    let journal = world.access().journal(world.access().seq().unwrap(), 10).unwrap();
    assert_eq!(journal, vec![], "nothing follows the purge");
}

#[test]
fn d12_a_clock_that_jumps_lets_nothing_go() {
    let world = World::new(16, 0);
    let path = Path::parse("/f").unwrap();
    let remove = |name: &str| {
        world.put(name, b"x");
        let change = Change::Remove { path: Path::parse(name).unwrap() };
        world.access().commit_blocking(change, Precondition::default()).unwrap();
    };
    let left = || (world.access().trash().unwrap().len(), world.access().versions(&path).unwrap().len());
    (0..3).for_each(|n| world.put("/f", &noise(n, 10)));
    remove("/g");
    world.keep_up(24);
    // Ten years ahead, a year behind, and back: what is deleted meanwhile is not old at once either.
    for hours in [87_600, -96_360, 8_760] {
        world.wait(hours);
        remove("/h");
        world.put("/f", &noise(hours as u64, 10));
        world.keep_up(24);
    }
    assert_eq!(left(), (4, 5));
    // Off for two months: that is made up for, day by day, unless somebody says so.
    world.wait(24 * 60);
    assert_eq!(world.keep_up(24).behind / Timestamp::DAY, 60);
    assert_eq!(left(), (4, 5));
    let rules = Rules { clock_is_right: true, ..Rules::default() };
    assert_eq!(world.gate.keep_up(world.person, &rules).unwrap().purged, 3, "all but what was deleted ten years ahead");
    assert_eq!(left().0, 1);
}

#[test]
fn a_mostly_dead_pack_is_written_anew() {
    let world = World::new(13, 0);
    let keep = noise(1, 2_000_000);
    world.put("/drop", &noise(2, 20_000_000));
    world.put("/keep", &keep);
    let old = world.packs();
    assert_eq!(old.len(), 1);
    world.purge("/drop");
    world.wait(25);
    assert_eq!(world.keep_up(24).chunks_deleted, 0);
    world.wait(23);
    assert_eq!(world.keep_up(24).chunks_deleted, 0, "dead for less than the grace");
    world.wait(2);
    let done = world.keep_up(24);
    assert_eq!((done.packs_compacted, done.packs_deleted), (1, 1));
    assert!(done.bytes_freed > 19_000_000 && file_bytes(&world) < 2_100_000, "{done:?}");
    assert!(!old[0].exists() && world.packs().len() == 1);
    assert!(world.get("/keep").unwrap() == keep);
    assert!(world.reopened().get("/keep").unwrap() == keep);
}

#[test]
fn what_is_used_again_in_time_stays() {
    let world = World::new(14, 0);
    let bytes = noise(1, 2_000_000);
    world.put("/f", &bytes);
    world.purge("/f");
    assert!(world.keep_up(24).chunks_marked > 0);
    world.put("/g", &bytes);
    world.wait(25);
    assert_eq!(world.keep_up(24).chunks_deleted, 0);
    world.wait(25);
    world.keep_up(0);
    world.keep_up(0);
    assert!(world.get("/g").unwrap() == bytes);
}

/// Uploads under way while everything they count on goes, at the cruellest grace: they fail, clearly, or are whole.
#[test]
fn an_upload_under_way_is_whole_or_refused() {
    let world = World::new(15, 0);
    let bytes = noise(1, 3_000_000);
    let path = Path::parse("/new").unwrap();
    let put = |content| {
        let change = Change::Put { path: path.clone(), content, media_type: None, modified: None };
        world.access().commit_blocking(change, Precondition::default())
    };
    // Its chunks are those of a file that goes.
    world.put("/old", &bytes);
    let mut writer = world.access().upload(&path, None).unwrap();
    writer.write(&bytes).unwrap();
    let content = writer.finish().unwrap();
    world.purge("/old");
    for _ in 0..3 {
        world.keep_up(0);
    }
    assert!(matches!(put(content), Err(Error::Again(_))));
    // Its pack is taken for an orphan.
    let mut writer = world.access().upload(&path, None).unwrap();
    writer.write(&bytes).unwrap();
    let content = writer.finish().unwrap();
    age_files(&world, 1);
    assert_eq!(world.keep_up(0).packs_deleted, 1);
    assert!(matches!(put(content), Err(Error::Again(_))));
    world.assert_whole();
    // Sent again it arrives.
    world.put("/new", &bytes);
    assert!(world.get("/new").unwrap() == bytes);
    world.assert_whole();
}

#[test]
fn an_interrupted_uploads_pack_is_found_and_goes_after_a_day() {
    let world = World::new(16, 0);
    let mut writer = world.access().upload(&Path::parse("/f").unwrap(), None).unwrap();
    writer.write(&noise(1, 3_000_000)).unwrap();
    // As when the process ends here.
    std::mem::forget(writer);
    assert_eq!(world.gate.check(world.person, false).unwrap().orphans, 1);
    age_files(&world, 23);
    assert_eq!(world.keep_up(24).packs_deleted, 0, "it is young");
    age_files(&world, 25);
    assert_eq!(world.keep_up(24).packs_deleted, 1);
    assert_eq!(world.gate.check(world.person, false).unwrap().orphans, 0);
}

#[test]
fn an_idle_tree_is_closed_and_opens_again() {
    let world = World::new(17, 0);
    world.put("/f", b"x");
    let held = world.access();
    world.gate.close_idle(Timestamp(i64::MAX));
    assert_eq!(held.usage().unwrap().used, 1, "a tree in use stays open");
    drop(held);
    world.gate.close_idle(Timestamp(i64::MAX));
    assert!(world.get("/f").unwrap() == b"x");
}

/// What was damaged or lost on the disk is mended by sending it again, and a new name for it is never a broken promise.
#[test]
fn sending_damaged_bytes_again_mends_them() {
    for lost in [false, true] {
        let world = World::new(18, 0);
        let bytes = noise(1, 3_000_000);
        world.put("/f", &bytes);
        let pack = world.packs().remove(0);
        if lost {
            std::fs::remove_file(&pack).unwrap();
        } else {
            let mut bad = std::fs::read(&pack).unwrap();
            let middle = bad.len() / 2;
            bad[middle] ^= 1;
            std::fs::write(&pack, bad).unwrap();
        }
        let world = world.reopened();
        assert!(world.get("/f").is_err());
        world.put("/again", &bytes);
        assert!(world.get("/again").unwrap() == bytes);
        assert!(world.get("/f").unwrap() == bytes, "the file that shares the chunks is whole too");
        world.wait(25);
        world.keep_up(0);
        world.keep_up(0);
        assert!(world.get("/f").unwrap() == bytes);
    }
}

#[test]
fn a_lost_catalog_is_not_an_empty_tree() {
    if crate::world::shared() {
        return;
    }
    let world = World::new(19, 0);
    world.put("/f", &noise(1, 3_000_000));
    let person = world.packs()[0].parent().unwrap().parent().unwrap().to_owned();
    for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(person.join(file));
    }
    let world = world.reopened();
    assert!(matches!(world.gate.check(world.person, false), Err(Error::Corrupt(_))));
    assert!(matches!(world.gate.keep_up(world.person, &holm_core::Rules::default()), Err(Error::Corrupt(_))));
    assert_eq!(world.packs().len(), 1);
}

/// Everything at once, at no grace at all: writers of the same few contents, and two rounds of upkeep side by side.
#[test]
fn upkeep_beside_writers_loses_nothing() {
    let world = World::new(20, 0);
    let blobs: Vec<_> = (0..4).map(|n| noise(n, 150_000 + n as usize * 70_000)).collect();
    let rules = Rules { grace: -1, ..Default::default() };
    let stop = std::sync::atomic::AtomicBool::new(false);
    let running = || !stop.load(std::sync::atomic::Ordering::SeqCst);
    std::thread::scope(|scope| {
        let upkeep = |_| {
            while running() {
                world.gate.keep_up(world.person, &rules).ok();
            }
        };
        (0..2).for_each(|n| drop(scope.spawn(move || upkeep(n))));
        let writers: Vec<_> = (0..4)
            .map(|n| {
                let (world, blobs) = (&world, &blobs);
                scope.spawn(move || {
                    let name = format!("/f{n}");
                    for round in 0..150 {
                        let bytes = &blobs[(n + round) % 4];
                        if crate::world::try_put(&world.access(), &name, bytes).is_ok() {
                            assert!(world.get(&name).unwrap() == *bytes, "an acknowledged write can be read");
                            world.purge(&name);
                        }
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(|w| w.join()).collect();
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        ended.into_iter().for_each(|w| w.unwrap());
    });
    world.assert_whole();
}
