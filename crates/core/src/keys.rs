//! The key tree: root key → person key → one key a purpose. `docs/format.md` gives the labels and test vectors.
//! Knows nothing about where the root key is kept.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::env::Env;
use crate::error::{Error, Result};

struct Len32;
impl hkdf::KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

/// HKDF-SHA-256 (RFC 5869).
pub(crate) fn hkdf(secret: &[u8], salt: &[u8], info: &[u8]) -> Key {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let mut out = [0; 32];
    prk.expand(&[info], Len32).and_then(|okm| okm.fill(&mut out)).expect("HKDF-SHA-256 gives 32 bytes");
    Key(out)
}

/// 32 secret bytes that print as nothing and are wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    pub fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    pub fn random(env: &Env) -> Key {
        Key(env.random())
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// HKDF-SHA-256 (RFC 5869) of this key under `salt` and a purpose label.
    pub fn derive(&self, salt: &[u8], label: &str) -> Key {
        hkdf(&self.0, salt, label.as_bytes())
    }

    pub(crate) fn aead(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.0).expect("a 32-byte key"))
    }
}

/// The host's secret, kept outside the data directory; its epoch numbers rotations.
#[derive(Clone, Debug)]
pub struct RootKey {
    pub key: Key,
    pub epoch: u32,
}

impl RootKey {
    /// The key of the host's own catalog (people and credentials).
    pub fn catalog_key(&self) -> Key {
        self.key.derive(b"", "holm 1 host catalog")
    }

    /// The key of the host's secrets, where its catalog is not sealed itself.
    pub fn secrets(&self) -> Key {
        self.key.derive(b"", "holm 1 host secret")
    }

    fn kek(&self) -> Key {
        self.key.derive(&self.epoch.to_be_bytes(), "holm 1 kek")
    }

    /// Seals a person's key for the host catalog: nonce (12) ‖ ciphertext (32) ‖ tag (16), bound to person and epoch.
    pub fn wrap(&self, env: &Env, uid: &[u8; 16], key: &PersonKey) -> Vec<u8> {
        let nonce: [u8; 12] = env.random();
        let mut sealed = key.0.0.to_vec();
        self.kek().aead().seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(self.wrap_aad(uid)), &mut sealed).expect("sealing 32 bytes");
        [&nonce[..], &sealed].concat()
    }

    pub fn unwrap(&self, uid: &[u8; 16], wrapped: &[u8]) -> Result<PersonKey> {
        let (nonce, sealed) = wrapped.split_at_checked(12).ok_or(Error::Key("wrapped key too short"))?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Key("wrapped key nonce"))?;
        let plain = self
            .kek()
            .aead()
            .open_in_place(nonce, Aad::from(self.wrap_aad(uid)), &mut sealed)
            .map_err(|_| Error::Key("the root key does not open this person's key"))?;
        let key = plain.try_into().map(Key).map_err(|_| Error::Key("wrapped key length"))?;
        sealed.zeroize();
        Ok(PersonKey(key))
    }

    fn wrap_aad(&self, uid: &[u8; 16]) -> Vec<u8> {
        [b"holm 1 person key".as_slice(), uid, &self.epoch.to_be_bytes()].concat()
    }
}

/// What opens everything of one person.
#[derive(Clone, Debug)]
pub struct PersonKey(Key);

impl PersonKey {
    pub fn from_key(key: Key) -> PersonKey {
        PersonKey(key)
    }

    pub fn catalog(&self) -> Key {
        self.0.derive(b"", "holm 1 catalog")
    }

    /// Keys the BLAKE3 that names chunks and content.
    pub fn chunk_names(&self) -> Key {
        self.0.derive(b"", "holm 1 chunk name")
    }

    /// Seeds the chunker, so that chunk sizes tell a thief of the packs nothing about known files.
    pub fn chunk_cuts(&self) -> u64 {
        let key = self.0.derive(b"", "holm 1 chunk cut");
        u64::from_le_bytes(key.0[..8].try_into().expect("eight bytes"))
    }

    /// Of one content that lies in a catalog which is not sealed itself.
    pub fn content(&self, id: &[u8]) -> Key {
        self.0.derive(id, "holm 1 content")
    }

    pub fn pack(&self, salt: &[u8; 32]) -> Key {
        self.0.derive(salt, "holm 1 pack")
    }

    /// Keys the BLAKE3 by which records of a pack are marked, once the person's key has changed.
    pub fn pack_marks(&self, salt: &[u8; 32]) -> Key {
        self.0.derive(salt, "holm 1 pack mark")
    }

    pub(crate) fn key(&self) -> &Key {
        &self.0
    }
}

/// A person's keys: the newest, for all that is written, and those that packs are still sealed under.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// How often the key was changed.
    pub epoch: u32,
    newest: PersonKey,
    earlier: Vec<(u32, PersonKey)>,
    names: Key,
}

impl KeyRing {
    /// Of a person whose key never changed.
    pub fn first(key: PersonKey) -> KeyRing {
        KeyRing { epoch: 0, names: key.chunk_names(), newest: key, earlier: Vec::new() }
    }

    /// `names` is [`PersonKey::chunk_names`] of the very first key.
    pub fn changed(key: PersonKey, epoch: u32, earlier: Vec<(u32, PersonKey)>, names: Key) -> KeyRing {
        KeyRing { epoch, newest: key, earlier, names }
    }

    pub fn newest(&self) -> &PersonKey {
        &self.newest
    }

    /// Keys the BLAKE3 that names chunks and content; the same through every change.
    pub fn names(&self) -> &Key {
        &self.names
    }

    pub fn of(&self, epoch: u32) -> Option<&PersonKey> {
        if epoch == self.epoch { Some(&self.newest) } else { self.earlier.iter().find(|(e, _)| *e == epoch).map(|(_, key)| key) }
    }

    /// Whether packs may be sealed under an earlier key.
    pub fn has_earlier(&self) -> bool {
        !self.earlier.is_empty()
    }
}
