//! COPY and MOVE (RFC 4918 §9.8, §9.9).

use holm_core::{Change, Depth, Error, Outcome, Overwrite, Path};
use http::StatusCode;

use crate::mount::Elsewhere;
use crate::{Answer, Call, Failure, status};

pub async fn copy(call: Call) -> Answer {
    let depth = call.deep()?;
    let (to, overwrite) = target(&call)?;
    let change = Change::Copy { from: call.path.clone(), to, overwrite, depth };
    transfer(call, change).await
}

pub async fn move_(call: Call) -> Answer {
    if call.deep()? == Depth::Zero && call.access.stat(&call.path)?.is_folder() {
        return Err(Failure::bad("a collection moves with Depth: infinity"));
    }
    let (to, overwrite) = target(&call)?;
    let change = Change::Move { from: call.path.clone(), to, overwrite };
    transfer(call, change).await
}

async fn transfer(call: Call, change: Change) -> Answer {
    let done = call.access.commit(change, call.precondition()?).await.map_err(|e| match e {
        Error::ConditionFailed(path) if path != call.path => Failure::new(StatusCode::PRECONDITION_FAILED, format!("{path} exists and Overwrite is F")),
        e => e.into(),
    })?;
    Ok(status(if done.outcome == Outcome::Created { StatusCode::CREATED } else { StatusCode::NO_CONTENT }))
}

pub fn target(call: &Call) -> Result<(Path, Overwrite), Failure> {
    let uri = call.one("destination")?.ok_or_else(|| Failure::bad("a Destination header is needed"))?;
    let to = call.mount.resolve(uri, &call.headers).map_err(|e| match e {
        Elsewhere::Malformed => Failure::bad("the Destination is no URI of a name"),
        Elsewhere::OtherServer => Failure::new(StatusCode::BAD_GATEWAY, "the Destination lies elsewhere; copy through your own machine"),
    })?;
    let overwrite = match call.one("overwrite")? {
        None | Some("T" | "t") => Overwrite::Yes,
        Some("F" | "f") => Overwrite::No,
        Some(_) => return Err(Failure::bad("Overwrite is T or F")),
    };
    Ok((to, overwrite))
}
