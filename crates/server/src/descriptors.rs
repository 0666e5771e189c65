//! Descriptors: as many as the system lets this process have, shared out so that a crowd at the door leaves enough for
//! catalogs and packs (D11).

use holm_core::mutant;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections at a time, where there are descriptors without end: each idle one holds some 10 KiB.
const MOST: u64 = 4_096;

/// Takes all the descriptors that may be had; answers how many connections may be open at a time: a third of them. A tree
/// in use holds 63 at most, its own sync and the host's catalog some 20 more.
pub fn connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let all = if raised.is_ok() { maximum } else { current };
    let share = |all: u64| if mutant("connections-without-number") { MOST } else { (all / 3).clamp(1, MOST) };
    all.map_or(MOST, share) as usize
}
