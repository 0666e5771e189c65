//! Nothing acknowledged is lost when the process is killed (D01, in small).

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::server::Server;

#[test]
fn d01_acknowledged_writes_survive_kill_9() {
    let mut s = Server::start();
    let mut acknowledged = 0;
    for round in 0..5 {
        let stop = AtomicBool::new(false);
        let newest: Vec<AtomicU32> = (0..4).map(|_| AtomicU32::new(0)).collect();
        let pid = s.pid().to_string();
        std::thread::scope(|scope| {
            for (c, newest) in newest.iter().enumerate() {
                let (s, stop) = (&s, &stop);
                scope.spawn(move || {
                    for n in 1.. {
                        let size = if n % 5 == 0 { 100_000 } else { 100 };
                        let answer = s.send("PUT", &format!("/r{round}c{c}n{n}"), &[], vec![n as u8; size]);
                        if answer.status != 201 || stop.load(Ordering::SeqCst) {
                            break;
                        }
                        newest.store(n, Ordering::SeqCst);
                    }
                });
            }
            std::thread::sleep(std::time::Duration::from_millis(150 + 70 * round));
            std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
            stop.store(true, Ordering::SeqCst);
        });
        s.kill_and_restart();
        for (c, newest) in newest.iter().enumerate() {
            for n in 1..=newest.load(Ordering::SeqCst) {
                let size = if n % 5 == 0 { 100_000 } else { 100 };
                let body = s.send("GET", &format!("/r{round}c{c}n{n}"), &[], "").expect(200).body;
                assert_eq!(body, vec![n as u8; size]);
                acknowledged += 1;
            }
        }
    }
    assert!(acknowledged > 100, "only {acknowledged} writes were acknowledged: this proves nothing");
}

/// A flipped bit in a log ends it there, and what follows is undone without a word; in a catalog every page is sealed (D07).
#[test]
fn d07_a_clean_stop_leaves_no_log() {
    let mut s = Server::start();
    for n in 0..20 {
        s.send("PUT", &format!("/{n}"), &[], vec![n; 10_000]).expect(201);
    }
    assert!(s.terminate());
    let data = s.dir.path().join("data");
    let tree = std::fs::read_dir(data.join("people")).unwrap().next().unwrap().unwrap().path();
    for log in [data.join("holm.db-wal"), tree.join("catalog.db-wal")] {
        let length = log.metadata().map_or(0, |m| m.len());
        assert_eq!(length, 0, "{} holds commits", log.display());
    }
}
