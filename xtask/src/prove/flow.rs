//! One fixed sequence of requests that takes every way a write can go; sweeps repeat it with a fault at each place.

use super::Fallible;
use super::load::{Client, Faults};
use super::plan::{File, Op};
use crate::bench::client::{Conn, Target};

fn put(path: &str, seed: u64, length: usize) -> Op {
    Op::Put { path: path.into(), file: File::new(seed, length), if_match: None }
}

fn between(make: fn(String, String) -> Op, from: &str, to: &str) -> Op {
    make(from.into(), to.into())
}

/// The requests, with contents that follow from `seed`.
fn requests(seed: u64) -> Vec<Op> {
    let moved = |from, to| Op::Move { from, to };
    let copied = |from, to| Op::Copy { from, to };
    vec![
        put("/f0", seed, 1_000),
        Op::Mkcol { path: "/d0".into() },
        put("/d0/f1", seed + 1, 100_000),
        put("/f0", seed + 2, 60_000),
        put("/f2", seed + 3, 3_000_000),
        put("/d0/f1", seed + 4, 300_000),
        between(copied, "/d0", "/d1"),
        between(moved, "/f2", "/d1/f3"),
        Op::Delete { path: "/d0".into() },
        put("/f4", seed + 3, 3_000_000),
        put("/f5", seed + 5, 0),
    ]
}

/// Sends them one by one until one fails.
pub fn run(client: &mut Client, target: &Target, seed: u64) -> Fallible<()> {
    let mut conn = Conn::new(target);
    for op in requests(seed) {
        client.perform(&mut conn, op, Faults::Ends)?;
        if client.unknown.is_some() {
            break;
        }
    }
    Ok(())
}
