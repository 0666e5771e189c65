//! Uploads that survive a lost network: tus 1.0 (<https://tus.io/protocols/resumable-upload>), with creation,
//! creation-with-upload, termination, expiration and checksum. What has come is durable before it is said to be.

mod piece;
mod turns;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use holm_core::{Access, Change, Error, NewUpload, Path, Timestamp, Upload};
use holm_formats::date;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::{Caller, blocking};
use crate::fields::Id;
use crate::problem::{Kind, Problem};
use crate::request::Numbered;
use crate::{ROOT, Web, files};
use piece::Checksum;
pub use turns::Turns;

const TAG: &str = "uploads";
const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,termination,expiration,checksum";
/// Bytes of the largest file: what numbers in JSON can tell apart.
const MAX_SIZE: u64 = (1 << 53) - 1;
const OCTETS: &str = "application/offset+octet-stream";

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(begin, tell)).routes(routes!(look, extend, abandon))
}

/// The version that is spoken.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it stands in the description")]
enum Spoken {
    #[schema(rename = "1.0.0")]
    First,
}

fn malformed(why: &str) -> Problem {
    Problem::new(Kind::Malformed, why)
}

/// A header that is there once and readable.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let (first, more) = (values.next(), values.next());
    if more.is_some() {
        return Err(malformed(&format!("the header {name} is there twice; send one")));
    }
    first.map(|value| value.to_str().map_err(|_| malformed(&format!("the header {name} is not plain text")))).transpose()
}

/// Only this version is spoken.
fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    match one(headers, "tus-resumable")? {
        Some(VERSION) => Ok(()),
        _ => Err(malformed("send Tus-Resumable: 1.0.0")),
    }
}

fn number(headers: &HeaderMap, name: &str) -> Result<u64, Problem> {
    let text = one(headers, name)?.unwrap_or_default();
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = plain.then(|| text.parse().ok()).flatten();
    number.filter(|n| *n <= MAX_SIZE).ok_or_else(|| malformed(&format!("the header {name} is a number of bytes up to 2^53-1")))
}

/// What Upload-Metadata tells: names, each with a value in Base64.
#[derive(Default)]
struct Metadata {
    path: String,
    media_type: Option<String>,
    modified: Option<Timestamp>,
}

impl Metadata {
    fn read(text: &str) -> Result<Metadata, Problem> {
        let mut told = Metadata::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = BASE64_STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let value = value.ok_or_else(|| malformed("Upload-Metadata has names, each with its value in Base64 of UTF-8"))?;
            match name {
                "path" => told.path = value,
                "type" => told.media_type = Some(value).filter(|t| !t.is_empty() && t.len() <= 255 && t.is_ascii() && !t.contains(char::is_control)),
                "modified" => told.modified = date::parse_rfc3339(&value).map(Timestamp),
                // Other clients tell more; it does no harm.
                _ => {}
            }
        }
        Ok(told)
    }
}

fn answer(status: StatusCode) -> http::response::Builder {
    Response::builder().status(status).header("Tus-Resumable", VERSION)
}

fn with_state(builder: http::response::Builder, upload: &Upload) -> Response {
    let builder = builder.header("Upload-Offset", upload.received).header("Upload-Length", upload.new.size);
    builder.header("Upload-Expires", date::http(upload.expires.0)).body(Body::empty()).expect("numbers and a date")
}

fn ended() -> Problem {
    Problem::not_found("no upload has that number, or it was given up; begin it anew")
}

async fn state(access: &Access, id: i64) -> Result<Upload, Problem> {
    let access = access.clone();
    blocking(move || Ok(access.upload_under_way(id)?)).await?.ok_or_else(ended)
}

/// What this server takes
#[utoipa::path(options, path = "/uploads", tag = TAG, security(()), responses(
    (status = 204, description = "Versions, extensions and the largest size", headers(("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Max-Size" = u64)))
))]
async fn tell() -> Response {
    let told = answer(StatusCode::NO_CONTENT).header("Tus-Version", VERSION).header("Tus-Extension", EXTENSIONS);
    told.header("Tus-Max-Size", MAX_SIZE).header("Tus-Checksum-Algorithm", Checksum::NAMES).body(Body::empty()).expect("plain headers")
}

/// Begin a file that comes in pieces; the first may come along. One that stands there gets a new version
#[utoipa::path(post, path = "/uploads", tag = TAG, params(
    ("Tus-Resumable" = inline(Spoken), Header),
    ("Upload-Length" = u64, Header, maximum = 9_007_199_254_740_991_i64, description = "Bytes of the whole file"),
    ("Upload-Metadata" = String, Header, description = "Names, each with its value in Base64: `path`, `type`, `modified`"),
    ("Upload-Checksum" = Option<String>, Header, description = "Of the first piece")
), request_body(content = Vec<u8>, content_type = OCTETS), responses(
    (status = 201, description = "Begun; whole, where Upload-Offset is Upload-Length", headers(("Location" = String), ("Upload-Offset" = u64))),
    (status = 404, description = "Its folder is not there"),
    (status = 409, description = "It can not stand there, or too many uploads are under way"),
    (status = 460, description = "The bytes are not those of the checksum")
))]
async fn begin(caller: Caller, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    check_version(headers)?;
    let size = number(headers, "upload-length")?;
    let told = Metadata::read(one(headers, "upload-metadata")?.unwrap_or_default())?;
    let path = files::path(&told.path)?;
    if path.is_root() {
        return Err(Error::IsFolder(path).into());
    }
    let carried = one(headers, CONTENT_TYPE.as_str())?.is_some_and(|kind| kind == OCTETS);
    let checksum = Checksum::read(one(headers, "upload-checksum")?)?;
    let access = caller.access().await?;
    let random = u64::from_le_bytes(caller.web.gate.env().random()) >> 11;
    let new = NewUpload { id: (random as i64).clamp(1, Id::MAX), size, media_type: told.media_type, modified: told.modified };
    let id = new.id;
    access.commit(Change::Begin { path: path.clone(), upload: new }, Default::default()).await?;
    let turn = caller.web.turns.take((access.party().person, id)).await?;
    if carried || size == 0 {
        piece::take(&access, turn, state(&access, id).await?, checksum, body).await?;
    }
    let upload = state(&access, id).await?;
    Ok(with_state(answer(StatusCode::CREATED).header("Location", format!("{ROOT}/uploads/{id}")), &upload))
}

/// How much of a file has come
#[utoipa::path(head, path = "/uploads/{id}", tag = TAG, params(
    ("id" = inline(Id), Path), ("Tus-Resumable" = inline(Spoken), Header)
), responses((status = 200, description = "So far", headers(("Upload-Offset" = u64), ("Upload-Length" = u64), ("Upload-Expires" = String)))))]
async fn look(caller: Caller, Numbered(id): Numbered, headers: HeaderMap) -> Result<Response, Problem> {
    check_version(&headers)?;
    let access = caller.access().await?;
    state(&access, id).await?;
    // What is still coming over a connection that was lost is not waited for: it is kept as far as it came.
    let _turn = caller.web.turns.take((access.party().person, id)).await?;
    Ok(with_state(answer(StatusCode::OK), &state(&access, id).await?))
}

/// The next piece of a file
#[utoipa::path(patch, path = "/uploads/{id}", tag = TAG, params(
    ("id" = inline(Id), Path),
    ("Tus-Resumable" = inline(Spoken), Header),
    ("Upload-Offset" = u64, Header, maximum = 9_007_199_254_740_991_i64, description = "Where the piece begins: where the last one ended"),
    ("Upload-Checksum" = Option<String>, Header, description = "Of the piece")
), request_body(content = Vec<u8>, content_type = OCTETS), responses(
    (status = 204, description = "So much has come; all of it, where Upload-Offset is Upload-Length", headers(("Upload-Offset" = u64))),
    (status = 409, description = "Another piece is to come"),
    (status = 460, description = "The bytes are not those of the checksum")
))]
async fn extend(caller: Caller, Numbered(id): Numbered, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    check_version(headers)?;
    if one(headers, CONTENT_TYPE.as_str())? != Some(OCTETS) {
        return Err(Problem::new(Kind::MediaType, "send the bytes as they are, with Content-Type: application/offset+octet-stream"));
    }
    let from = number(headers, "upload-offset")?;
    let checksum = Checksum::read(one(headers, "upload-checksum")?)?;
    let access = caller.access().await?;
    state(&access, id).await?;
    let turn = caller.web.turns.take((access.party().person, id)).await?;
    let upload = state(&access, id).await?;
    if from != upload.received {
        return Err(Problem::new(Kind::Conflict, format!("{} bytes have come; go on from there", upload.received)));
    }
    piece::take(&access, turn, upload, checksum, body).await?;
    Ok(with_state(answer(StatusCode::NO_CONTENT), &state(&access, id).await?))
}

/// Give up a file that has not come whole
#[utoipa::path(delete, path = "/uploads/{id}", tag = TAG, params(
    ("id" = inline(Id), Path), ("Tus-Resumable" = inline(Spoken), Header)
), responses((status = 204, description = "What had come is let go")))]
async fn abandon(caller: Caller, Numbered(id): Numbered, headers: HeaderMap) -> Result<Response, Problem> {
    check_version(&headers)?;
    let access = caller.access().await?;
    let path: Path = state(&access, id).await?.path;
    let _turn = caller.web.turns.take((access.party().person, id)).await?;
    access.commit(Change::Abandon { path, upload: id }, Default::default()).await?;
    Ok(answer(StatusCode::NO_CONTENT).body(Body::empty()).expect("plain headers"))
}
