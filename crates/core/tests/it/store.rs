//! Large content: cut, sealed, deduplicated, and never served wrong.

use holm_core::{Change, Content, Error, Path, Precondition};

use crate::world::{Dice, World};

fn put(world: &World, name: &str, bytes: &[u8]) {
    let access = world.access();
    let path = Path::parse(name).unwrap();
    let mut writer = access.upload(&path).unwrap();
    bytes.chunks(100_000).for_each(|b| writer.write(b).unwrap());
    let content = writer.finish().unwrap();
    access.commit_blocking(Change::Put { path, content, media_type: None, modified: None }, Precondition::default()).unwrap();
}

fn get(world: &World, name: &str) -> Result<Vec<u8>, Error> {
    let access = world.access();
    let (_, content) = access.open(&Path::parse(name)?)?;
    let Content::Chunked { id, size } = content else { panic!("{name} is small") };
    let mut out = Vec::new();
    while (out.len() as u64) < size {
        access.read_some(id, out.len() as u64, size, &mut out)?;
    }
    Ok(out)
}

fn packs(world: &World) -> Vec<std::path::PathBuf> {
    let person = std::fs::read_dir(world.dir.path().join("people")).unwrap().next().unwrap().unwrap().path();
    std::fs::read_dir(person.join("packs")).unwrap().map(|e| e.unwrap().path()).collect()
}

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let dice = Dice::new(seed);
    (0..size).map(|_| dice.next() as u8).collect()
}

#[test]
fn a_changed_part_is_all_that_is_stored_again() {
    let world = World::new(2, 0);
    let mut bytes = noise(3, 40 << 20);
    put(&world, "/f", &bytes);
    let size = |world: &World| packs(world).iter().map(|p| p.metadata().unwrap().len()).sum::<u64>();
    let before = size(&world);
    put(&world, "/copy", &bytes);
    assert_eq!(size(&world), before, "the same bytes again cost nothing");
    bytes[20 << 20..][..400_000].copy_from_slice(&noise(4, 400_000));
    put(&world, "/f", &bytes);
    let grown = size(&world) - before;
    assert!(grown < 4 << 20, "a change of 1 % stored {grown} bytes");
    assert!(get(&world.reopened(), "/f").unwrap() == bytes);
}

#[test]
fn d07_a_flipped_bit_is_never_served() {
    let world = World::new(5, 0);
    let bytes = noise(6, 3 << 20);
    put(&world, "/f", &bytes);
    let pack = packs(&world).remove(0);
    let good = std::fs::read(&pack).unwrap();
    let world = world.reopened();
    let dice = Dice::new(7);
    for _ in 0..40 {
        let mut bad = good.clone();
        // Past the headers, where content is: those say nothing that a reader believes.
        let at = 64 + 40 + dice.below(good.len() - 64 - 40);
        bad[at] ^= 1 << dice.below(8);
        std::fs::write(&pack, &bad).unwrap();
        match get(&world, "/f") {
            Err(Error::Corrupt(_)) => {}
            Ok(read) => assert!(read == bytes, "wrong bytes served after a flip at {at}"),
            Err(other) => panic!("{other}"),
        }
    }
    std::fs::write(&pack, &good).unwrap();
    assert!(get(&world, "/f").unwrap() == bytes);
}
