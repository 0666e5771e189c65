//! GET and HEAD (RFC 9110 §9.3): files whole or by range; a collection as a plain page.

use holm_core::Error;
use holm_http::transfer::download::File;

use super::index;
use crate::{Answer, Call};

pub async fn get(call: Call, head_only: bool) -> Answer {
    let (entry, content) = match call.access.open(&call.path) {
        Err(Error::IsFolder(_)) => return index::page(&call),
        other => other?,
    };
    let file = File { access: call.access, path: &call.path, entry, content, random: call.random };
    Ok(file.answer(&call.headers, head_only).await?)
}
