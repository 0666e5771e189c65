//! Pack files: sealed chunks, one after the other. A pack is written once by one process and never reopened for
//! writing, so that a nonce (record number ‖ segment number) never repeats under its key. `docs/format.md` gives the
//! bytes. A segment of 64 KiB is the unit of sealing, so that a small range of a large chunk costs little to read.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use rustix::io::ReadWriteFlags;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::keys::{Key, KeyRing, PersonKey};
use crate::mutant::mutant;
use crate::store::sqlite::sync_dir;

pub const MAGIC: &[u8; 8] = b"HOLMPAK1";
pub const HEADER: u64 = 64;
pub const RECORD_MAGIC: &[u8; 4] = b"CHNK";
/// magic 4 ‖ length u32 LE ‖ name 32
pub const RECORD_HEADER: usize = 40;
pub const SEGMENT: usize = 64 * 1024;
pub const TAG: usize = 16;
/// A pack is closed when it has grown to this.
pub const PACK_MAX: u64 = 64 << 20;

/// The keyed BLAKE3 of a chunk's bytes.
pub type ChunkName = [u8; 32];

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub pos: u64,
    pub record: u64,
    pub length: u32,
}

pub fn file_name(salt: &[u8; 32]) -> String {
    let hex: String = salt.iter().map(|b| format!("{b:02x}")).collect();
    format!("{hex}.pack")
}

/// The salt of the pack that a file of this name would be.
pub fn salt_of(name: &str) -> Option<[u8; 32]> {
    let hex = name.strip_suffix(".pack").filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let mut salt = [0; 32];
    for (n, byte) in salt.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(salt)
}

/// Bytes a record of `length` plaintext bytes takes.
pub fn record_len(length: u32) -> u64 {
    let segments = (length as usize).div_ceil(SEGMENT);
    (RECORD_HEADER + length as usize + segments * TAG) as u64
}

fn nonce(record: u64, segment: u32) -> Nonce {
    let record = if mutant("nonce-reuse") { 0 } else { record };
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&record.to_le_bytes());
    bytes[8..].copy_from_slice(&segment.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn aad(name: &ChunkName, length: u32, segment: u32) -> Aad<[u8; 41]> {
    let mut bytes = [0; 41];
    bytes[0] = 1;
    if !mutant("name-not-authenticated") {
        bytes[1..33].copy_from_slice(name);
    }
    bytes[33..37].copy_from_slice(&length.to_le_bytes());
    bytes[37..].copy_from_slice(&segment.to_le_bytes());
    Aad::from(bytes)
}

/// How a pack's records are sealed and marked.
struct Seal {
    key: LessSafeKey,
    /// Chunks' names outlast a change of the person's key, so that a thief with an old one would know them again in new packs:
    /// there they are hashed once more. None in packs of the first key, where records bear the names themselves.
    marks: Option<Key>,
}

impl Seal {
    fn new(key: &PersonKey, epoch: u32, salt: &[u8; 32]) -> Seal {
        Seal { key: key.pack(salt).aead(), marks: (epoch > 0).then(|| key.pack_marks(salt)) }
    }

    /// What a record of the chunk bears as its name.
    fn mark(&self, name: &ChunkName) -> ChunkName {
        self.marks.as_ref().map_or(*name, |key| *blake3::keyed_hash(key.bytes(), name).as_bytes())
    }
}

/// The epoch in a pack's header.
pub fn epoch_of(path: &Path) -> Result<u32> {
    let file = File::open(path).map_err(Error::io(format!("opening {}", path.display())))?;
    header(&file, path).map(|(_, epoch)| epoch)
}

fn header(file: &File, path: &Path) -> Result<([u8; 32], u32)> {
    let mut header = [0; 44];
    if file.read_exact_at(&mut header, 0).is_err() || &header[..8] != MAGIC {
        return Err(Error::Corrupt(format!("{} does not begin as its pack must", path.display())));
    }
    let (salt, epoch) = header[8..].split_at(32);
    Ok((salt.try_into().expect("32 bytes"), u32::from_le_bytes(epoch.try_into().expect("four bytes"))))
}

/// A pack being written.
pub struct PackWriter {
    file: File,
    dir: PathBuf,
    seal: Seal,
    salt: [u8; 32],
    pos: u64,
    records: u64,
    named: bool,
    dirty: bool,
}

impl PackWriter {
    pub fn create(dir: &Path, keys: &KeyRing, env: &Env) -> Result<PackWriter> {
        let salt: [u8; 32] = env.random();
        let path = dir.join(file_name(&salt));
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(Error::io(format!("creating {}", path.display())))?;
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(MAGIC);
        header[8..40].copy_from_slice(&salt);
        header[40..44].copy_from_slice(&keys.epoch.to_le_bytes());
        file.write_all_at(&header, 0).map_err(Error::io("writing a pack's header"))?;
        let seal = Seal::new(keys.newest(), keys.epoch, &salt);
        Ok(PackWriter { file, dir: dir.into(), seal, salt, pos: HEADER, records: 0, named: false, dirty: true })
    }

    pub fn salt(&self) -> &[u8; 32] {
        &self.salt
    }

    pub fn is_full(&self) -> bool {
        self.pos >= PACK_MAX
    }

    /// Seals one chunk into `scratch` and appends it. Durable only after [`PackWriter::sync`].
    pub fn append(&mut self, name: &ChunkName, bytes: &[u8], scratch: &mut Vec<u8>) -> Result<Place> {
        let length = bytes.len() as u32;
        let place = Place { pos: self.pos, record: self.records, length };
        let name = &self.seal.mark(name);
        scratch.clear();
        scratch.extend_from_slice(RECORD_MAGIC);
        scratch.extend_from_slice(&length.to_le_bytes());
        scratch.extend_from_slice(name);
        for (segment, plain) in bytes.chunks(SEGMENT).enumerate() {
            let start = scratch.len();
            scratch.extend_from_slice(plain);
            let tag = self
                .seal
                .key
                .seal_in_place_separate_tag(nonce(self.records, segment as u32), aad(name, length, segment as u32), &mut scratch[start..])
                .map_err(|_| Error::Key("sealing failed"))?;
            scratch.extend_from_slice(tag.as_ref());
        }
        // The number is spent even if the write fails: a nonce is used once.
        self.records += 1;
        self.file.write_all_at(scratch, self.pos).map_err(Error::io("writing to a pack"))?;
        self.pos += scratch.len() as u64;
        self.dirty = true;
        Ok(place)
    }

    /// Makes everything appended durable, and the first time the pack's name in its directory too.
    pub fn sync(&mut self) -> Result<()> {
        if self.dirty && !mutant("no-pack-sync") {
            self.file.sync_data().or_else(|e| if mutant("pack-error-ignored") { Ok(()) } else { Err(e) }).map_err(Error::io("syncing a pack"))?;
            self.dirty = false;
        }
        if !self.named && !mutant("no-pack-name-sync") {
            sync_dir(&self.dir).or_else(|e| if mutant("pack-name-error-ignored") { Ok(()) } else { Err(e) })?;
            self.named = true;
        }
        Ok(())
    }
}

/// A pack open for reading.
pub struct PackReader {
    file: File,
    seal: Seal,
}

impl PackReader {
    pub fn open(dir: &Path, keys: &KeyRing, salt: &[u8; 32]) -> Result<PackReader> {
        let path = dir.join(file_name(salt));
        let file = File::open(&path).map_err(Error::io(format!("opening {}", path.display())))?;
        match header(&file, &path)? {
            (found, _) if found != *salt => Err(Error::Corrupt(format!("{} does not begin as its pack must", path.display()))),
            (_, epoch) => match keys.of(epoch) {
                Some(key) => Ok(PackReader { file, seal: Seal::new(key, epoch, salt) }),
                None => Err(Error::Corrupt(format!("{} is sealed under key {epoch} of this person, which is gone", path.display()))),
            },
        }
    }

    /// Reads a whole record as it was written: its header must say what the catalog says.
    pub fn verify(&self, name: &ChunkName, place: Place, out: &mut Vec<u8>) -> Result<()> {
        let mut header = [0; RECORD_HEADER];
        self.file.read_exact_at(&mut header, place.pos).map_err(|_| Error::Corrupt("a pack is shorter than the catalog says".into()))?;
        if header[..4] != *RECORD_MAGIC || header[4..8] != place.length.to_le_bytes() || header[8..] != self.seal.mark(name) {
            return Err(Error::Corrupt("a record's header is not the one that was written".into()));
        }
        self.read(name, place, 0, place.length, out)
    }

    /// Appends the chunk's bytes `from..to` to `out`, opening only the segments they touch.
    pub fn read(&self, name: &ChunkName, place: Place, from: u32, to: u32, out: &mut Vec<u8>) -> Result<()> {
        let span = Span::new(place, from, to);
        let base = out.len();
        out.resize(base + span.len(), 0);
        self.file.read_exact_at(&mut out[base..], span.begin).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::Corrupt("a pack is shorter than the catalog says".into()),
            _ => Error::io("reading a pack")(e),
        })?;
        self.unseal(name, place, &span, base, out)
    }

    /// The same, if the system has the bytes in memory; else answers false and leaves `out` as it was. Never waits for
    /// the disk, so that async code may call it.
    pub fn read_now(&self, name: &ChunkName, place: Place, from: u32, to: u32, out: &mut Vec<u8>) -> Result<bool> {
        let span = Span::new(place, from, to);
        let base = out.len();
        out.resize(base + span.len(), 0);
        let mut slices = [std::io::IoSliceMut::new(&mut out[base..])];
        match rustix::io::preadv2(&self.file, &mut slices, span.begin, ReadWriteFlags::NOWAIT) {
            Ok(n) if n == span.len() => self.unseal(name, place, &span, base, out).map(|()| true),
            _ => {
                out.truncate(base);
                Ok(false)
            }
        }
    }

    /// Opens the segments that were read to the end of `out` and leaves the plain bytes that were asked for.
    fn unseal(&self, name: &ChunkName, place: Place, span: &Span, base: usize, out: &mut Vec<u8>) -> Result<()> {
        let mut write = base;
        let name = &self.seal.mark(name);
        for (n, start) in (base..out.len()).step_by(SEGMENT + TAG).enumerate() {
            let stop = (start + SEGMENT + TAG).min(out.len());
            let segment = span.first + n as u32;
            let opened = self.seal.key.open_in_place(nonce(place.record, segment), aad(name, place.length, segment), &mut out[start..stop]);
            let plain = match opened {
                Ok(plain) => plain.len(),
                Err(_) if mutant("lost-tag") => stop - start - TAG,
                Err(_) => return Err(Error::Corrupt("a chunk does not authenticate".into())),
            };
            // Only what was asked for is moved together; the first segment may begin before it.
            let skip = if n == 0 { span.skip } else { 0 };
            out.copy_within(start + skip..start + plain, write);
            write += plain - skip;
        }
        out.truncate(base + span.wanted);
        Ok(())
    }
}

/// The sealed bytes that hold a stretch of a chunk.
struct Span {
    begin: u64,
    end: u64,
    first: u32,
    /// Plain bytes of the first segment before the stretch.
    skip: usize,
    wanted: usize,
}

impl Span {
    fn new(place: Place, from: u32, to: u32) -> Span {
        let sealed = |segments: usize| (segments * (SEGMENT + TAG)) as u64;
        let records = place.pos + RECORD_HEADER as u64;
        let first = from as usize / SEGMENT;
        let end = sealed((to as usize).div_ceil(SEGMENT)).min(record_len(place.length) - RECORD_HEADER as u64);
        Span { begin: records + sealed(first), end: records + end, first: first as u32, skip: from as usize - first * SEGMENT, wanted: (to - from) as usize }
    }

    fn len(&self) -> usize {
        (self.end - self.begin) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::env::{Clock, Entropy, Timestamp};

    struct Same;
    impl Clock for Same {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }
    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn keys() -> KeyRing {
        KeyRing::first(PersonKey::from_key(Key::from_bytes([1; 32])))
    }

    /// Writes a pack of named chunks; answers where it lies and where they lie in it.
    fn pack(dir: &Path, chunks: &[(ChunkName, &[u8])]) -> (PathBuf, Vec<Place>) {
        let env = Env { clock: Arc::new(Same), entropy: Arc::new(Same) };
        let mut writer = PackWriter::create(dir, &keys(), &env).unwrap();
        let places = chunks.iter().map(|(name, bytes)| writer.append(name, bytes, &mut Vec::new()).unwrap()).collect();
        (dir.join(file_name(writer.salt())), places)
    }

    /// The same bytes under the same name, in segments that are all the same: a nonce that came again would show.
    #[test]
    fn no_nonce_repeats() {
        let dir = tempfile::tempdir().unwrap();
        let zeros: (ChunkName, &[u8]) = ([0; 32], &[0; 3 * SEGMENT]);
        let (path, places) = pack(dir.path(), &[zeros, zeros]);
        let bytes = std::fs::read(path).unwrap();
        let records = places.iter().map(|place| &bytes[place.pos as usize + RECORD_HEADER..]);
        let segments: BTreeSet<&[u8]> = records.flat_map(|record| record.chunks(SEGMENT + TAG).take(3)).map(|sealed| &sealed[..SEGMENT]).collect();
        assert_eq!(segments.len(), 6);
    }

    #[test]
    fn t54_a_chunk_opens_only_as_what_it_was_sealed_as() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b): (ChunkName, ChunkName) = ([1; 32], [2; 32]);
        let (path, places) = pack(dir.path(), &[(a, &[3; 1_000]), (b, &[4; 1_000])]);
        let (first, second) = (places[0], places[1]);
        let opens = |name: &ChunkName, place: Place| {
            let reader = PackReader::open(dir.path(), &keys(), &[7; 32]).unwrap();
            reader.read(name, place, 0, place.length, &mut Vec::new()).is_ok()
        };
        assert!(opens(&a, first) && opens(&b, second));
        let longer = Place { length: 1_001, ..first };
        let renumbered = Place { record: 1, ..first };
        for (what, name, place) in [("name", &b, first), ("length", &a, longer), ("number", &a, renumbered), ("place", &a, second)] {
            assert!(!opens(name, place), "under another {what}");
        }
        // Exchanged on the disk.
        let mut bytes = std::fs::read(&path).unwrap();
        let (head, tail) = bytes.split_at_mut(second.pos as usize);
        head[first.pos as usize..].swap_with_slice(tail);
        std::fs::write(&path, bytes).unwrap();
        assert!(!opens(&a, first) && !opens(&b, second) && !opens(&b, first) && !opens(&a, second));
    }
}
