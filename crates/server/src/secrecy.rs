//! What this process holds in memory, keys above all, stays there: a crash writes none of it to a disk (T52).

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// From now on there are no core dumps, whatever the system is set to, and no other process of the same user may look into
/// this one. A system that refuses is not worth ending for.
pub fn keep_memory_private() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
