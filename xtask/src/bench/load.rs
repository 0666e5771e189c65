//! Load: a number of connections, a thread each, that begin together; each answer's time is kept.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::Fallible;
use super::client::{Body, Conn, Target};

/// What one workload came to.
#[derive(Debug, Default)]
pub struct Load {
    /// From the first connection's start to the last answer.
    pub secs: f64,
    /// Milliseconds, ascending.
    pub latencies: Vec<f64>,
    /// Answers with another status or body than wanted, and broken connections.
    pub errors: usize,
    pub first_error: Option<String>,
}

impl Load {
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.secs
    }

    /// The latency that the share `p` of the answers stayed below.
    pub fn quantile(&self, p: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(((self.latencies.len() as f64 * p) as usize).min(last)).copied().unwrap_or(f64::NAN)
    }
}

/// One connection's part of the load.
pub struct Worker {
    pub conn: Conn,
    pub number: usize,
    conns: usize,
    latencies: Vec<Duration>,
    errors: usize,
    first_error: Option<String>,
    began: Instant,
    last: Instant,
}

impl Worker {
    /// This connection's part of `n` operations.
    pub fn share(&self, n: u64) -> impl Iterator<Item = u64> + use<> {
        (self.number as u64..n).step_by(self.conns)
    }

    /// The same, cut off `limit` from now.
    pub fn share_within(&self, n: u64, limit: Duration) -> impl Iterator<Item = u64> + use<> {
        let end = Instant::now() + limit;
        self.share(n).take_while(move |_| Instant::now() < end)
    }

    /// Times one exchange. Its answer must have one of the statuses `wanted` and pass `check`, which is not timed.
    pub fn timed(&mut self, wanted: &[u16], exchange: impl FnOnce(&mut Conn) -> Fallible<u16>, check: impl FnOnce(&Conn) -> bool) {
        let began = Instant::now();
        let status = exchange(&mut self.conn);
        self.last = Instant::now();
        self.latencies.push(self.last - began);
        let fault = match status {
            Ok(status) if !wanted.contains(&status) => Some(format!("answered {status}")),
            Ok(_) if !check(&self.conn) => Some("answered what was not asked for".to_owned()),
            Ok(_) => None,
            Err(e) => Some(e.to_string()),
        };
        if let Some(fault) = fault {
            self.errors += 1;
            self.first_error.get_or_insert(fault);
        }
    }

    pub fn send(&mut self, wanted: &[u16], method: &str, path: &str, headers: &str, body: &[u8]) {
        self.checked(wanted, method, path, headers, body, |_| true);
    }

    pub fn checked(&mut self, wanted: &[u16], method: &str, path: &str, headers: &str, body: &[u8], check: impl FnOnce(&Conn) -> bool) {
        self.timed(wanted, |conn| conn.send(method, path, headers, Body::Bytes(body)), check);
    }
}

/// Runs `work` on each of `conns` connections, which are open before the clock starts.
pub fn run(target: &Target, conns: usize, work: impl Fn(&mut Worker) + Sync) -> Fallible<Load> {
    let start = Barrier::new(conns);
    std::thread::scope(|scope| {
        let one = |number: usize| {
            let (start, work) = (&start, &work);
            move || {
                let now = Instant::now();
                let mut worker = Worker { conn: Conn::new(target), number, conns, latencies: Vec::new(), errors: 0, first_error: None, began: now, last: now };
                // A refused connection shows in the first exchange, which tries again.
                let _ = worker.conn.connect();
                start.wait();
                worker.began = Instant::now();
                work(&mut worker);
                worker
            }
        };
        let threads: Vec<_> = (0..conns).map(|n| scope.spawn(one(n))).collect();
        let mut load = Load::default();
        let mut span: Option<(Instant, Instant)> = None;
        for thread in threads {
            let worker = thread.join().map_err(|_| "a connection's thread panicked")?;
            span = Some(span.map_or((worker.began, worker.last), |(began, last)| (began.min(worker.began), last.max(worker.last))));
            load.latencies.extend(worker.latencies.iter().map(|l| l.as_secs_f64() * 1e3));
            load.errors += worker.errors;
            load.first_error = load.first_error.or(worker.first_error);
        }
        load.secs = span.map_or(0.0, |(began, last)| (last - began).as_secs_f64());
        load.latencies.sort_by(f64::total_cmp);
        Ok(load)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// Answers every request on every connection with the same bytes; closes where they say so.
    fn server(answer: &'static [u8]) -> Target {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    let last = answer.windows(5).any(|w| w == b"close");
                    while stream.read(&mut buffer).is_ok_and(|n| n > 0) && stream.write_all(answer).is_ok() && !last {}
                });
            }
        });
        Target { address, prefix: String::new(), authorization: String::new() }
    }

    #[test]
    fn every_operation_is_done_once_and_timed() {
        let target = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let load = run(&target, 3, |w| w.share(10).for_each(|_| w.checked(&[200], "GET", "/", "", b"", |c| c.body == b"ok"))).expect("a load");
        assert_eq!((load.latencies.len(), load.errors), (10, 0), "{:?}", load.first_error);
        assert!(load.quantile(0.5) <= load.quantile(0.99) && load.secs > 0.0);
    }

    #[test]
    fn wrong_statuses_bodies_and_broken_connections_are_counted() {
        let wrong = server(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        let load = run(&wrong, 2, |w| w.share(4).for_each(|_| w.send(&[200], "GET", "/", "", b""))).expect("a load");
        assert_eq!((load.errors, load.first_error.as_deref()), (4, Some("answered 404")));
        let body = server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        let load = run(&body, 1, |w| w.share(2).for_each(|n| w.checked(&[200], "GET", "/", "", b"", |c| n == 0 && c.body == b"abcde"))).expect("a load");
        assert_eq!(load.errors, 1);
        let broken = server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\ncut");
        let load = run(&broken, 1, |w| w.send(&[200], "GET", "/", "", b"")).expect("a load");
        assert_eq!((load.errors, load.first_error.as_deref()), (1, Some("a body cut short")));
    }
}
