//! `cargo xtask bench`: holm beside the WebDAV servers that are installed, one at a time, under the same load, in
//! rounds; prints medians, and holm's ratio to the best of the others. holm is always durable and encrypted; the
//! table says that the others are neither.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// A server under test.
struct Peer {
    name: &'static str,
    child: Child,
    address: SocketAddr,
    prefix: &'static str,
    authorization: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

pub fn run(args: &[&str]) -> Fallible<()> {
    let rounds = match args {
        [] => 3,
        ["--rounds", n] => n.parse()?,
        _ => return Err("cargo xtask bench [--rounds N]".into()),
    };
    let built = Command::new("cargo").args(["build", "--release", "--bin", "holm"]).status()?;
    if !built.success() {
        return Err("holm does not build".into());
    }
    let mut results: BTreeMap<(usize, &'static str), BTreeMap<&'static str, Vec<f64>>> = BTreeMap::new();
    for _ in 0..rounds {
        for name in ["holm", "nginx", "rclone"] {
            let dir = tempfile::tempdir()?;
            let Some(peer) = start(name, dir.path())? else { continue };
            for (n, (workload, rate)) in measure(&peer)?.into_iter().enumerate() {
                results.entry((n, workload)).or_default().entry(peer.name).or_default().push(rate);
            }
        }
    }
    print(&results);
    Ok(())
}

fn print(results: &BTreeMap<(usize, &'static str), BTreeMap<&'static str, Vec<f64>>>) {
    println!("Medians. holm syncs and encrypts every write; the others do neither.\n");
    println!("| workload | holm | nginx | rclone | holm ÷ best |\n|---|---|---|---|---|");
    for ((_, workload), peers) in results {
        let median = |name: &str| {
            let mut rates = peers.get(name)?.clone();
            rates.sort_by(f64::total_cmp);
            rates.get(rates.len() / 2).copied()
        };
        let show = |rate: Option<f64>| rate.map_or("not installed".into(), |r| format!("{r:.0}"));
        let best = median("nginx").into_iter().chain(median("rclone")).fold(f64::NAN, f64::max);
        let ratio = median("holm").map_or(f64::NAN, |h| h / best);
        println!("| {workload} | {} | {} | {} | {ratio:.2} |", show(median("holm")), show(median("nginx")), show(median("rclone")));
    }
}

fn start(name: &'static str, dir: &Path) -> Fallible<Option<Peer>> {
    let files = dir.join("files");
    std::fs::create_dir_all(&files)?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command;
    let (mut prefix, mut authorization) = ("", String::new());
    match name {
        "holm" => {
            let at = |args: &[&str]| {
                let mut c = Command::new("target/release/holm");
                c.arg("--data").arg(dir.join("data")).arg("--root-key").arg(dir.join("root.key")).args(args);
                c
            };
            at(&["person", "add", "ann"]).output()?;
            let secret = String::from_utf8(at(&["app-password", "add", "ann", "--quiet"]).output()?.stdout)?;
            authorization = format!("Authorization: Basic {}\r\n", base64(format!("ann:{}", secret.trim()).as_bytes()));
            prefix = "/dav/files/ann";
            command = at(&["--listen", &address.to_string()]);
        }
        "nginx" => {
            let module = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so";
            if !Path::new(module).exists() {
                return Ok(None);
            }
            let conf = dir.join("nginx.conf");
            std::fs::write(
                &conf,
                format!(
                    "load_module {module}; user root; worker_processes 2; daemon off; pid {0}/pid; error_log {0}/log;
                     events {{ worker_connections 1024; }}
                     http {{ access_log off; sendfile on; keepalive_requests 1000000; client_max_body_size 0; client_body_temp_path {0}/tmp;
                       server {{ listen {address}; root {0}/files; location / {{ dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS; }} }} }}",
                    dir.display()
                ),
            )?;
            command = Command::new("nginx");
            command.arg("-c").arg(conf);
        }
        _ => {
            command = Command::new("rclone");
            command.args(["serve", "webdav", "--config", "/dev/null", "--addr", &address.to_string()]).arg(&files);
        }
    }
    let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return Ok(None) };
    let peer = Peer { name, child, address, prefix, authorization };
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        if began.elapsed() > Duration::from_secs(10) {
            return Err(format!("{name} does not answer").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(Some(peer))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |c: &[u8]| {
        let n = c.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - c.len()));
        (0..4).map(|i| if i > c.len() { '=' } else { LETTERS[(n >> (18 - 6 * i) & 63) as usize] as char }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// One keep-alive connection.
struct Conn(BufReader<TcpStream>);

impl Conn {
    fn open(peer: &Peer) -> Fallible<Conn> {
        let stream = TcpStream::connect(peer.address)?;
        stream.set_nodelay(true)?;
        Ok(Conn(BufReader::with_capacity(1 << 18, stream)))
    }

    /// Answers the status and how long the body was.
    fn send(&mut self, peer: &Peer, method: &str, path: &str, headers: &str, body: &[u8]) -> Fallible<(u16, u64)> {
        let head = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {}\r\n{}{headers}Content-Length: {}\r\n\r\n",
            peer.prefix,
            peer.address,
            peer.authorization,
            body.len()
        );
        let stream = self.0.get_mut();
        if body.len() < 65_536 {
            stream.write_all(&[head.as_bytes(), body].concat())?;
        } else {
            stream.write_all(head.as_bytes())?;
            stream.write_all(body)?;
        }
        let (mut line, mut status, mut length, mut chunked) = (String::new(), 0, 0, false);
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let lower = line.to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse()?;
            } else if let Some(n) = lower.strip_prefix("content-length:") {
                length = n.trim().parse()?;
            } else if lower.starts_with("transfer-encoding:") {
                chunked = true;
            } else if line.trim().is_empty() {
                break;
            }
        }
        if !chunked {
            return Ok((status, std::io::copy(&mut (&mut self.0).take(length), &mut std::io::sink())?));
        }
        let mut total = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16)?;
            total += std::io::copy(&mut (&mut self.0).take(size + 2), &mut std::io::sink())?;
            if size == 0 {
                return Ok((status, total));
            }
        }
    }
}

/// `count` requests dealt to `conns` connections; requests a second. Any status but the wanted one ends the run.
fn rate(peer: &Peer, conns: usize, count: usize, ok: &[u16], request: impl Fn(&mut Conn, usize) -> Fallible<(u16, u64)> + Sync) -> Fallible<f64> {
    let began = Instant::now();
    let failures = std::thread::scope(|scope| {
        let work = |c: usize| {
            let request = &request;
            move || -> Result<(), String> {
                let mut conn = Conn::open(peer).map_err(|e| e.to_string())?;
                for n in (c..count).step_by(conns) {
                    let (status, _) = request(&mut conn, n).map_err(|e| e.to_string())?;
                    if !ok.contains(&status) {
                        return Err(format!("{} answered {status}", peer.name));
                    }
                }
                Ok(())
            }
        };
        let threads: Vec<_> = (0..conns).map(|c| scope.spawn(work(c))).collect();
        threads.into_iter().filter_map(|t| t.join().expect("a worker").err()).collect::<Vec<_>>()
    });
    match failures.first() {
        Some(e) => Err(e.clone().into()),
        None => Ok(count as f64 / began.elapsed().as_secs_f64()),
    }
}

fn noise(seed: usize, size: usize) -> Vec<u8> {
    let mut x = seed as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let word = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()
    };
    (0..size / 8).flat_map(word).collect()
}

fn measure(peer: &Peer) -> Fallible<Vec<(&'static str, f64)>> {
    let small = noise(1, 1024);
    let put = |c: &mut Conn, path: &str| c.send(peer, "PUT", path, "", &small);
    let made = &[200, 201, 204];
    rate(peer, 1, 1, made, |c, _| c.send(peer, "MKCOL", "/a/", "", b""))?;
    let mut out = vec![
        ("PUT 1 KiB, 8 connections (/s)", rate(peer, 8, 4_000, made, |c, n| put(c, &format!("/a/f{n}")))?),
        ("PUT 1 KiB, 64 connections (/s)", rate(peer, 64, 6_400, made, |c, n| put(c, &format!("/a/g{n}")))?),
        ("GET 1 KiB, 8 connections (/s)", rate(peer, 8, 40_000, &[200], |c, n| c.send(peer, "GET", &format!("/a/f{}", n * 7919 % 4_000), "", b""))?),
        ("PROPFIND 10,400 entries (/s)", rate(peer, 1, 5, &[207], |c, _| c.send(peer, "PROPFIND", "/a/", "Depth: 1\r\n", b""))?),
    ];
    let big = noise(2, 512 << 20);
    out.push(("PUT 512 MiB (MiB/s)", 512.0 * rate(peer, 1, 1, made, |c, _| c.send(peer, "PUT", "/big", "", &big))?));
    out.push(("GET 512 MiB (MiB/s)", 512.0 * rate(peer, 1, 1, &[200], |c, _| c.send(peer, "GET", "/big", "", b""))?));
    let range = |n: usize| format!("Range: bytes={0}-{1}\r\n", (n * 7_919_777) % (500 << 20), (n * 7_919_777) % (500 << 20) + 65_535);
    out.push(("GET 64 KiB ranges, 8 connections (/s)", rate(peer, 8, 16_000, &[206], |c, n| c.send(peer, "GET", "/big", &range(n), b""))?));
    out.push(("DELETE 10,400 entries (/s)", rate(peer, 1, 1, made, |c, _| c.send(peer, "DELETE", "/a/", "", b""))?));
    Ok(out)
}
