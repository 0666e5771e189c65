//! Every answer that is not a success: problem details (RFC 9457), each with what to do about it. One table from
//! [`holm_core::Error`], without a wildcard arm.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use holm_core::Error;
use holm_http::body::BodyError;
use holm_http::transfer::TransferError;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Longest detail in characters: what a client sent may be quoted in it.
const MAX_DETAIL: usize = 500;
/// Seconds after which a server that can not answer now is to be asked again.
const AGAIN: u64 = 5;
/// Where the types are: this and the kind's name. Relative (RFC 9457 §3.1.1), for every holm has its own address.
const TYPES: &str = "/problems/";

/// As tus has it.
const CHECKSUM_MISMATCH: StatusCode = match StatusCode::from_u16(460) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

/// What kind of problem it is. Clients act on these, people read the detail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request can not be read, or is not what the description says.
    Malformed,
    /// Nobody is signed in, or no longer.
    SignIn,
    /// Signed in by half: the session awaits its second factor.
    SecondFactor,
    /// What was to prove who is there does not; in which way is nobody's business.
    Refused,
    Forbidden,
    /// Only for those who keep this holm.
    AdminOnly,
    /// Who is there must be proven anew for this: see [`crate::caller::Proven`].
    StepUp,
    /// The request comes from a page of somebody else's (T27).
    CrossSite,
    NotFound,
    MethodNotAllowed,
    /// The body stopped coming.
    Timeout,
    /// What is there already stands against it.
    Conflict,
    TooLarge,
    UriTooLong,
    MediaType,
    /// Readable, but it can not be done with what is there.
    NotPossible,
    /// Too many tries.
    Throttled,
    /// What came is not what its checksum says (tus).
    Checksum,
    Internal,
    /// Not now; later.
    Unavailable,
    /// No room: of the quota, or the disk.
    NoRoom,
}

/// Each kind with its name in `type`, its status and its title.
pub const KINDS: [(Kind, &str, StatusCode, &str); 21] = [
    (Kind::Malformed, "malformed", StatusCode::BAD_REQUEST, "The request is not what the description says"),
    (Kind::SignIn, "sign-in", StatusCode::UNAUTHORIZED, "Nobody is signed in"),
    (Kind::SecondFactor, "second-factor", StatusCode::UNAUTHORIZED, "The second factor is still to come"),
    (Kind::Refused, "refused", StatusCode::UNAUTHORIZED, "That does not prove who is there"),
    (Kind::Forbidden, "forbidden", StatusCode::FORBIDDEN, "Not allowed"),
    (Kind::AdminOnly, "admin-only", StatusCode::FORBIDDEN, "Only for those who keep this holm"),
    (Kind::StepUp, "step-up", StatusCode::FORBIDDEN, "Prove anew who you are"),
    (Kind::CrossSite, "cross-site", StatusCode::FORBIDDEN, "The request comes from another site"),
    (Kind::NotFound, "not-found", StatusCode::NOT_FOUND, "Nothing is here"),
    (Kind::MethodNotAllowed, "method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "This method is not for this place"),
    (Kind::Timeout, "timeout", StatusCode::REQUEST_TIMEOUT, "The body stopped coming"),
    (Kind::Conflict, "conflict", StatusCode::CONFLICT, "What is there stands against it"),
    (Kind::TooLarge, "too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
    (Kind::UriTooLong, "uri-too-long", StatusCode::URI_TOO_LONG, "The URI is too long"),
    (Kind::MediaType, "media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON"),
    (Kind::NotPossible, "not-possible", StatusCode::UNPROCESSABLE_ENTITY, "This can not be done"),
    (Kind::Throttled, "throttled", StatusCode::TOO_MANY_REQUESTS, "Too many tries"),
    (Kind::Checksum, "checksum", CHECKSUM_MISMATCH, "The bytes are not those of the checksum"),
    (Kind::Internal, "internal", StatusCode::INTERNAL_SERVER_ERROR, "Something failed in this server"),
    (Kind::Unavailable, "unavailable", StatusCode::SERVICE_UNAVAILABLE, "Not now"),
    (Kind::NoRoom, "no-room", StatusCode::INSUFFICIENT_STORAGE, "There is no room"),
];

impl Kind {
    fn row(self) -> &'static (Kind, &'static str, StatusCode, &'static str) {
        KINDS.iter().find(|row| row.0 == self).expect("each kind has its row")
    }
}

/// An answer that is not a success.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    /// Seconds.
    retry_after: Option<u64>,
}

/// Problem details (RFC 9457): what is wrong and what to do about it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Details {
    /// What kind of problem it is: what a program goes by.
    #[schema(schema_with = type_schema)]
    r#type: String,
    /// The kind in words, always the same.
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong this time and what to do about it, for people.
    detail: String,
}

/// Every type there is.
fn type_schema() -> utoipa::openapi::Object {
    let types = KINDS.iter().map(|k| format!("{TYPES}{}", k.1));
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .description(Some("What kind of problem it is: what a program goes by."))
        .enum_values(Some(types))
        .build()
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { kind, detail: detail.into(), retry_after: (kind == Kind::Unavailable).then_some(AGAIN) }
    }

    /// Tries of this kind wait for so many seconds.
    pub fn throttled(seconds: i64) -> Problem {
        let seconds = u64::try_from(seconds).unwrap_or(1).max(1);
        let detail = format!("there were too many wrong tries; wait {} minutes", seconds.div_ceil(60));
        Problem { retry_after: Some(seconds), ..Problem::new(Kind::Throttled, detail) }
    }

    /// Too much of something at once: to be asked again after so many seconds.
    pub fn wait(seconds: u64, why: impl Into<String>) -> Problem {
        Problem { retry_after: Some(seconds), ..Problem::new(Kind::Throttled, why) }
    }

    pub fn not_found(what: impl Into<String>) -> Problem {
        Problem::new(Kind::NotFound, what)
    }
}

impl Problem {
    /// As it is told, also within an answer to many things at once.
    pub fn details(self) -> Details {
        let (_, name, status, title) = *self.kind.row();
        let mut detail = self.detail;
        if self.kind == Kind::Internal {
            // It names files of this machine: that is for the log.
            tracing::error!("{detail}");
            detail = "this server's log says what it was; tell whoever keeps it".into();
        } else if self.kind == Kind::Unavailable {
            tracing::warn!("{detail}");
        }
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(end);
            detail.push('…');
        }
        Details { r#type: format!("{TYPES}{name}"), title, status: status.as_u16(), detail }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.kind.row().2, self.retry_after);
        let details = self.details();
        let mut builder = Response::builder().status(status).header("Content-Type", "application/problem+json");
        if let Some(seconds) = retry_after {
            builder = builder.header("Retry-After", seconds);
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §15.5.2 wants a challenge; one that makes no browser ask for a password.
            builder = builder.header("WWW-Authenticate", "Session realm=\"holm\"");
        }
        let body = serde_json::to_vec(&details).expect("four plain fields");
        builder.body(Body::from(body)).expect("a status, plain headers and a body")
    }
}

impl From<Error> for Problem {
    fn from(e: Error) -> Problem {
        let kind = match &e {
            // Its own text is for the command line.
            Error::NoSuchPerson(_) => return Problem::not_found("nobody of that name lives here; GET /api/v1/persons lists who does"),
            Error::NotFound(_) => Kind::NotFound,
            Error::ParentMissing(_)
            | Error::NoSuchLock(_)
            | Error::Exists(_)
            | Error::Taken(_)
            | Error::SameUid(_)
            | Error::IsFolder(_)
            | Error::IsFile(_)
            | Error::ConditionFailed(_)
            | Error::Locked { .. }
            | Error::LockConflict(_)
            | Error::Limit(_) => Kind::Conflict,
            Error::Denied(..) | Error::Forbidden(_) => Kind::Forbidden,
            Error::QuotaExceeded { .. } | Error::DiskFull => Kind::NoRoom,
            Error::Invalid(_) => Kind::NotPossible,
            // Where the database is, is for the log.
            Error::Away(why) => {
                tracing::error!("{why}");
                return Problem::new(Kind::Unavailable, "what this server keeps is out of its reach for now; send it again in a while");
            }
            Error::Poisoned | Error::Busy | Error::Again(_) => Kind::Unavailable,
            Error::Corrupt(_) | Error::Key(_) | Error::Catalog(_) | Error::Io { .. } => Kind::Internal,
        };
        Problem::new(kind, e.to_string())
    }
}

impl From<TransferError> for Problem {
    fn from(e: TransferError) -> Problem {
        match e {
            TransferError::Core(e) => e.into(),
            TransferError::Body(e) => e.into(),
        }
    }
}

impl From<BodyError> for Problem {
    fn from(e: BodyError) -> Problem {
        match e {
            BodyError::TooLarge => Problem::new(Kind::TooLarge, "the body is larger than this takes; send less at a time"),
            BodyError::TimedOut => Problem::new(Kind::Timeout, "the body stopped coming, or came slower than 1 KiB a second; send it again"),
            BodyError::Broken => Problem::new(Kind::Malformed, "the body ended before its announced length; send it again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_row() {
        for (n, (kind, name, ..)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, n, "the table is in the order of the kinds");
            assert_eq!(KINDS.iter().filter(|row| row.1 == *name).count(), 1, "{name}");
        }
    }

    #[test]
    fn each_type_is_documented() {
        let told = include_str!("../../../docs/api.md");
        let rows: Vec<_> = told.lines().filter(|line| line.starts_with(&format!("| `{TYPES}"))).collect();
        for (_, name, status, _) in KINDS {
            let row = format!("| `{TYPES}{name}` | {} |", status.as_u16());
            assert!(rows.iter().any(|line| line.starts_with(&row)), "docs/api.md lacks {row}");
        }
        assert_eq!(rows.len(), KINDS.len(), "docs/api.md tells of a type that there is not");
    }
}
