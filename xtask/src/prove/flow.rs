//! A fixed sequence of requests, and what sweeps do with a fault at each place: once beside the whole of it, once beside
//! each request alone, once beside a clean stop, once beside gc.

use super::load::{Client, Faults};
use super::plan::{File, Op};
use crate::bench::client::{Conn, Target};

fn put(path: &str, seed: u64, length: usize) -> Op {
    Op::Put { path: path.into(), file: File::new(seed, length), if_match: None }
}

fn between(make: fn(String, String) -> Op, from: &str, to: &str) -> Op {
    make(from.into(), to.into())
}

/// What takes every way a change of the catalog can go, with contents that follow from `seed`.
pub fn changes(seed: u64) -> Vec<Op> {
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

/// What happens while a call fails.
#[derive(Clone, Debug)]
pub enum Act {
    /// The server starts, and is sent everything.
    Start(Vec<Op>),
    /// It serves, and is sent this.
    Request(Op),
    /// It is asked to end.
    Stop,
    /// `holm gc` takes away all that may go.
    Gc,
}

pub struct Flow {
    /// What is done before, without a fault.
    pub before: Vec<Op>,
    pub act: Act,
}

impl Flow {
    pub fn all(seed: u64) -> Vec<Flow> {
        let changes = changes(seed);
        let mut flows = vec![Flow { before: Vec::new(), act: Act::Start(changes.clone()) }];
        flows.extend(changes.iter().enumerate().map(|(n, op)| Flow { before: changes[..n].to_vec(), act: Act::Request(op.clone()) }));
        flows.extend([Act::Stop, Act::Gc].map(|act| Flow { before: changes.clone(), act }));
        flows
    }

    pub fn name(&self) -> String {
        match &self.act {
            Act::Start(_) => "a start and all requests".into(),
            Act::Request(op) => op.to_string(),
            Act::Stop => "a clean stop".into(),
            Act::Gc => "gc".into(),
        }
    }
}

/// Sends them one by one, again what fails, until something fails twice. Answers how many failed.
pub fn run(client: &mut Client, target: &Target, requests: Vec<Op>) -> u64 {
    let mut conn = Conn::new(target);
    let mut failed = 0;
    for op in requests {
        client.perform(&mut conn, op.clone(), Faults::Ends);
        if client.unknown.is_some() {
            failed += 1;
            client.perform(&mut conn, op, Faults::Ends);
        }
        if client.unknown.is_some() {
            break;
        }
    }
    failed
}
