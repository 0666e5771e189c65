//! Secrets that people copy or type: random, so that a fast hash is enough and no dictionary helps.

use holm_core::Env;
use zeroize::{Zeroize, ZeroizeOnDrop};

const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Letters in groups of four. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// A new app password: 28 letters (140 bits).
    pub fn random(env: &Env) -> Secret {
        Secret::of(env.random::<28>())
    }

    /// A new recovery code: 16 letters (80 bits), of which few may be tried.
    pub fn recovery_code(env: &Env) -> Secret {
        Secret::of(env.random::<16>())
    }

    fn of<const N: usize>(bytes: [u8; N]) -> Secret {
        let groups: Vec<String> = bytes.chunks(4).map(|c| c.iter().map(|b| ALPHABET[(*b % 32) as usize] as char).collect()).collect();
        Secret(groups.join("-"))
    }

    /// To show once to whoever asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored: BLAKE3 of the letters, hyphens and spaces left out so that they may be typed either way.
    pub fn hash(text: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("holm 1 app password");
        for part in text.split(['-', ' ']) {
            hasher.update(part.as_bytes());
        }
        let hash = *hasher.finalize().as_bytes();
        // It holds what it has not mixed in yet.
        hasher.zeroize();
        hash
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
