//! Two processes over one catalog, as far as a test can have them in one: each with its own connections, writers and memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use holm_core::{Access, Change, Content, Error, Gate, NewContent, Party, Path, PersonId, Precondition, Rules, Seq, Tags, Via};

use crate::world::World;

fn access(gate: &Gate, person: PersonId) -> Access {
    gate.admit(Party::operator(person).into(), Via::HERE).unwrap()
}

fn put(access: &Access, name: &str, bytes: &[u8], precondition: Precondition) -> Result<String, Error> {
    let change = Change::Put { path: Path::parse(name)?, content: NewContent::Inline(bytes.to_vec()), media_type: None, modified: None };
    Ok(access.commit_blocking(change, precondition)?.entry.unwrap().etag())
}

fn get(access: &Access, name: &str) -> Vec<u8> {
    match access.open(&Path::parse(name).unwrap()).unwrap().1 {
        Content::Inline(bytes) => bytes,
        Content::Chunked(_) => panic!("small content"),
    }
}

#[test]
fn a_write_on_one_is_seen_on_the_other_at_once() {
    let world = World::new(61, 0);
    let other = world.beside();
    let nodes = [access(&world.gate, world.person), access(&other, world.person)];
    for n in 0..100 {
        let (bytes, seq) = (format!("{n}"), Seq(n + 1));
        put(&nodes[n as usize % 2], "/f", bytes.as_bytes(), Precondition::default()).unwrap();
        assert!(nodes.iter().all(|node| get(node, "/f") == bytes.as_bytes() && node.seq().unwrap() == seq));
    }
    world.assert_whole();
}

#[test]
fn d17_of_conditional_writes_on_two_nodes_one_wins() {
    let world = World::new(62, 0);
    let other = world.beside();
    let nodes = [access(&world.gate, world.person), access(&other, world.person)];
    let mut etag = None;
    for round in 0..40 {
        let condition = || match &etag {
            None => Precondition { if_none_match: Some(Tags::Any), ..Precondition::default() },
            Some(etag) => Precondition { if_match: Some(Tags::List(vec![String::clone(etag)])), ..Precondition::default() },
        };
        let barrier = std::sync::Barrier::new(4);
        let won: Vec<String> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4)
                .map(|n| {
                    let (node, barrier, condition) = (&nodes[n % 2], &barrier, condition());
                    scope.spawn(move || {
                        barrier.wait();
                        match put(node, "/f", format!("{round} {n}").as_bytes(), condition) {
                            Ok(etag) => Some(etag),
                            Err(Error::ConditionFailed(_)) => None,
                            Err(e) => panic!("{e}"),
                        }
                    })
                })
                .collect();
            racers.into_iter().filter_map(|r| r.join().unwrap()).collect()
        });
        assert_eq!(won.len(), 1, "round {round}");
        etag = won.into_iter().next();
    }
    assert_eq!(access(&other, world.person).journal(Seq(0), 1_000).unwrap().len(), 40, "one record a change that was made");
    world.assert_whole();
}

/// Both nodes write and keep up the same tree, with the same few contents, at no grace at all.
#[test]
fn upkeep_on_one_beside_writers_on_both_loses_nothing() {
    let world = World::new(63, 0);
    let other = world.beside();
    let blobs: Vec<_> = (0..3).map(|n| crate::world::noise(n, 150_000)).collect();
    let (stop, written) = (std::sync::atomic::AtomicBool::new(false), AtomicUsize::new(0));
    let rules = Rules { grace: -1, ..Rules::default() };
    std::thread::scope(|scope| {
        let upkeep = scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let _ = other.keep_up(world.person, &rules);
            }
        });
        let writers: Vec<_> = [&world.gate, &other]
            .into_iter()
            .enumerate()
            .map(|(n, gate)| {
                let (blobs, written, person) = (&blobs, &written, world.person);
                scope.spawn(move || {
                    for round in 0..60 {
                        let (name, access) = (format!("/f{n}"), access(gate, person));
                        if crate::world::try_put(&access, &name, &blobs[(n + round) % 3]).is_ok() {
                            written.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(|w| w.join()).collect();
        stop.store(true, Ordering::SeqCst);
        upkeep.join().unwrap();
        ended.into_iter().for_each(|w| w.unwrap());
    });
    assert!(written.load(Ordering::SeqCst) > 60, "too few were written to say anything");
    world.assert_whole();
}
