//! Several ranges of a file in one answer, as multipart/byteranges (RFC 9110 §14.6).

use std::collections::VecDeque;
use std::pin::Pin;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use holm_core::{Access, Content};
use tokio::sync::OwnedSemaphorePermit;

use super::download::blocks;

pub fn content_range(from: u64, to: u64, size: u64) -> String {
    format!("bytes {from}-{}/{size}", to - 1)
}

/// The parts, each with the text before it, and the text after the last.
pub struct Parts {
    boundary: String,
    parts: VecDeque<(String, u64, u64)>,
    end: String,
}

impl Parts {
    /// The boundary is not to be guessed: who wrote the file must not be able to write parts of an answer.
    pub fn new(parts: Vec<(u64, u64)>, kind: &str, size: u64, random: [u8; 16]) -> Parts {
        let boundary: String = random.iter().map(|b| format!("{b:02x}")).collect();
        let head = |from, to| format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {}\r\n\r\n", content_range(from, to, size));
        let parts = parts.into_iter().map(|(from, to)| (head(from, to), from, to)).collect();
        Parts { parts, end: format!("\r\n--{boundary}--\r\n"), boundary }
    }

    pub fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    pub fn length(&self) -> u64 {
        self.parts.iter().map(|(head, from, to)| head.len() as u64 + to - from).sum::<u64>() + self.end.len() as u64
    }

    /// `place` is held until the body ends.
    pub fn body(self, access: Access, content: Content, place: OwnedSemaphorePermit) -> Body {
        let inline = match &content {
            Content::Inline(bytes) => Bytes::from(bytes.clone()),
            Content::Chunked(_) => Bytes::new(),
        };
        let parts = stream::iter(self.parts).flat_map(move |(head, from, to)| {
            let data: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>> = match &content {
                Content::Inline(_) => Box::pin(stream::iter([Ok(inline.slice(from as usize..to as usize))])),
                Content::Chunked(cut) => Box::pin(blocks(access.clone(), cut.clone(), from, to)),
            };
            stream::iter([Ok(Bytes::from(head))]).chain(data)
        });
        Body::from_stream(parts.chain(stream::iter([Ok(Bytes::from(self.end))])).inspect(move |_| _ = &place))
    }
}
