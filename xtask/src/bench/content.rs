//! What is sent: noise that no server can compress, the same for the same number; and base64 for the credentials.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Fallible;

/// Where the second version of the large file differs: this many stretches, evenly apart, a hundredth of the file in all.
const EDITS: u64 = 10;

/// xorshift64*: good enough to choose and to fill, and cheap.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        // Neighbouring seeds must not give neighbouring streams.
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            word.copy_from_slice(&self.next().to_le_bytes()[..word.len()]);
        }
    }
}

/// Noise that follows from a seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Random::new(seed).fill(&mut bytes);
    bytes
}

/// The content of small file `number`.
pub fn small(number: u64) -> [u8; 1024] {
    let mut bytes = [0; 1024];
    Random::new(number).fill(&mut bytes);
    bytes
}

/// Makes the large file, and leaves it in the page cache.
pub fn large(path: &Path, mib: u64) -> Fallible<File> {
    let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    let (mut random, mut buffer) = (Random::new(7), vec![0; 1 << 20]);
    for _ in 0..mib {
        random.fill(&mut buffer);
        file.write_all(&buffer)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// Overwrites a hundredth of the large file in place, with other noise each time: it follows from what is there.
pub fn edit(file: &mut File) -> Fallible<()> {
    let length = file.metadata()?.len();
    let mut stretch = vec![0; (length / 100 / EDITS) as usize];
    let mut seed = [0; 8];
    file.read_exact_at(&mut seed, place(length, 0))?;
    let mut random = Random::new(u64::from_le_bytes(seed));
    for n in 0..EDITS {
        random.fill(&mut stretch);
        file.seek(SeekFrom::Start(place(length, n)))?;
        file.write_all(&stretch)?;
    }
    Ok(file.sync_all()?)
}

fn place(length: u64, edit: u64) -> u64 {
    length / EDITS * edit + length / EDITS / 2
}

pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |c: &[u8]| {
        let n = c.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - c.len()));
        (0..4).map(|i| if i > c.len() { '=' } else { LETTERS[(n >> (18 - 6 * i) & 63) as usize] as char }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn an_edit_changes_a_hundredth() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut file = large(&dir.path().join("large"), 2).expect("the file");
        let read = |file: &mut File| {
            let mut bytes = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("readable");
            bytes
        };
        for _ in 0..2 {
            let before = read(&mut file);
            edit(&mut file).expect("edited");
            let after = read(&mut file);
            assert_eq!(before.len(), after.len());
            let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
            // One byte in 256 of new noise equals the old.
            assert!((before.len() / 105..=before.len() / 100).contains(&changed), "{changed}");
        }
    }

    #[test]
    fn small_files_differ() {
        let all: std::collections::BTreeSet<_> = (0..1_000).map(small).collect();
        assert_eq!(all.len(), 1_000);
    }
}
