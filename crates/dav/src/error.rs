//! Which status each failure of the core has in WebDAV, and the DAV:error body that goes with it (RFC 4918 §16).

use axum::body::Body;
use axum::response::Response;
use holm_core::Error;
use holm_formats::dav::DAV;
use holm_formats::xml::{Refused, Writer};
use holm_http::body::BodyError;
use http::StatusCode;

/// An answer that is not a success.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub text: String,
    /// A DAV:error condition: its name and the href inside it.
    pub condition: Option<(&'static str, Option<String>)>,
}

impl Failure {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Failure {
        Failure { status, text: text.into(), condition: None }
    }

    pub fn bad(text: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, text)
    }

    pub fn not_allowed() -> Failure {
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this place")
    }

    pub fn with(mut self, condition: &'static str, href: Option<String>) -> Failure {
        self.condition = Some((condition, href));
        self
    }

    pub fn into_response(self) -> Response {
        if self.status.is_server_error()
            && self.status != StatusCode::INSUFFICIENT_STORAGE
            && self.status != StatusCode::NOT_IMPLEMENTED
            && self.status != StatusCode::BAD_GATEWAY
        {
            tracing::error!(status = self.status.as_u16(), "{}", self.text);
        }
        let builder = Response::builder().status(self.status);
        let builder = if self.status == StatusCode::METHOD_NOT_ALLOWED { builder.header("Allow", crate::ALLOW) } else { builder };
        let builder = if self.status == StatusCode::SERVICE_UNAVAILABLE { builder.header("Retry-After", "5") } else { builder };
        let (kind, body) = match self.condition {
            Some((condition, href)) => {
                let name = format!("d:{condition}");
                let mut xml = Writer::document("d:error", &[("d", DAV)]);
                match href {
                    Some(href) => xml.open(&name).leaf("d:href", &href).close(&name),
                    None => xml.empty(&name),
                };
                xml.close("d:error");
                ("application/xml; charset=utf-8", xml.take())
            }
            None => ("text/plain; charset=utf-8", self.text + "\n"),
        };
        builder.header("Content-Type", kind).body(Body::from(body)).expect("a status, static headers and a body")
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        let text = e.to_string();
        let status = match &e {
            Error::NotFound(_) | Error::NoSuchPerson(_) => StatusCode::NOT_FOUND,
            Error::ParentMissing(_) | Error::NoSuchLock(_) => StatusCode::CONFLICT,
            Error::Exists(_) | Error::IsFolder(_) | Error::IsFile(_) => StatusCode::METHOD_NOT_ALLOWED,
            Error::Denied(..) | Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::ConditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Error::Locked { .. } | Error::LockConflict(_) => StatusCode::LOCKED,
            Error::QuotaExceeded { .. } | Error::DiskFull | Error::Limit(_) => StatusCode::INSUFFICIENT_STORAGE,
            Error::Invalid(_) => StatusCode::BAD_REQUEST,
            Error::Poisoned | Error::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Error::Corrupt(_) | Error::Key(_) | Error::Catalog(_) | Error::Io { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let failure = Failure::new(status, text);
        match e {
            Error::QuotaExceeded { .. } => failure.with("quota-not-exceeded", None),
            Error::DiskFull => failure.with("sufficient-disk-space", None),
            Error::NoSuchLock(_) => failure.with("lock-token-matches-request-uri", None),
            _ => failure,
        }
    }
}

impl From<Refused> for Failure {
    fn from(e: Refused) -> Failure {
        Failure::bad(e.to_string())
    }
}

impl From<BodyError> for Failure {
    fn from(e: BodyError) -> Failure {
        match e {
            BodyError::TooLarge => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this request may have"),
            BodyError::TimedOut => Failure::new(StatusCode::REQUEST_TIMEOUT, "the body stopped coming"),
            BodyError::Broken => Failure::bad("the body ended before its announced length"),
        }
    }
}
