//! Which status each failure of the core has in WebDAV, and the DAV:error body that goes with it (RFC 4918 §16).

use axum::body::Body;
use axum::response::Response;
use holm_core::{Ability, Error, Path};
use holm_formats::dav::{CALDAV, CARDDAV, DAV};
use holm_formats::xml::{Refused, Writer};
use holm_http::body::BodyError;
use holm_http::transfer::TransferError;
use http::StatusCode;

/// What a DAV:error body says was not met.
#[derive(Debug)]
pub enum Condition {
    Bare(&'static str),
    /// About the resource at a path of the tree.
    At(&'static str, Path),
    /// A privilege that the party lacks there (RFC 3744 §7.1.1).
    NeedPrivilege(&'static str, Path),
}

/// An answer that is not a success.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub text: String,
    pub condition: Option<Condition>,
    /// What 405 says is allowed.
    pub allow: &'static str,
}

impl Failure {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Failure {
        Failure { status, text: text.into(), condition: None, allow: crate::ALLOW }
    }

    pub fn bad(text: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, text)
    }

    pub fn not_allowed() -> Failure {
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this place")
    }

    /// 501 for a method nobody here knows, 405 for one that other places know.
    pub fn unknown_method(name: &str) -> Failure {
        match name {
            "POST" | "TRACE" | "CONNECT" | "MKCALENDAR" => Failure::not_allowed(),
            _ => Failure::new(StatusCode::NOT_IMPLEMENTED, "this method is not known here"),
        }
    }

    /// RFC 3253 §3.6.
    pub fn unsupported_report() -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "this report is not offered here; DAV:supported-report-set lists those that are").with("supported-report")
    }

    pub fn with(self, condition: &'static str) -> Failure {
        Failure { condition: Some(Condition::Bare(condition)), ..self }
    }

    pub fn at(self, condition: &'static str, path: &Path) -> Failure {
        Failure { condition: Some(Condition::At(condition, path.clone())), ..self }
    }

    pub fn need_privilege(self, privilege: &'static str, path: &Path) -> Failure {
        Failure { condition: Some(Condition::NeedPrivilege(privilege, path.clone())), ..self }
    }

    /// With a text that names no place.
    pub fn without_places(self) -> Failure {
        let text = match self.status {
            StatusCode::FORBIDDEN => "this link does not allow that",
            StatusCode::NOT_FOUND => "nothing is here",
            StatusCode::CONFLICT => "the folder that should hold this is not there, or something else stands in its way",
            StatusCode::PRECONDITION_FAILED => "it is not as the request says it must be",
            StatusCode::LOCKED => "this is locked",
            StatusCode::INSUFFICIENT_STORAGE => "there is no room",
            status => status.canonical_reason().unwrap_or("this can not be done"),
        };
        // What went wrong inside is for the log.
        let text = if self.status.is_server_error() { self.text } else { text.to_owned() };
        Failure { text, ..self }
    }

    /// For failures that are about no place in a tree.
    pub fn into_response(self) -> Response {
        self.respond(Path::to_string)
    }

    /// `href` is where a path of the tree stands.
    pub fn respond(self, href: impl Fn(&Path) -> String) -> Response {
        if self.status.is_server_error()
            && self.status != StatusCode::INSUFFICIENT_STORAGE
            && self.status != StatusCode::NOT_IMPLEMENTED
            && self.status != StatusCode::BAD_GATEWAY
        {
            tracing::error!(status = self.status.as_u16(), "{}", self.text);
        }
        // Windows remembers failures that it is allowed to cache.
        let builder = Response::builder().status(self.status).header("Cache-Control", "no-store");
        let builder = match self.status {
            StatusCode::METHOD_NOT_ALLOWED => builder.header("Allow", self.allow),
            StatusCode::SERVICE_UNAVAILABLE => builder.header("Retry-After", "5"),
            // What is left of the body is not waited for.
            StatusCode::REQUEST_TIMEOUT => builder.header("Connection", "close"),
            _ => builder,
        };
        let (kind, body) = match &self.condition {
            Some(condition) => ("application/xml; charset=utf-8", error_body(condition, &self.text, href)),
            // What failed inside names files of this machine: that is for the log.
            None if self.status == StatusCode::INTERNAL_SERVER_ERROR => {
                ("text/plain; charset=utf-8", "something failed in this server; its log says what\n".to_owned())
            }
            None => ("text/plain; charset=utf-8", self.text + "\n"),
        };
        builder.header("Content-Type", kind).body(Body::from(body)).expect("a status, static headers and a body")
    }
}

fn error_body(condition: &Condition, text: &str, href: impl Fn(&Path) -> String) -> String {
    let of_calendars = matches!(condition, Condition::Bare(name) | Condition::At(name, _) if name.contains(':'));
    let namespaces = [("d", DAV), ("cal", CALDAV), ("card", CARDDAV)];
    let mut xml = Writer::document("d:error", &namespaces[..if of_calendars { 3 } else { 1 }]);
    // A name of another vocabulary comes with its prefix.
    let tag = |name: &str| if of_calendars { name.to_owned() } else { format!("d:{name}") };
    match condition {
        Condition::Bare(name) => _ = xml.empty(&tag(name)),
        Condition::At(name, path) => {
            let name = tag(name);
            xml.open(&name).leaf("d:href", &href(path)).close(&name);
        }
        Condition::NeedPrivilege(privilege, path) => {
            xml.open("d:need-privileges").open("d:resource").leaf("d:href", &href(path));
            xml.open("d:privilege").empty(&format!("d:{privilege}")).close("d:privilege").close("d:resource").close("d:need-privileges");
        }
    }
    xml.leaf("d:responsedescription", text).close("d:error");
    xml.take()
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        let status = match &e {
            Error::NotFound(_) | Error::NoSuchPerson(_) => StatusCode::NOT_FOUND,
            Error::ParentMissing(_) | Error::NoSuchLock(_) | Error::Taken(_) | Error::SameUid(_) => StatusCode::CONFLICT,
            Error::Exists(_) | Error::IsFolder(_) | Error::IsFile(_) => StatusCode::METHOD_NOT_ALLOWED,
            Error::Denied(..) | Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::ConditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Error::Locked { .. } | Error::LockConflict(_) => StatusCode::LOCKED,
            Error::QuotaExceeded { .. } | Error::DiskFull | Error::Limit(_) => StatusCode::INSUFFICIENT_STORAGE,
            Error::Invalid(_) => StatusCode::BAD_REQUEST,
            Error::Poisoned | Error::Busy | Error::Away(_) | Error::Again(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Corrupt(_) | Error::Key(_) | Error::Catalog(_) | Error::Io { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let text = match &e {
            // Where the database is, is for the log.
            Error::Away(why) => {
                tracing::error!("{why}");
                "what this server keeps is out of its reach for now; retry in a while".to_owned()
            }
            e => e.to_string(),
        };
        let failure = Failure::new(status, text);
        match &e {
            Error::QuotaExceeded { .. } => failure.with("quota-not-exceeded"),
            Error::DiskFull => failure.with("sufficient-disk-space"),
            Error::NoSuchLock(_) => failure.with("lock-token-matches-request-uri"),
            Error::Locked { root, .. } => failure.at("lock-token-submitted", root),
            Error::LockConflict(path) => failure.at("no-conflicting-lock", path),
            Error::Denied(Ability::Read, path) => failure.need_privilege("read", path),
            Error::Denied(Ability::Write | Ability::Append, path) => failure.need_privilege("write", path),
            Error::Denied(Ability::Delete, path) => failure.need_privilege("unbind", path),
            _ => failure,
        }
    }
}

impl From<Refused> for Failure {
    fn from(e: Refused) -> Failure {
        Failure::bad(e.to_string())
    }
}

impl From<TransferError> for Failure {
    fn from(e: TransferError) -> Failure {
        match e {
            TransferError::Core(e) => e.into(),
            TransferError::Body(e) => e.into(),
        }
    }
}

impl From<BodyError> for Failure {
    fn from(e: BodyError) -> Failure {
        match e {
            BodyError::TooLarge => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this request may have"),
            BodyError::TimedOut => Failure::new(StatusCode::REQUEST_TIMEOUT, "the body stopped coming, or came slower than 1 KiB a second; send it again"),
            BodyError::Broken => Failure::bad("the body ended before its announced length"),
        }
    }
}
