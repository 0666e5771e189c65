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
