//! What the HTTP/1 parser in use lets through although two servers could read it differently (T12), or drops before a
//! handler can see it: bare line feeds, folded headers, Transfer-Encoding beside Content-Length, and a fragment in the
//! request-target. The filter follows the framing of one connection and spoils such a byte on its way to the parser,
//! which then answers 400 and closes.

/// A byte that no head may hold.
const SPOILED: u8 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    RequestLine,
    LineStart,
    Name,
    Value,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    Trailer,
    /// HTTP/2, or spoiled already: no longer ours to read.
    Through,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Header {
    ContentLength,
    TransferEncoding,
    Other,
}

/// The state of one connection's reading side.
#[derive(Debug)]
pub struct Filter {
    at: At,
    previous: u8,
    /// The start of the line or name being read.
    word: Vec<u8>,
    spaces: u8,
    empty: bool,
    header: Header,
    length: Option<u64>,
    chunked: bool,
    size: u64,
    in_size: bool,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            at: At::RequestLine,
            previous: 0,
            word: Vec::new(),
            spaces: 0,
            empty: true,
            header: Header::Other,
            length: None,
            chunked: false,
            size: 0,
            in_size: true,
        }
    }
}

impl Filter {
    /// Looks at the next bytes of the connection, in whatever pieces they come.
    pub fn pass(&mut self, bytes: &mut [u8]) {
        let mut n = 0;
        while n < bytes.len() {
            match self.at {
                At::Through => return,
                At::Body(left) | At::ChunkData(left) => {
                    let take = left.min((bytes.len() - n) as u64);
                    n += take as usize;
                    self.at = match (self.at, left - take) {
                        (At::Body(_), 0) => self.next_request(),
                        (At::Body(_), left) => At::Body(left),
                        (_, 0) => {
                            (self.size, self.in_size) = (0, true);
                            At::ChunkSize
                        }
                        (_, left) => At::ChunkData(left),
                    };
                }
                _ => {
                    if self.byte(bytes[n]).is_err() {
                        bytes[n] = SPOILED;
                        self.at = At::Through;
                    }
                    self.previous = bytes[n];
                    n += 1;
                }
            }
        }
    }

    fn next_request(&mut self) -> At {
        let mut word = std::mem::take(&mut self.word);
        word.clear();
        *self = Filter { word, ..Filter::default() };
        At::RequestLine
    }

    /// Fails for a byte that must not reach the parser.
    fn byte(&mut self, b: u8) -> Result<(), ()> {
        if b == b'\n' && self.previous != b'\r' {
            return Err(());
        }
        match self.at {
            At::RequestLine => self.request_line(b),
            At::LineStart | At::Name | At::Value => self.header_byte(b),
            At::ChunkSize => self.chunk_size(b),
            At::Trailer => {
                match b {
                    b'\n' if self.empty => self.at = self.next_request(),
                    b'\n' => self.empty = true,
                    b'\r' => {}
                    _ => self.empty = false,
                }
                Ok(())
            }
            At::Body(_) | At::ChunkData(_) | At::Through => Ok(()),
        }
    }

    fn request_line(&mut self, b: u8) -> Result<(), ()> {
        match b {
            b'\n' if self.empty => {}
            b'\n' => self.at = At::LineStart,
            b'\r' => {}
            b' ' => {
                self.spaces = self.spaces.saturating_add(1);
                if self.spaces == 1 && self.word == b"PRI" {
                    self.at = At::Through;
                }
            }
            b'#' if self.spaces == 1 => return Err(()),
            _ => {
                self.empty = false;
                if self.spaces == 0 && self.word.len() < 4 {
                    self.word.push(b);
                }
            }
        }
        Ok(())
    }

    fn header_byte(&mut self, b: u8) -> Result<(), ()> {
        match (self.at, b) {
            (At::LineStart, b' ' | b'\t') => return Err(()),
            (At::LineStart, b'\r') => {}
            (At::LineStart, b'\n') => self.head_ended(),
            (At::LineStart, _) => {
                self.word.clear();
                self.word.push(b.to_ascii_lowercase());
                self.at = At::Name;
            }
            (At::Name, b':') => return self.name_ended(),
            (_, b'\n') => self.at = At::LineStart,
            (At::Name, _) if self.word.len() < 20 => {
                self.word.push(b.to_ascii_lowercase());
            }
            (_, b'0'..=b'9') if self.header == Header::ContentLength => {
                let so_far = self.length.unwrap_or(0);
                self.length = Some(so_far.saturating_mul(10).saturating_add(u64::from(b - b'0')));
            }
            _ => {}
        }
        Ok(())
    }

    fn name_ended(&mut self) -> Result<(), ()> {
        self.at = At::Value;
        self.header = match self.word.as_slice() {
            b"content-length" => Header::ContentLength,
            b"transfer-encoding" => Header::TransferEncoding,
            _ => Header::Other,
        };
        match self.header {
            Header::ContentLength if self.length.is_some() || self.chunked => Err(()),
            Header::TransferEncoding if self.length.is_some() || self.chunked => Err(()),
            Header::TransferEncoding => {
                self.chunked = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn head_ended(&mut self) {
        (self.size, self.in_size) = (0, true);
        self.at = match (self.chunked, self.length) {
            (true, _) => At::ChunkSize,
            (false, Some(n)) if n > 0 => At::Body(n),
            _ => self.next_request(),
        };
    }

    /// A chunk's size line, with the line end of the chunk before it.
    fn chunk_size(&mut self, b: u8) -> Result<(), ()> {
        match (b as char).to_digit(16) {
            Some(digit) if self.in_size => {
                self.empty = false;
                self.size = self.size.checked_mul(16).and_then(|s| s.checked_add(u64::from(digit))).ok_or(())?;
            }
            _ if b == b';' => self.in_size = false,
            // The empty rest of a line is the end of the data before.
            _ if b == b'\n' && self.empty => {}
            _ if b == b'\n' => {
                self.empty = true;
                self.at = if self.size == 0 { At::Trailer } else { At::ChunkData(self.size) };
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether bytes pass unharmed, in every way of cutting them in two.
    fn check(text: &str, passes: bool) {
        for cut in 0..=text.len() {
            let mut bytes = text.as_bytes().to_vec();
            let mut filter = Filter::default();
            let (a, b) = bytes.split_at_mut(cut);
            filter.pass(a);
            filter.pass(b);
            assert_eq!(bytes == text.as_bytes(), passes, "{text:?} cut at {cut}");
        }
    }

    #[test]
    fn t12_what_may_be_read_in_two_ways() {
        let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
        let put = "PUT /a HTTP/1.1\r\nContent-Length: 12\r\n\r\n#\n x: y\n\n#\n!";
        let chunked = "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\n\n\n #\r\n0\r\nT: x\r\n\r\n";
        for good in [get, put, chunked, "\r\nGET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n#"] {
            check(good, true);
        }
        check(&[get, put, chunked, put, get].concat(), true);
        for bad in [
            "GET /a#b HTTP/1.1\r\n\r\n",
            "GET /a HTTP/1.1\nHost: h\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: h\n\r\n",
            "GET /a HTTP/1.1\r\nHost: h\r\n\n",
            "GET /a HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
            "PUT /a HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH: 3\r\n\r\n0\r\n\r\n",
            "PUT /a HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ] {
            check(bad, false);
            check(&[put, chunked, bad].concat(), false);
        }
    }
}
