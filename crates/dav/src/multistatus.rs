//! 207 answers (RFC 4918 §13): responses one after the other, the 200 propstat first.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use holm_core::Result;
use holm_formats::dav::{CALDAV, CALENDAR_SERVER, CARDDAV, DAV};
use holm_formats::xml::{QName, Writer};
use http::StatusCode;

/// `HTTP/1.1 200 OK`, also over HTTP/2: some clients compare the text.
pub fn status_line(status: StatusCode) -> String {
    format!("HTTP/1.1 {} {}", status.as_u16(), status.canonical_reason().unwrap_or("Unknown"))
}

/// The prefixes of every answer. Some clients compare them.
const NAMESPACES: &[(&str, &str)] = &[("d", DAV), ("cal", CALDAV), ("card", CARDDAV), ("cs", CALENDAR_SERVER)];

pub struct Multistatus {
    pub xml: Writer,
}

impl Default for Multistatus {
    fn default() -> Self {
        Multistatus::new()
    }
}

impl Multistatus {
    pub fn new() -> Multistatus {
        Multistatus { xml: Writer::document("d:multistatus", NAMESPACES) }
    }

    pub fn response(&mut self, href: &str, minimal: bool, found: impl FnOnce(&mut Writer) -> Vec<QName>) {
        response(&mut self.xml, href, minimal, found);
    }

    pub fn propstat(&mut self, names: &[QName], status: StatusCode, condition: Option<&str>) {
        propstat(&mut self.xml, names, status, condition);
    }

    /// A response that is only a status.
    pub fn status(&mut self, href: &str, status: StatusCode, condition: Option<&str>) {
        self.xml.open("d:response").leaf("d:href", href).leaf("d:status", &status_line(status));
        if let Some(condition) = condition {
            self.xml.open("d:error").empty(condition).close("d:error");
        }
        self.xml.close("d:response");
    }

    pub fn finish(mut self) -> Response {
        self.xml.close("d:multistatus");
        answer(Body::from(self.xml.take()))
    }
}

/// A response element: `found` writes the properties that are there and answers the names that are not.
pub fn response(xml: &mut Writer, href: &str, minimal: bool, found: impl FnOnce(&mut Writer) -> Vec<QName>) {
    xml.open("d:response").leaf("d:href", href);
    xml.open("d:propstat").open("d:prop");
    let missing = found(xml);
    xml.close("d:prop").leaf("d:status", "HTTP/1.1 200 OK").close("d:propstat");
    if !missing.is_empty() && !minimal {
        propstat(xml, &missing, StatusCode::NOT_FOUND, None);
    }
    xml.close("d:response");
}

/// Properties by name with what became of them.
pub fn propstat(xml: &mut Writer, names: &[QName], status: StatusCode, condition: Option<&str>) {
    xml.open("d:propstat").open("d:prop");
    for name in names {
        xml.empty_qname(name);
    }
    xml.close("d:prop").leaf("d:status", &status_line(status));
    if let Some(condition) = condition {
        xml.open("d:error").empty(condition).close("d:error");
    }
    xml.close("d:propstat");
}

/// Bytes of an answer written before they are sent.
const FLUSH: usize = 64 * 1024;

struct Stream<F> {
    out: Multistatus,
    step: F,
    more: bool,
}

impl<F: FnMut(&mut Multistatus) -> Result<bool>> Stream<F> {
    fn fill(&mut self) -> Result<()> {
        while self.more && self.out.xml.len() < FLUSH {
            self.more = (self.step)(&mut self.out)?;
            if !self.more {
                self.out.xml.close("d:multistatus");
            }
        }
        Ok(())
    }
}

/// An answer of any length in constant memory: `step` writes a little more and answers whether there is more to write.
/// A short answer goes out whole, with its length.
pub fn streamed<F>(out: Multistatus, step: F) -> Result<Response>
where
    F: FnMut(&mut Multistatus) -> Result<bool> + Send + 'static,
{
    let mut stream = Stream { out, step, more: true };
    stream.fill()?;
    if !stream.more {
        return Ok(answer(Body::from(stream.out.xml.take())));
    }
    Ok(answer(Body::from_stream(stream::unfold(Some(stream), |state| async move {
        let mut stream = state?;
        let sent = Bytes::from(stream.out.xml.take());
        if !stream.more {
            return Some((Ok(sent), None));
        }
        Some(match stream.fill() {
            Ok(()) => (Ok(sent), Some(stream)),
            Err(e) => {
                tracing::error!("writing a multistatus: {e}");
                (Err(std::io::Error::other(e)), None)
            }
        })
    }))))
}

/// The head of a 207 answer. Windows caches without `no-store`.
pub fn answer(body: Body) -> Response {
    Response::builder()
        .status(StatusCode::MULTI_STATUS)
        .header("Content-Type", "application/xml; charset=utf-8")
        .header("Cache-Control", "no-store")
        .header("DAV", crate::CLASSES)
        .body(body)
        .expect("a static head and a body")
}
