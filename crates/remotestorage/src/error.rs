//! Which status each failure has (draft §6).

use axum::body::Body;
use axum::response::Response;
use holm_core::Error;
use holm_http::body::BodyError;
use holm_http::transfer::TransferError;
use http::StatusCode;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};

/// An answer that is not a success.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    text: String,
    header: Option<(HeaderName, String)>,
}

impl Failure {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Failure {
        Failure { status, text: text.into(), header: None }
    }

    pub fn bad(text: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, text)
    }

    pub fn nothing() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "no document is kept here")
    }

    /// RFC 6750 §3, RFC 9728 §5.1; `invalid` where a token came.
    pub fn unauthorized(origin: &str, invalid: bool) -> Failure {
        let (text, error) = match invalid {
            true => ("this token opens nothing: it expired, was taken back, or never was; ask for access again", ", error=\"invalid_token\""),
            false => ("an Authorization header with a bearer token is needed; the person's WebFinger tells where to ask for one", ""),
        };
        let challenge = format!("Bearer realm=\"holm\", resource_metadata=\"{origin}/.well-known/oauth-protected-resource/rs\"{error}");
        Failure::new(StatusCode::UNAUTHORIZED, text).with(WWW_AUTHENTICATE, challenge)
    }

    pub fn forbidden() -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "this token is for another part of the storage; ask for access to this one")
    }

    /// With the scope that it would take.
    pub fn lacking(self, scope: &str) -> Failure {
        self.with(WWW_AUTHENTICATE, format!("Bearer realm=\"holm\", error=\"insufficient_scope\", scope=\"{scope}\""))
    }

    pub fn throttled(seconds: i64) -> Failure {
        Failure::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens from here; wait").with(RETRY_AFTER, seconds.to_string())
    }

    pub fn method(allow: &'static str) -> Failure {
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this place").with(ALLOW, allow.into())
    }

    /// With the ETag of what is there.
    pub fn tagged(self, etag: &str) -> Failure {
        self.with(ETAG, format!("\"{etag}\""))
    }

    fn with(self, name: HeaderName, value: String) -> Failure {
        Failure { header: Some((name, value)), ..self }
    }

    pub fn into_response(self) -> Response {
        let Failure { status, text, header } = self;
        let internal = status == StatusCode::INTERNAL_SERVER_ERROR;
        if internal {
            tracing::error!("{text}");
        }
        // What failed inside names files of this machine: that is for the log.
        let text = if internal { "something failed in this server; its log says what".to_owned() } else { text };
        let answer = Response::builder().status(status).header(CONTENT_TYPE, "text/plain; charset=utf-8").header(CACHE_CONTROL, "no-store");
        let answer = answer.header("X-Content-Type-Options", "nosniff");
        let answer = header.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value));
        let answer = match status {
            // What is left of the body is not waited for.
            StatusCode::REQUEST_TIMEOUT => answer.header(CONNECTION, "close"),
            _ => answer,
        };
        answer.body(Body::from(text + "\n")).expect("a status, and headers of ours")
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        let status = match &e {
            Error::NotFound(_) | Error::NoSuchPerson(_) => return Failure::nothing(),
            Error::Denied(..) => return Failure::forbidden(),
            Error::Away(why) => {
                tracing::error!("{why}");
                return Failure::new(StatusCode::SERVICE_UNAVAILABLE, "what this server keeps is out of its reach for now").with(RETRY_AFTER, "5".into());
            }
            Error::Poisoned | Error::Busy | Error::Again(_) => {
                return Failure::new(StatusCode::SERVICE_UNAVAILABLE, e.to_string()).with(RETRY_AFTER, "5".into());
            }
            Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::IsFolder(_) | Error::IsFile(_) | Error::ParentMissing(_) | Error::Exists(_) | Error::Taken(_) | Error::SameUid(_) | Error::NoSuchLock(_) => {
                StatusCode::CONFLICT
            }
            Error::ConditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Error::Locked { .. } | Error::LockConflict(_) => StatusCode::LOCKED,
            Error::QuotaExceeded { .. } | Error::DiskFull | Error::Limit(_) => StatusCode::INSUFFICIENT_STORAGE,
            Error::Invalid(_) => StatusCode::BAD_REQUEST,
            Error::Corrupt(_) | Error::Key(_) | Error::Catalog(_) | Error::Io { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Failure::new(status, e.to_string())
    }
}

impl From<TransferError> for Failure {
    fn from(e: TransferError) -> Failure {
        match e {
            TransferError::Core(e) => e.into(),
            TransferError::Body(BodyError::TooLarge) => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than its Content-Length"),
            TransferError::Body(BodyError::TimedOut) => Failure::new(StatusCode::REQUEST_TIMEOUT, "the body came slower than 1 KiB a second; send it again"),
            TransferError::Body(BodyError::Broken) => Failure::bad("the body ended before its announced length"),
        }
    }
}
