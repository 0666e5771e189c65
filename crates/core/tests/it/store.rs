//! Large content: cut, sealed, deduplicated, and never served wrong.

use holm_core::Error;

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
