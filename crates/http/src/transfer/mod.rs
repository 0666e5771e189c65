//! Contents on their way in and out, the same for every protocol: small ones at once, large ones block by block, in bounded
//! memory, a bounded number of them at a time.

pub mod download;
mod multipart;
pub mod upload;

use std::time::Duration;

use holm_core::{Access, Error, Transfer};
use tokio::sync::OwnedSemaphorePermit;

use crate::body::BodyError;

/// How long a large transfer waits for its turn.
const TURN: Duration = Duration::from_secs(120);

/// Why a content did not come or go.
#[derive(Debug)]
pub enum TransferError {
    Core(Error),
    Body(BodyError),
}

impl From<Error> for TransferError {
    fn from(e: Error) -> TransferError {
        TransferError::Core(e)
    }
}

impl From<BodyError> for TransferError {
    fn from(e: BodyError) -> TransferError {
        TransferError::Body(e)
    }
}

/// A thread that was to do a part of it is gone.
fn lost(e: tokio::task::JoinError) -> TransferError {
    TransferError::Core(Error::Io { what: "a transfer's worker".into(), source: std::io::Error::other(e) })
}

/// A place among this person's large transfers, for as long as the permit lives.
///
/// # Errors
/// [`Error::Busy`] where others kept all of them for two minutes.
pub async fn place(access: &Access, transfer: Transfer) -> Result<OwnedSemaphorePermit, TransferError> {
    let permit = tokio::time::timeout(TURN, access.place_for(transfer)).await;
    Ok(permit.map_err(|_| Error::Busy)??)
}
