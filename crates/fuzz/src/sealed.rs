//! What is sealed: packs and keys. Whatever was changed does not open.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use holm_core::pack::{HEADER, PackReader, PackWriter, Place, RECORD_HEADER, SEGMENT, TAG, file_name, record_len, salt_of};
use holm_core::{Clock, Entropy, Env, Key, KeyRing, PersonKey, RootKey, Timestamp};

use crate::root_key;

/// The same bytes for whoever asks.
struct Given(u8);
impl Entropy for Given {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}
impl Clock for Given {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

fn env(byte: u8) -> Env {
    Env { clock: Arc::new(Given(byte)), entropy: Arc::new(Given(byte)) }
}

/// Numbers taken from the front of the input; zeros after its end.
struct Numbers<'a>(&'a [u8]);
impl Numbers<'_> {
    fn next(&mut self) -> usize {
        let (now, rest) = self.0.split_at(self.0.len().min(3));
        self.0 = rest;
        now.iter().fold(0, |n, b| n << 8 | usize::from(*b))
    }
}

thread_local! {
    static DIR: tempfile::TempDir = tempfile::tempdir().expect("a directory");
}

/// Packs: what was sealed is read, from any byte to any byte; what was changed is not; and any bytes at all are an
/// error or what was sealed. The input says how long two chunks are, what is read, and what is changed, three bytes a
/// number; its rest is a file.
pub fn pack(data: &[u8]) {
    DIR.with(|dir| {
        let file = dir.path().join(file_name(&[9; 32]));
        let _ = std::fs::remove_file(&file);
        sealed(dir.path(), &file, &mut Numbers(data));
        foreign(dir.path(), &file, data);
    });
}

fn sealed(dir: &Path, file: &Path, numbers: &mut Numbers<'_>) {
    let keys = KeyRing::first(PersonKey::from_key(Key::from_bytes([3; 32])));
    let mut writer = PackWriter::create(dir, &keys, &env(9)).expect("a pack");
    let lengths = [numbers.next() % (3 * SEGMENT), numbers.next() % 1_000];
    let chunks = lengths.map(|length| (0..length).map(|n| (n ^ n >> 8 ^ length) as u8).collect::<Vec<_>>());
    let places = [0, 1].map(|n| writer.append(&[n as u8; 32], &chunks[n], &mut Vec::new()).expect("a record"));
    assert_eq!(places[0].pos, HEADER);
    assert_eq!(places[1].pos, HEADER + record_len(places[0].length));
    let bytes = std::fs::read(file).expect("the pack");
    assert_eq!(bytes.len() as u64, places[1].pos + record_len(places[1].length));

    let from = numbers.next().min(lengths[0]);
    let to = from + numbers.next().min(lengths[0] - from);
    let (at, bit) = (numbers.next() % bytes.len(), numbers.next() % 8);
    let mut changed = bytes.clone();
    changed[at] ^= 1 << bit;
    let check = |text: &[u8], broken: Range<usize>| {
        std::fs::write(file, text).expect("the pack");
        let Ok(reader) = PackReader::open(dir, &keys, &[9; 32]) else {
            return assert!(broken.start < 44, "a whole header was refused");
        };
        assert!(broken.is_empty() || broken.start >= 44, "a changed header was taken");
        for n in [0, 1] {
            let (name, place, chunk) = ([n as u8; 32], places[n], &chunks[n]);
            let hurt = |r: Range<usize>| !r.is_empty() && r.start < broken.end && broken.start < r.end;
            let begin = place.pos as usize;
            let mut out = vec![1, 2, 3];
            let verified = reader.verify(&name, place, &mut out).is_ok();
            assert_eq!(verified, !hurt(begin..begin + record_len(place.length) as usize), "record {n} at {at}");
            assert!(!verified || out[3..] == chunk[..]);
            let (from, to) = if n == 0 { (from, to) } else { (0, chunk.len()) };
            let segment = |n: usize| begin + RECORD_HEADER + n * (SEGMENT + TAG);
            let touched = segment(from / SEGMENT)..segment(to.div_ceil(SEGMENT)).min(begin + record_len(place.length) as usize);
            let mut out = vec![1, 2, 3];
            let read = reader.read(&name, place, from as u32, to as u32, &mut out).is_ok();
            assert_eq!(read, !hurt(touched), "bytes {from}..{to} of record {n} at {at}");
            assert!(!read || out == [&[1, 2, 3], &chunk[from..to]].concat());
            let mut out = vec![1, 2, 3];
            match reader.read_now(&name, place, from as u32, to as u32, &mut out) {
                Ok(true) => assert!(read && out == [&[1, 2, 3], &chunk[from..to]].concat()),
                Ok(false) => assert!(out == [1, 2, 3], "left as it was"),
                Err(_) => assert!(!read),
            }
            // The other's name, number or length is not this one's.
            let alien = [Place { record: place.record ^ 1, ..place }, Place { length: place.length + 1, ..place }];
            let mut out = Vec::new();
            assert!(alien.iter().all(|p| chunk.is_empty() || reader.verify(&name, *p, &mut out).is_err()));
            assert!(chunk.is_empty() || reader.read(&[7; 32], place, 0, place.length, &mut out).is_err());
        }
    };
    check(&bytes, bytes.len()..bytes.len());
    check(&changed, at..at + 1);
    check(&bytes[..at], at..bytes.len());
}

/// Bytes that nobody sealed, after a header that fits.
fn foreign(dir: &Path, file: &Path, data: &[u8]) {
    let keys = KeyRing::first(PersonKey::from_key(Key::from_bytes([4; 32])));
    let Some(header) = std::fs::read(file).ok().and_then(|b| b.get(..HEADER as usize).map(<[u8]>::to_vec)) else { return };
    std::fs::write(file, [&header[..], data].concat()).expect("the pack");
    let reader = PackReader::open(dir, &keys, &[9; 32]).expect("a header that fits");
    let mut numbers = Numbers(data);
    let (pos, record, length) = (numbers.next() % 4_096, numbers.next(), numbers.next() % (4 * SEGMENT) + 1);
    let place = Place { pos: pos as u64, record: record as u64, length: length as u32 };
    let from = numbers.next() % length;
    let mut out = Vec::new();
    assert!(reader.verify(&[0; 32], place, &mut out).is_err());
    assert!(reader.read(&[0; 32], place, from as u32, place.length, &mut out).is_err());
    if let Some(name) = std::str::from_utf8(data).ok()
        && let Some(salt) = salt_of(name)
    {
        assert_eq!(file_name(&salt), name.to_ascii_lowercase());
    }
}

/// Keys: a wrapped one opens for its person under its root key, unchanged, and no other way. And the file of a root key.
pub fn keys(data: &[u8]) {
    let root = RootKey { key: Key::from_bytes([5; 32]), epoch: 7 };
    let uid = [6; 16];
    // Nobody wrapped this.
    assert!(root.unwrap(&uid, data).is_err());
    let mut key = [0; 32];
    key.iter_mut().zip(data).for_each(|(k, d)| *k = *d);
    let person = PersonKey::from_key(Key::from_bytes(key));
    let wrapped = root.wrap(&env(data.len() as u8), &uid, &person);
    assert_eq!(root.unwrap(&uid, &wrapped).expect("what was wrapped").catalog(), person.catalog());
    let mut numbers = Numbers(data.get(32..).unwrap_or_default());
    let (at, bit) = (numbers.next() % wrapped.len(), numbers.next() % 8);
    let mut changed = wrapped.clone();
    changed[at] ^= 1 << bit;
    assert!(root.unwrap(&uid, &changed).is_err(), "bit {bit} of byte {at}");
    assert!(root.unwrap(&uid, &wrapped[..at]).is_err(), "cut at {at}");
    assert!(root.unwrap(&uid, &[&wrapped[..], &data[..data.len().min(1)], &[0]].concat()).is_err(), "longer");
    let mut other = uid;
    other[at % 16] ^= 1 << bit;
    assert!(root.unwrap(&other, &wrapped).is_err(), "another person's");
    assert!(RootKey { epoch: root.epoch ^ 1 << (at % 32), ..root.clone() }.unwrap(&uid, &wrapped).is_err(), "of another epoch");

    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(found) = root_key::parse(text) {
        for RootKey { key, .. } in &found {
            let hex: String = key.bytes().iter().map(|b| format!("{b:02x}")).collect();
            assert!(text.to_ascii_lowercase().contains(&hex), "a key that the file does not hold");
        }
        let again = root_key::parse(&root_key::text(&found)).expect("what was written");
        assert!(again.len() == found.len() && again.iter().zip(&found).all(|(a, b)| a.key == b.key && a.epoch == b.epoch));
    }
}
