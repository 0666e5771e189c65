//! What each server is asked to do, in this order, because later workloads use earlier ones' files. Sizes are those of
//! the WebDAV benches people run by hand: 2,000 small files, a folder of 10,000, a tree of 1,000, a file of 1 GiB.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::Duration;

use super::Fallible;
use super::client::{Body, Conn};
use super::content::{Random, edit, small};
use super::load::{self, Load, Worker};
use super::process::Watch;
use super::results::Figure;
use super::server::{Directory, Server};

const MADE: &[u16] = &[200, 201, 204];
const FOUND: &[u16] = &[200];
const GONE: &[u16] = &[200, 204];
const MULTISTATUS: &[u16] = &[207];
const DEPTH_0: &str = "Depth: 0\r\nContent-Type: application/xml\r\n";
const DEPTH_1: &str = "Depth: 1\r\nContent-Type: application/xml\r\n";
const XML: &str = "Content-Type: application/xml\r\n";
/// What a file manager asks for.
const PROPERTIES: &[u8] = br#"<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:"><d:prop><d:getlastmodified/><d:getcontentlength/><d:getetag/><d:resourcetype/></d:prop></d:propfind>"#;
const LOCK: &[u8] = br#"<?xml version="1.0"?><d:lockinfo xmlns:d="DAV:"><d:lockscope><d:exclusive/></d:lockscope><d:locktype><d:write/></d:locktype><d:owner>bench</d:owner></d:lockinfo>"#;
/// A folder this large is listed in the mixed load.
const LISTED: u64 = 100;
const RANGE: u64 = 65_536;
/// Connections, where nothing else is said.
const CONNS: usize = 8;
const MANY: usize = 64;

#[derive(Clone, Copy)]
pub struct Sizes {
    pub files: u64,
    pub entries: u64,
    pub folders: u64,
    pub large_mib: u64,
    pub reads: u64,
    pub mixed: Duration,
    /// Reads stop after this long, done or not.
    pub cap: Duration,
}

impl Sizes {
    pub const FULL: Sizes =
        Sizes { files: 2_000, entries: 10_000, folders: 10, large_mib: 1_024, reads: 20_000, mixed: Duration::from_secs(15), cap: Duration::from_secs(6) };
    /// Shows that everything works; its figures say nothing.
    pub const QUICK: Sizes =
        Sizes { files: 200, entries: 300, folders: 2, large_mib: 32, reads: 400, mixed: Duration::from_secs(1), cap: Duration::from_secs(2) };
}

/// A workload: its name, those whose files it needs, and what it does.
pub struct Workload {
    pub name: &'static str,
    pub needs: &'static [&'static str],
    pub run: fn(&mut Bench) -> Fallible<()>,
}

pub const WORKLOADS: &[Workload] = &[
    Workload { name: "put1k", needs: &[], run: |b| b.put1k() },
    Workload { name: "get1k", needs: &["put1k"], run: |b| b.get1k() },
    Workload { name: "get304", needs: &["put1k"], run: |b| b.get304() },
    Workload { name: "propfind0", needs: &["put1k"], run: |b| b.propfind0() },
    Workload { name: "lock", needs: &["put1k"], run: |b| b.lock() },
    Workload { name: "propfind1", needs: &[], run: |b| b.propfind1() },
    Workload { name: "tree1k", needs: &[], run: |b| b.tree1k() },
    Workload { name: "put1g", needs: &[], run: |b| b.put1g() },
    Workload { name: "get1g", needs: &["put1g"], run: |b| b.get1g() },
    Workload { name: "range64k", needs: &["put1g"], run: |b| b.range64k() },
    Workload { name: "mixed", needs: &["put1k", "put1g"], run: |b| b.mixed() },
    Workload { name: "changed", needs: &["put1g"], run: |b| b.changed() },
    Workload { name: "delete", needs: &["put1k"], run: |b| b.delete() },
    Workload { name: "del10k", needs: &["propfind1"], run: |b| b.del10k() },
];

/// One server under measurement, below one folder of its tree.
pub struct Bench<'a> {
    pub server: &'a Server,
    pub sizes: Sizes,
    pub root: String,
    /// The large file's source, the same for all servers of a round.
    pub large: &'a mut File,
    /// Resident memory before any load.
    pub idle: f64,
    pub figures: Vec<Figure>,
}

impl Bench<'_> {
    /// Makes the folder that all workloads stay in.
    pub fn begin(&self) -> Fallible<()> {
        self.collection("")
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.root)
    }

    /// Made outside any measurement.
    fn collection(&self, name: &str) -> Fallible<()> {
        let path = self.path(name);
        let status = Conn::new(&self.server.target).send("MKCOL", &path, "", Body::Bytes(b""))?;
        if MADE.contains(&status) { Ok(()) } else { Err(format!("{}: MKCOL {path} answered {status}", self.server.peer.name).into()) }
    }

    fn load(&self, conns: usize, work: impl Fn(&mut Worker) + Sync) -> Fallible<(Load, f64, f64)> {
        // No workload pays for an earlier one's dirty pages.
        Command::new("sync").status()?;
        let watch = Watch::start(self.server.pid());
        let load = load::run(&self.server.target, conns, work)?;
        let (cpu, peak) = watch.stop();
        Ok((load, cpu, peak))
    }

    /// Operations a second.
    fn rate(&mut self, key: &'static str, conns: usize, work: impl Fn(&mut Worker) + Sync) -> Fallible<()> {
        let (load, cpu, peak) = self.load(conns, work)?;
        self.figures.push(Figure::new(key, load.rate()).of(&load, cpu, peak));
        Ok(())
    }

    /// Milliseconds of the median operation, on one connection.
    fn time(&mut self, key: &'static str, work: impl Fn(&mut Worker) + Sync) -> Fallible<()> {
        let (load, cpu, peak) = self.load(1, work)?;
        self.figures.push(Figure::new(key, load.quantile(0.5)).of(&load, cpu, peak));
        Ok(())
    }

    /// MiB a second of one large body, and the memory it took above idle.
    fn transfer(&mut self, key: &'static str, memory: &'static str, work: impl Fn(&mut Worker) + Sync) -> Fallible<()> {
        let (load, cpu, peak) = self.load(1, work)?;
        self.figures.push(Figure::new(key, self.sizes.large_mib as f64 / load.secs).of(&load, cpu, peak));
        self.figures.push(Figure::new(memory, peak - self.idle));
        Ok(())
    }

    fn put1k(&mut self) -> Fallible<()> {
        let (files, folder, other) = (self.sizes.files, self.path("a"), self.path("b"));
        self.collection("a/")?;
        self.collection("b/")?;
        let put = |w: &mut Worker, folder: &str| w.share(files).for_each(|n| w.send(MADE, "PUT", &format!("{folder}/f{n}"), "", &small(n)));
        self.rate("put1k_8", CONNS, |w| put(w, &folder))?;
        self.rate("put1k_64", MANY, |w| put(w, &other))
    }

    fn get1k(&mut self) -> Fallible<()> {
        let (Sizes { files, reads, cap, .. }, folder) = (self.sizes, self.path("a"));
        self.rate("get1k", CONNS, |w| {
            let mut random = Random::new(w.number as u64);
            for _ in w.share_within(reads, cap) {
                let n = random.below(files);
                w.checked(FOUND, "GET", &format!("{folder}/f{n}"), "", b"", |c| c.body == small(n));
            }
        })
    }

    fn get304(&mut self) -> Fallible<()> {
        let (Sizes { files, reads, cap, .. }, folder) = (self.sizes, self.path("a"));
        let (mut conn, mut random) = (Conn::new(&self.server.target), Random::new(1));
        let mut tags = Vec::new();
        for _ in 0..40 {
            let path = format!("{folder}/f{}", random.below(files));
            conn.send("GET", &path, "", Body::Bytes(b""))?;
            tags.push((path, format!("If-None-Match: {}\r\n", conn.etag)));
        }
        self.rate("get304", CONNS, |w| {
            let mut random = Random::new(w.number as u64);
            for _ in w.share_within(reads, cap) {
                let (path, header) = &tags[random.below(tags.len() as u64) as usize];
                w.send(&[304], "GET", path, header, b"");
            }
        })
    }

    fn propfind0(&mut self) -> Fallible<()> {
        let (Sizes { files, reads, cap, .. }, folder) = (self.sizes, self.path("a"));
        self.rate("propfind0", CONNS, |w| {
            let mut random = Random::new(w.number as u64);
            for _ in w.share_within(reads, cap) {
                let path = format!("{folder}/f{}", random.below(files));
                w.checked(MULTISTATUS, "PROPFIND", &path, DEPTH_0, PROPERTIES, |c| c.body.windows(15).any(|b| b == b"getlastmodified"));
            }
        })
    }

    /// LOCK, PUT with the token, UNLOCK.
    fn lock(&mut self) -> Fallible<()> {
        let (files, folder) = (self.sizes.files / 4, self.path("a"));
        self.rate("lock", 1, |w| {
            for n in 0..files {
                let path = format!("{folder}/f{n}");
                w.checked(&[200, 201], "LOCK", &path, &format!("{XML}Depth: 0\r\nTimeout: Second-60\r\n"), LOCK, |c| !c.lock_token.is_empty());
                let token = w.conn.lock_token.clone();
                w.send(MADE, "PUT", &path, &format!("If: ({token})\r\n"), &small(n));
                w.send(GONE, "UNLOCK", &path, &format!("Lock-Token: {token}\r\n"), b"");
            }
        })
    }

    fn propfind1(&mut self) -> Fallible<()> {
        let (entries, folder) = (self.sizes.entries, self.path("large"));
        self.collection("large/")?;
        self.fill(|w| w.share(entries).for_each(|n| w.send(MADE, "PUT", &format!("{folder}/entry{n:05}.txt"), "", b"0123456789abcdef")))?;
        self.time("propfind1", |w| {
            for _ in 0..5 {
                w.checked(MULTISTATUS, "PROPFIND", &format!("{folder}/"), DEPTH_1, PROPERTIES, |c| responses(&c.body) as u64 == entries + 1);
            }
        })
    }

    /// Set-up that must succeed and is not reported.
    fn fill(&self, work: impl Fn(&mut Worker) + Sync) -> Fallible<()> {
        let load = load::run(&self.server.target, CONNS, work)?;
        match load.first_error {
            Some(e) => Err(format!("{}: {} of {} could not be set up: {e}", self.server.peer.name, load.errors, load.latencies.len()).into()),
            None => Ok(()),
        }
    }

    /// COPY, MOVE and DELETE of ten folders of a hundred files, one request each.
    fn tree1k(&mut self) -> Fallible<()> {
        let (folders, tree) = (self.sizes.folders, self.path("t"));
        self.collection("t/")?;
        self.fill(|w| {
            for d in w.share(folders) {
                w.send(MADE, "MKCOL", &format!("{tree}/d{d}/"), "", b"");
                (0..LISTED).for_each(|n| w.send(MADE, "PUT", &format!("{tree}/d{d}/f{n}"), "", &small(n)));
            }
        })?;
        let target = self.server.target.clone();
        let last = |path: &str| {
            let path = format!("{path}d{}/f{}", folders - 1, LISTED - 1);
            Conn::new(&target).send("GET", &path, "", Body::Bytes(b"")).ok()
        };
        let (original, copy, moved) = (self.path("t/"), self.path("t2/"), self.path("t3/"));
        let to = |path: &str| format!("{}Overwrite: F\r\n", Conn::new(&target).destination(path));
        let copied = |_: &Conn| last(&original) == Some(200) && last(&copy) == Some(200);
        self.time("copy", |w| w.checked(&[201, 204], "COPY", &original, &format!("{}Depth: infinity\r\n", to(&copy)), b"", copied))?;
        // Not every server copies folders; those that do not still move and delete them.
        let from = if last(&copy) == Some(200) { copy } else { original };
        self.time("move", |w| w.checked(&[201, 204], "MOVE", &from, &to(&moved), b"", |_| last(&moved) == Some(200) && last(&from) == Some(404)))?;
        self.time("delete1k", |w| w.checked(GONE, "DELETE", &moved, "", b"", |_| last(&moved) == Some(404)))
    }

    fn put(&mut self, key: &'static str, memory: &'static str) -> Fallible<()> {
        let (path, file, length) = (self.path("large.bin"), self.large.try_clone()?, self.sizes.large_mib << 20);
        let header = "Content-Type: application/octet-stream\r\n";
        self.transfer(key, memory, |w| w.timed(MADE, |c| c.send("PUT", &path, header, Body::File(&file, length)), |_| true))
    }

    fn put1g(&mut self) -> Fallible<()> {
        self.put("put1g", "put1g_memory")
    }

    fn get1g(&mut self) -> Fallible<()> {
        let (path, length) = (self.path("large.bin"), self.sizes.large_mib << 20);
        self.transfer("get1g", "get1g_memory", |w| w.timed(FOUND, |c| c.download(&path), |c| c.length == length))
    }

    fn range64k(&mut self) -> Fallible<()> {
        let (Sizes { files, cap, .. }, path, length) = (self.sizes, self.path("large.bin"), self.sizes.large_mib << 20);
        let file = self.large.try_clone()?;
        self.rate("range64k", CONNS, |w| {
            let (mut random, mut wanted) = (Random::new(100 + w.number as u64), vec![0; RANGE as usize]);
            for _ in w.share_within(2 * files, cap) {
                let from = random.below(length - RANGE);
                let same = |c: &Conn| file.read_exact_at(&mut wanted, from).is_ok() && c.body == wanted;
                w.checked(&[206], "GET", &path, &range(from), b"", same);
            }
        })
    }

    /// 60 % GET, 15 % PUT, 15 % PROPFIND of one, 5 % PROPFIND of 100, 5 % ranges, from 64 connections.
    fn mixed(&mut self) -> Fallible<()> {
        let (Sizes { files, mixed, large_mib, .. }, listed, folder, large) = (self.sizes, self.path("mixed/"), self.path("a"), self.path("large.bin"));
        self.collection("mixed/")?;
        self.fill(|w| w.share(LISTED).for_each(|n| w.send(MADE, "PUT", &format!("{listed}m{n}"), "", &small(n))))?;
        self.rate("mixed", MANY, |w| {
            let (mut random, mut written) = (Random::new(200 + w.number as u64), 0);
            for _ in w.share_within(u64::MAX, mixed) {
                let n = random.below(files);
                match random.below(100) {
                    0..60 => w.checked(FOUND, "GET", &format!("{folder}/f{n}"), "", b"", |c| c.body.len() == 1024),
                    60..75 => {
                        w.send(MADE, "PUT", &format!("{folder}/w{}-{}", w.number, written % 50), "", &small(n));
                        written += 1;
                    }
                    75..90 => w.send(MULTISTATUS, "PROPFIND", &format!("{folder}/f{n}"), DEPTH_0, PROPERTIES),
                    90..95 => w.checked(MULTISTATUS, "PROPFIND", &listed, DEPTH_1, PROPERTIES, |c| responses(&c.body) as u64 == LISTED + 1),
                    _ => w.send(&[206], "GET", &large, &range(random.below((large_mib << 20) - RANGE)), b""),
                }
            }
        })?;
        let p99 = self.figures.last().map_or(f64::NAN, |f| f.p99);
        self.figures.push(Figure::new("mixed_p99", p99));
        Ok(())
    }

    /// What a second version that differs in a hundredth adds to the data, in percent of the file. The others keep no
    /// first version, so there is nothing to compare.
    fn changed(&mut self) -> Fallible<()> {
        if self.server.peer.name != "holm" {
            return Ok(());
        }
        edit(self.large)?;
        let data = self.server.directory.path.join("data");
        let before = Directory::allocated(&data)?;
        self.put("changed_put", "changed_memory")?;
        let grown = Directory::allocated(&data)?.saturating_sub(before);
        self.figures.push(Figure::new("changed", 100.0 * grown as f64 / (self.sizes.large_mib << 20) as f64));
        Ok(())
    }

    fn delete(&mut self) -> Fallible<()> {
        let (files, folder) = (self.sizes.files, self.path("a"));
        self.rate("delete", CONNS, |w| w.share(files).for_each(|n| w.send(GONE, "DELETE", &format!("{folder}/f{n}"), "", b"")))
    }

    fn del10k(&mut self) -> Fallible<()> {
        let folder = self.path("large/");
        self.time("delete10k", |w| w.send(GONE, "DELETE", &folder, "", b""))
    }
}

fn range(from: u64) -> String {
    format!("Range: bytes={from}-{}\r\n", from + RANGE - 1)
}

/// How many `response` elements a multistatus holds, whatever its prefix.
pub fn responses(body: &[u8]) -> usize {
    let opens = |tag: &[u8]| {
        let name = tag.split(|b| matches!(b, b' ' | b'>')).next().unwrap_or_default();
        !name.starts_with(b"/") && name.rsplit(|b| *b == b':').next() == Some(b"response".as_slice())
    };
    body.split(|b| *b == b'<').filter(|tag| opens(&tag[..tag.len().min(40)])).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_counted_whatever_their_prefix() {
        let body = b"<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\"><D:response xmlns:x=\"y\"><D:responsedescription>response</D:responsedescription></D:response><response></response><lp1:response></lp1:response></D:multistatus>";
        assert_eq!(responses(body), 3);
    }

    #[test]
    fn what_a_workload_needs_comes_before_it() {
        for (n, workload) in WORKLOADS.iter().enumerate() {
            for need in workload.needs {
                assert!(WORKLOADS[..n].iter().any(|w| w.name == *need), "{} needs {need}", workload.name);
            }
        }
    }
}
