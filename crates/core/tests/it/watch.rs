//! Whoever follows the journal wakes when something was committed, and not before.

use std::time::Duration;

use holm_core::Seq;

use crate::world::{World, put};

#[test]
fn a_watcher_wakes_with_the_newest_number() {
    let world = World::new(21, 0);
    let access = world.access();
    let mut watch = access.watch();
    assert_eq!(*watch.borrow_and_update(), Seq(0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        assert!(tokio::time::timeout(Duration::from_millis(50), watch.changed()).await.is_err(), "nothing changed yet");
    });
    for n in 1..=20 {
        let put = std::thread::spawn({
            let access = access.clone();
            move || put(&access, "/f", b"x")
        });
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.expect("it wakes").unwrap() });
        put.join().unwrap();
        assert_eq!(*watch.borrow_and_update(), Seq(n));
    }
    let all = access.journal(Seq(0), 100).unwrap();
    assert!(all.iter().map(|r| r.seq.0).eq(1..=20));
}
