//! DELETE (RFC 4918 §9.6): to the trash.

use holm_core::{Change, Depth};
use http::StatusCode;

use crate::{Answer, Call, Failure, status};

pub async fn delete(call: Call) -> Answer {
    if call.deep()? == Depth::Zero && call.access.stat(&call.path)?.is_folder() {
        return Err(Failure::bad("a collection is deleted with Depth: infinity"));
    }
    let change = Change::Remove { path: call.path.clone() };
    call.access.commit(change, call.precondition()?).await?;
    Ok(status(StatusCode::NO_CONTENT))
}
