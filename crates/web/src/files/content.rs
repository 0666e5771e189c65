//! Files' content. What somebody put there never becomes a page of this origin (T28): it comes sandboxed, of the type it says
//! it is and no other, and as a download unless it is of a kind that browsers only look at.

use axum::response::Response;
use holm_core::Seq;
use holm_http::transfer::download::File;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{TAG, path, typed};
use crate::Web;
use crate::caller::{Granted, blocking};
use crate::fields::Id;
use crate::problem::Problem;
use crate::request::Query;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(get_content))
}

/// What browsers show without running anything of it.
const INERT: [&str; 9] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/x-icon", "text/plain", "application/json"];
/// What stays as it is in a file name's extended form (RFC 8187 §3.2.1).
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// Which content.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// A file's path.
    #[param(max_length = 4096, pattern = "^/", example = "/photos/a.jpg")]
    path: String,
    /// As it was in this earlier version.
    #[param(inline)]
    version: Option<Id>,
    /// To be kept by the browser, and not shown.
    #[serde(default)]
    download: bool,
}

fn is_inert(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // One type and nothing else (RFC 9110 §8.3.1): of several, browsers may take another one.
    if !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"/+-._".contains(&b)) {
        return false;
    }
    INERT.contains(&kind.as_str()) || kind.starts_with("audio/") || kind.starts_with("video/")
}

/// `attachment; filename="a.txt"; filename*=UTF-8''a.txt` (RFC 6266 §4).
pub(super) fn disposition(download: bool, name: &str) -> HeaderValue {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' }).collect();
    let how = if download { "attachment" } else { "inline" };
    let value = format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, NAME));
    HeaderValue::try_from(value).expect("plain ASCII")
}

/// A file's content, whole or by ranges
#[utoipa::path(get, path = "/files/content", tag = TAG, security(("session" = []), ("token" = [])), params(Asked), responses(
    (status = 200, description = "All of it", body = Vec<u8>, content_type = "*/*", headers(
        ("ETag" = String, description = "Of this content"), ("Content-Disposition" = String, description = "Whether it is shown or kept, and its name")
    )),
    (status = 206, description = "The ranges that were asked for", body = Vec<u8>, content_type = "*/*"),
    (status = 304, description = "It is what the asker has"),
    (status = 404, description = "Nothing is there"),
    (status = 409, description = "It is a folder, or not what the conditions demand"),
    (status = 416, description = "It has no such range"),
    (status = 422, description = "That is no path")
))]
async fn get_content(caller: Granted, Query(asked): Query<Asked>, headers: HeaderMap) -> Result<Response, Problem> {
    let random = caller.web.gate.env().random();
    let access = caller.access().await?;
    let path = path(&asked.path)?;
    let (opening, at) = (access.clone(), path.clone());
    let opened = blocking(move || {
        Ok(match asked.version {
            Some(version) => opening.open_version(&at, Seq(version.0))?,
            None => opening.open(&at)?,
        })
    });
    let (entry, content) = opened.await?;
    let kind = typed(&entry).to_owned();
    let disposition = disposition(asked.download || !is_inert(&kind), &entry.name);
    let file = File { access, path: &path, entry, content, random };
    let mut answer = file.answer(&headers, false).await?;
    let put = answer.headers_mut();
    put.insert(CONTENT_DISPOSITION, disposition);
    // A browser may keep it, and asks each time whether that is still it.
    put.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if put.get(CONTENT_TYPE).is_some_and(|told| !told.as_bytes().starts_with(b"multipart/byteranges")) {
        let kind = if kind == "text/plain" { "text/plain; charset=utf-8".into() } else { kind };
        put.insert(CONTENT_TYPE, HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static("application/octet-stream")));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t28_what_could_run_is_only_kept() {
        for shown in ["image/png", "text/plain", "TEXT/Plain; charset=x", "video/mp4", "audio/flac"] {
            assert!(is_inert(shown), "{shown}");
        }
        for kept in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "application/pdf",
            "text/javascript",
            "text/css",
            "",
            "image/png2",
            "audio/x, text/html",
        ] {
            assert!(!is_inert(kept), "{kept}");
        }
    }

    #[test]
    fn names_do_not_break_out_of_their_header() {
        let of = |name| disposition(true, name).to_str().unwrap().to_owned();
        assert_eq!(of("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        assert_eq!(of("\";x=é\r\n"), "attachment; filename=\"__x____\"; filename*=UTF-8''%22%3Bx%3D%C3%A9%0D%0A");
    }
}
