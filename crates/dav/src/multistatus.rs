//! 207 answers (RFC 4918 §13): responses one after the other, the 200 propstat first.

use axum::body::Body;
use axum::response::Response;
use holm_formats::dav::DAV;
use holm_formats::xml::{QName, Writer};
use http::StatusCode;

/// `HTTP/1.1 200 OK`, also over HTTP/2: some clients compare the text.
pub fn status_line(status: StatusCode) -> String {
    format!("HTTP/1.1 {} {}", status.as_u16(), status.canonical_reason().unwrap_or("Unknown"))
}

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
        Multistatus { xml: Writer::document("d:multistatus", &[("d", DAV)]) }
    }

    /// `found` writes the properties that are there and answers the names that are not.
    pub fn response(&mut self, href: &str, minimal: bool, found: impl FnOnce(&mut Writer) -> Vec<QName>) {
        self.xml.open("d:response").leaf("d:href", href);
        self.xml.open("d:propstat").open("d:prop");
        let missing = found(&mut self.xml);
        self.xml.close("d:prop").leaf("d:status", "HTTP/1.1 200 OK").close("d:propstat");
        if !missing.is_empty() && !minimal {
            self.propstat(&missing, StatusCode::NOT_FOUND, None);
        }
        self.xml.close("d:response");
    }

    pub fn propstat(&mut self, names: &[QName], status: StatusCode, condition: Option<&str>) {
        self.xml.open("d:propstat").open("d:prop");
        for name in names {
            self.xml.empty_qname(name);
        }
        self.xml.close("d:prop").leaf("d:status", &status_line(status));
        if let Some(condition) = condition {
            self.xml.open("d:error").empty(condition).close("d:error");
        }
        self.xml.close("d:propstat");
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
