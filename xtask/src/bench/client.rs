//! One keep-alive HTTP/1.1 connection, as cheap as the load needs it: the client shares its cores with the server.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Fallible;

/// Longer than any peer takes to delete 10,000 files.
const TIMEOUT: Duration = Duration::from_secs(300);
/// The largest answer that is kept; a listing of 10,000 entries is about a tenth of it.
const MAX_KEPT: u64 = 64 << 20;

/// Where a server listens, below which path a person's tree lies there, and the header that opens it.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: SocketAddr,
    pub prefix: String,
    pub authorization: String,
}

pub enum Body<'a> {
    Bytes(&'a [u8]),
    /// Sent from the page cache by the kernel.
    File(&'a File, u64),
}

pub struct Conn {
    target: Target,
    stream: Option<BufReader<TcpStream>>,
    line: String,
    /// Of the last answer.
    pub body: Vec<u8>,
    pub length: u64,
    pub etag: String,
    /// The Last-Modified date.
    pub modified: String,
    pub lock_token: String,
}

impl Conn {
    pub fn new(target: &Target) -> Conn {
        let target = target.clone();
        Conn { target, stream: None, line: String::new(), body: Vec::new(), length: 0, etag: String::new(), modified: String::new(), lock_token: String::new() }
    }

    pub fn connect(&mut self) -> std::io::Result<()> {
        let stream = TcpStream::connect(self.target.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        self.stream = Some(BufReader::with_capacity(1 << 18, stream));
        Ok(())
    }

    pub fn close(&mut self) {
        self.stream = None;
    }

    /// The address of `path` as a Destination header wants it.
    pub fn destination(&self, path: &str) -> String {
        format!("Destination: http://{}{}{path}\r\n", self.target.address, self.target.prefix)
    }

    /// Answers the status; the body is kept in [`Conn::body`].
    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: Body) -> Fallible<u16> {
        let fresh = self.stream.is_none();
        match self.exchange(method, path, headers, &body, true) {
            // An idle connection may have been closed meanwhile, as any client must expect.
            Err(_) if !fresh && matches!(body, Body::Bytes(_)) => {
                self.close();
                self.exchange(method, path, headers, &body, true)
            }
            done => done,
        }
        .inspect_err(|_| self.close())
    }

    /// The same, once: what came of a request whose answer is lost stays unknown.
    pub fn send_once(&mut self, method: &str, path: &str, headers: &str, bytes: &[u8]) -> Fallible<u16> {
        self.exchange(method, path, headers, &Body::Bytes(bytes), true).inspect_err(|_| self.close())
    }

    /// A GET whose body is only counted, in [`Conn::length`].
    pub fn download(&mut self, path: &str) -> Fallible<u16> {
        self.exchange("GET", path, "", &Body::Bytes(b""), false).inspect_err(|_| self.close())
    }

    fn exchange(&mut self, method: &str, path: &str, headers: &str, body: &Body, keep: bool) -> Fallible<u16> {
        if self.stream.is_none() {
            self.connect()?;
        }
        let Target { address, prefix, authorization } = &self.target;
        let length = match body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File(_, length) => *length,
        };
        let mut head = format!("{method} {prefix}{path} HTTP/1.1\r\nHost: {address}\r\n{authorization}{headers}");
        if length > 0 || method == "PUT" {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str("\r\n");
        let stream = self.stream.as_mut().ok_or("not connected")?.get_mut();
        match body {
            Body::Bytes(bytes) => stream.write_all(&[head.as_bytes(), bytes].concat())?,
            Body::File(file, length) => {
                stream.write_all(head.as_bytes())?;
                let mut file = *file;
                file.rewind()?;
                std::io::copy(&mut file.take(*length), stream)?;
            }
        }
        loop {
            let status = self.answer(keep)?;
            if status >= 200 {
                return Ok(status);
            }
        }
    }

    fn answer(&mut self, keep: bool) -> Fallible<u16> {
        let stream = self.stream.as_mut().ok_or("not connected")?;
        let line = &mut self.line;
        let (mut status, mut length, mut chunked, mut close) = (0, None, false, false);
        self.body.clear();
        self.length = 0;
        self.etag.clear();
        self.modified.clear();
        self.lock_token.clear();
        loop {
            line.clear();
            if stream.read_line(line)? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest.get(..3).unwrap_or_default().parse()?;
            } else if let Some((name, value)) = line.split_once(':') {
                let value = value.trim();
                match () {
                    () if name.eq_ignore_ascii_case("content-length") => length = Some(value.parse()?),
                    () if name.eq_ignore_ascii_case("transfer-encoding") => chunked = value.eq_ignore_ascii_case("chunked"),
                    () if name.eq_ignore_ascii_case("connection") => close = value.eq_ignore_ascii_case("close"),
                    () if name.eq_ignore_ascii_case("etag") => value.clone_into(&mut self.etag),
                    () if name.eq_ignore_ascii_case("last-modified") => value.clone_into(&mut self.modified),
                    () if name.eq_ignore_ascii_case("lock-token") => value.clone_into(&mut self.lock_token),
                    () => {}
                }
            } else if line.trim().is_empty() {
                break;
            }
        }
        let body = &mut self.body;
        self.length = match length {
            _ if matches!(status, 100..200 | 204 | 304) => 0,
            _ if chunked => chunks(stream, line, |part| take(part, keep.then_some(&mut *body)))?,
            Some(length) => {
                take(&mut stream.take(length), keep.then_some(body)).and_then(|n| if n == length { Ok(n) } else { Err("a body cut short".into()) })?
            }
            None => {
                close = true;
                take(stream, keep.then_some(body))?
            }
        };
        if close {
            self.close();
        }
        Ok(status)
    }
}

fn take(from: &mut impl Read, into: Option<&mut Vec<u8>>) -> Fallible<u64> {
    let Some(body) = into else {
        let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(total),
                n => total += n as u64,
            }
        }
    };
    let read = from.take(MAX_KEPT).read_to_end(body)? as u64;
    if body.len() as u64 >= MAX_KEPT { Err("an answer larger than any listing asked for".into()) } else { Ok(read) }
}

fn chunks<R: BufRead>(stream: &mut R, line: &mut String, mut part: impl FnMut(&mut std::io::Take<&mut R>) -> Fallible<u64>) -> Fallible<u64> {
    let mut total = 0;
    loop {
        line.clear();
        stream.read_line(line)?;
        let size = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
        if size == 0 {
            // Trailers, then an empty line.
            while !line.trim().is_empty() {
                line.clear();
                stream.read_line(line)?;
            }
            return Ok(total);
        }
        let read = part(&mut stream.by_ref().take(size))?;
        if read != size {
            return Err("a chunk cut short".into());
        }
        total += read;
        line.clear();
        stream.read_line(line)?;
    }
}
