//! Contents on their way in: small ones go with the commit, larger ones stream into the store first.

use bytes::Bytes;
use holm_core::{Access, ContentWriter, Error, INLINE_MAX, NewContent, Path, Transfer};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{TransferError, lost, place};
use crate::body::Incoming;

/// Bytes handed to the store at a time; two such blocks are held per upload.
const BLOCK: usize = 512 * 1024;

/// Takes a body of any length, meant for `path`; `announced` is what it says of its length. A body shorter than announced
/// never becomes content.
pub async fn receive<B>(access: &Access, path: &Path, body: &mut Incoming<B>, announced: Option<u64>) -> Result<NewContent, TransferError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    if announced.is_some_and(|n| n <= INLINE_MAX as u64) {
        return Ok(NewContent::Inline(body.whole(INLINE_MAX).await?));
    }
    let _place = place(access, Transfer::Up).await?;
    let mut upload = Upload::new(access.upload(path, announced)?);
    while let Some(bytes) = body.next().await? {
        upload.push(&bytes).await?;
    }
    upload.finish().await
}

/// A writer between blocks, with the buffer it gave back.
type Idle = (ContentWriter, Vec<u8>);

/// Feeds a [`ContentWriter`] from async code: while one block is cut and sealed on a blocking thread, the next comes in.
pub struct Upload {
    block: Vec<u8>,
    idle: Option<Idle>,
    busy: Option<JoinHandle<Result<Idle, Error>>>,
}

impl Upload {
    pub fn new(writer: ContentWriter) -> Upload {
        Upload { block: Vec::new(), idle: Some((writer, Vec::new())), busy: None }
    }

    pub async fn push(&mut self, bytes: &Bytes) -> Result<(), TransferError> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK { self.hand_over().await } else { Ok(()) }
    }

    async fn ready(&mut self) -> Result<Idle, TransferError> {
        match self.busy.take() {
            Some(task) => Ok(task.await.map_err(lost)??),
            None => Ok(self.idle.take().ok_or(Error::Again("this upload failed before"))?),
        }
    }

    async fn hand_over(&mut self) -> Result<(), TransferError> {
        let (mut writer, empty) = self.ready().await?;
        let mut block = std::mem::replace(&mut self.block, empty);
        self.busy = Some(spawn_blocking(move || {
            writer.write(&block)?;
            block.clear();
            Ok((writer, block))
        }));
        Ok(())
    }

    pub async fn finish(mut self) -> Result<NewContent, TransferError> {
        self.hand_over().await?;
        let (writer, _) = self.ready().await?;
        let done = spawn_blocking(move || writer.finish()).await;
        Ok(done.map_err(lost)??)
    }
}
