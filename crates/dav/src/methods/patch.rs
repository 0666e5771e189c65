//! PATCH as sabre/dav defines it: `application/x-sabredav-partialupdate` with X-Update-Range. The new state is a
//! whole content of its own; only chunks that changed are stored anew.

use holm_core::{Access, Change, Content, Error, Tags, Transfer};
use holm_http::range::{Refused, update_start};
use holm_http::transfer::place;
use holm_http::transfer::upload::Upload;
use http::StatusCode;

use crate::methods::put::stored;
use crate::{Answer, Call, Failure};

const BLOCK: u64 = 512 * 1024;

pub async fn patch(mut call: Call) -> Answer {
    if call.header("content-type") != Some("application/x-sabredav-partialupdate") {
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "PATCH takes application/x-sabredav-partialupdate"));
    }
    let length = call.header("content-length").and_then(|l| l.parse::<u64>().ok());
    let length = length.ok_or_else(|| Failure::new(StatusCode::LENGTH_REQUIRED, "PATCH needs a Content-Length"))?;
    let mut precondition = call.precondition()?;
    call.access.check(&call.path, &precondition)?;
    let (entry, content) = call.access.open(&call.path)?;
    let start = update_start(call.one("x-update-range")?.unwrap_or_default(), entry.size, length).map_err(|refused| match refused {
        Refused::Malformed => Failure::bad("X-Update-Range is append, or bytes= and a range"),
        Refused::Unsatisfiable => Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "X-Update-Range begins beyond the file's end or does not fit the body"),
    })?;
    // Whatever else was demanded: the bytes around the new ones must still be those just read.
    precondition.if_match = Some(Tags::List(vec![entry.etag()]));
    let _place = place(&call.access, Transfer::Up).await?;
    let mut upload = Upload::new(call.access.upload(&call.path, Some(entry.size.max(start.saturating_add(length))))?);
    copy(&call.access, &content, 0, start.min(entry.size), &mut upload).await?;
    let mut received = 0;
    while let Some(bytes) = call.body.next().await? {
        received += bytes.len() as u64;
        upload.push(&bytes).await?;
    }
    copy(&call.access, &content, start + received, entry.size, &mut upload).await?;
    let content = upload.finish().await?;
    let change = Change::Put { path: call.path.clone(), content, media_type: None, modified: None };
    let done = call.access.commit(change, precondition).await?;
    Ok(stored(&done, false))
}

async fn copy(access: &Access, content: &Content, from: u64, to: u64, upload: &mut Upload) -> Result<(), Failure> {
    let mut at = from;
    while at < to {
        let bytes = match content {
            Content::Inline(bytes) => bytes[at as usize..to as usize].to_vec(),
            Content::Chunked(cut) => {
                let (access, cut) = (access.clone(), cut.clone());
                let read = tokio::task::spawn_blocking(move || {
                    let mut out = Vec::new();
                    access.read_some(&cut, at, to.min(at + BLOCK), &mut out).map(|_| out)
                });
                read.await.map_err(|_| Failure::from(Error::Poisoned))??
            }
        };
        at += bytes.len() as u64;
        upload.push(&bytes.into()).await?;
    }
    Ok(())
}
