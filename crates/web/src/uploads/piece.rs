//! Taking a piece of a file: it goes on when the client's connection is gone, to keep what came.

use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use holm_core::{Access, Change, Transfer, Upload as UnderWay};
use holm_http::body::Incoming;
use holm_http::transfer::place;
use holm_http::transfer::upload::Upload;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::turns::Turn;
use crate::problem::{Kind, Problem};

/// So many bytes are made durable at a time, so that little is sent twice.
const STEP: u64 = 32 << 20;

/// What a piece's bytes must come to.
pub enum Checksum {
    Sha1(Sha1, Vec<u8>),
    Sha256(Sha256, Vec<u8>),
}

impl Checksum {
    pub const NAMES: &'static str = "sha1,sha256";

    /// # Errors
    /// An algorithm that is not known here, or no Base64.
    pub fn read(header: Option<&str>) -> Result<Option<Checksum>, Problem> {
        let Some(text) = header else { return Ok(None) };
        let bad = || Problem::new(Kind::Malformed, "Upload-Checksum is sha1 or sha256, a space, and the hash in Base64");
        let (name, hash) = text.split_once(' ').ok_or_else(bad)?;
        let hash = BASE64_STANDARD.decode(hash.trim()).map_err(|_| bad())?;
        match name {
            "sha1" => Ok(Some(Checksum::Sha1(Sha1::new(), hash))),
            "sha256" => Ok(Some(Checksum::Sha256(Sha256::new(), hash))),
            _ => Err(bad()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Checksum::Sha1(hasher, _) => hasher.update(bytes),
            Checksum::Sha256(hasher, _) => hasher.update(bytes),
        }
    }

    fn holds(self) -> bool {
        match self {
            Checksum::Sha1(hasher, wanted) => hasher.finalize()[..] == wanted,
            Checksum::Sha256(hasher, wanted) => hasher.finalize()[..] == wanted,
        }
    }
}

/// Takes what a body brings, and puts the file in its place when it is whole.
pub async fn take(access: &Access, turn: Turn, upload: UnderWay, checksum: Option<Checksum>, body: Body) -> Result<(), Problem> {
    let taking = Taking { access: access.clone(), turn, at: upload.received, upload, checksum };
    // Beside the request, which ends with the client's connection.
    let taken = tokio::spawn(taking.run(Incoming::new(body)));
    taken.await.unwrap_or_else(|e| Err(Problem::new(Kind::Internal, format!("an upload ended early: {e}"))))
}

struct Taking {
    access: Access,
    turn: Turn,
    upload: UnderWay,
    at: u64,
    checksum: Option<Checksum>,
}

/// How a step ended.
enum End {
    /// There may be more.
    Step,
    Body,
    /// The client is gone, or comes again elsewhere.
    Lost(Problem),
}

impl Taking {
    async fn run(mut self, mut body: Incoming<Body>) -> Result<(), Problem> {
        let size = self.upload.new.size;
        let _place = place(&self.access, Transfer::Up).await?;
        let mut end = if self.at < size { End::Step } else { End::Body };
        while matches!(end, End::Step) {
            end = self.step(&mut body).await?;
        }
        if let End::Lost(why) = end {
            return Err(why);
        }
        if self.at == size && !self.upload.done {
            let finish = Change::Finish { path: self.upload.path.clone(), upload: self.upload.new.id };
            self.access.commit(finish, Default::default()).await?;
        }
        Ok(())
    }

    /// Takes up to [`STEP`] bytes and makes them durable. With a checksum, all of the piece: none of it counts before it is right.
    async fn step(&mut self, body: &mut Incoming<Body>) -> Result<End, Problem> {
        let mut writer = Upload::new(self.access.piece(&self.upload.path)?);
        let (mut came, room) = (0, self.upload.new.size - self.at);
        let mut end = End::Step;
        while matches!(end, End::Step) && (came < STEP || self.checksum.is_some()) {
            let next = tokio::select! {
                next = body.next() => next,
                () = self.turn.wanted() => {
                    end = End::Lost(Problem::new(Kind::Conflict, "this upload goes on over another connection"));
                    break;
                }
            };
            match next {
                Ok(Some(bytes)) => {
                    came += bytes.len() as u64;
                    if came > room {
                        return Err(Problem::new(Kind::TooLarge, "more came than the file was announced with; begin it anew"));
                    }
                    self.checksum.iter_mut().for_each(|c| c.update(&bytes));
                    writer.push(&bytes).await?;
                }
                Ok(None) => end = End::Body,
                Err(e) => end = End::Lost(e.into()),
            }
        }
        if let Some(checksum) = self.checksum.take()
            && (matches!(end, End::Lost(_)) || !checksum.holds())
        {
            return Err(Problem::new(Kind::Checksum, "the bytes that came are not those of the checksum; send them again"));
        }
        if came > 0 {
            let content = writer.finish().await?;
            let piece = Change::Extend { path: self.upload.path.clone(), upload: self.upload.new.id, from: self.at, content };
            self.access.commit(piece, Default::default()).await?;
            self.at += came;
        }
        Ok(end)
    }
}
