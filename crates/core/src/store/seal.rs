//! What is sealed value by value, because the engine that keeps the catalog does not seal it as a whole: content that lies in it,
//! under the person's key, and the host's secrets, under the root key.

use std::borrow::Cow;

use aws_lc_rs::aead::{Aad, Nonce};

use super::content::Store;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::keys::Key;

const EPOCH: usize = 4;
const NONCE: usize = 12;

/// Epoch (u32, little-endian) ‖ nonce 12 ‖ AES-256-GCM ‖ tag 16.
pub(crate) fn seal(env: &Env, key: &Key, epoch: u32, aad: &[u8], bytes: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE] = env.random();
    let mut sealed = Vec::with_capacity(EPOCH + NONCE + bytes.len() + 16);
    sealed.extend_from_slice(&epoch.to_le_bytes());
    sealed.extend_from_slice(&nonce);
    let mut text = bytes.to_vec();
    key.aead().seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut text).expect("sealing what fits in memory");
    sealed.extend_from_slice(&text);
    sealed
}

/// The epoch that a sealed value bears.
fn epoch(sealed: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(sealed.get(..EPOCH)?.try_into().ok()?))
}

/// None where it does not authenticate.
pub(crate) fn open(key: &Key, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.get(EPOCH..)?.split_at_checked(NONCE)?;
    let mut text = text.to_vec();
    let plain = key.aead().open_in_place(Nonce::try_assume_unique_for_key(nonce).ok()?, Aad::from(aad), &mut text).ok()?.len();
    text.truncate(plain);
    Some(text)
}

impl Store {
    /// A content's bytes as the catalog is to keep them.
    pub(crate) fn seal_content<'b>(&self, id: i64, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.catalog.seals() {
            return Cow::Borrowed(bytes);
        }
        let (ring, id) = (self.ring(), id.to_le_bytes());
        Cow::Owned(seal(&self.env, &ring.newest().content(&id), ring.epoch, &id, bytes))
    }

    /// And back.
    pub(crate) fn open_content<'b>(&self, id: i64, kept: &'b [u8]) -> Result<Cow<'b, [u8]>> {
        if self.catalog.seals() {
            return Ok(Cow::Borrowed(kept));
        }
        let key = epoch(kept).and_then(|epoch| self.ring().of(epoch));
        let opened = key.and_then(|key| open(&key.content(&id.to_le_bytes()), &id.to_le_bytes(), kept));
        opened.map(Cow::Owned).ok_or_else(|| Error::Corrupt(format!("content {id} does not authenticate")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t54_a_value_opens_only_as_what_it_was_sealed_as() {
        let (env, key) = (Env::fixed(), Key::from_bytes([3; 32]));
        let sealed = seal(&env, &key, 0, b"one", b"canary");
        assert_eq!(open(&key, b"one", &sealed).as_deref(), Some(&b"canary"[..]));
        assert_eq!(open(&key, b"two", &sealed), None);
        assert_eq!(open(&Key::from_bytes([4; 32]), b"one", &sealed), None);
        for at in EPOCH..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(open(&key, b"one", &bad), None, "byte {at}");
            assert_eq!(open(&key, b"one", &sealed[..at]), None, "cut at {at}");
        }
        assert!(!sealed.windows(6).any(|w| w == b"canary"));
    }
}
