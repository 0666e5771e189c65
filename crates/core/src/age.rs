//! What a recovery kit needs of the age format (age-encryption.org/v1): X25519 identities and recipients in their usual
//! spelling, files sealed to one recipient. Any `age` program opens what is written here. Knows nothing of what is sealed.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bech32::{Bech32, Hrp};
use zeroize::{Zeroize, Zeroizing};

use crate::env::Env;
use crate::error::{Error, Result};
use crate::keys::{Key, hkdf};

const INTRO: &str = "age-encryption.org/v1\n";
const WRAP: &[u8] = b"age-encryption.org/v1/X25519";
const IDENTITY: &str = "age-secret-key-";
const RECIPIENT: &str = "age";
/// Lines of a stanza's body are this long, the last one shorter.
const COLUMNS: usize = 64;
/// What one chunk of the payload holds; more is never sealed here.
const CHUNK: usize = 64 * 1024;
/// The nonce of a payload's first chunk that is also its last.
const ONLY_CHUNK: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// The secret half: 32 bytes, an X25519 scalar.
pub struct Identity(Key);

/// The public half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

fn damaged(what: &str) -> Error {
    Error::Corrupt(format!("the age file: {what}"))
}

fn failed<E>(_: E) -> Error {
    Error::Key("no X25519 key")
}

fn spelled(name: &str, bytes: &[u8; 32]) -> String {
    bech32::encode::<Bech32>(Hrp::parse(name).expect("a fixed name"), bytes).expect("32 bytes are not too long")
}

fn unspelled(name: &str, text: &str) -> Option<[u8; 32]> {
    let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text).ok()?;
    let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(checked.byte_iter().collect());
    (checked.hrp() == Hrp::parse(name).ok()?).then(|| bytes[..].try_into().ok())?
}

impl Identity {
    pub fn random(env: &Env) -> Identity {
        Identity(Key::random(env))
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Identity {
        Identity(Key::from_bytes(bytes))
    }

    pub fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// Reads `AGE-SECRET-KEY-1…`.
    pub fn parse(text: &str) -> Option<Identity> {
        unspelled(IDENTITY, text).map(Identity::from_bytes)
    }

    /// `AGE-SECRET-KEY-1…`
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = spelled(IDENTITY, self.bytes());
        text.make_ascii_uppercase();
        Zeroizing::new(text)
    }

    fn private(&self) -> Result<PrivateKey> {
        PrivateKey::from_private_key(&X25519, self.bytes()).map_err(failed)
    }

    pub fn recipient(&self) -> Result<Recipient> {
        let public = self.private()?.compute_public_key().map_err(failed)?;
        public.as_ref().try_into().map(Recipient).map_err(failed)
    }

    /// Opens a file that was sealed to this identity, and perhaps to others.
    pub fn open(&self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let header = Header::parse(file)?;
        let own = self.recipient()?;
        for (share, body) in &header.stanzas {
            let wrap = wrap_key(&self.private()?, share, share, &own)?;
            let mut wrapped = *body;
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            let Ok(key) = wrap.open_in_place(nonce, Aad::empty(), &mut wrapped) else { continue };
            let key = Zeroizing::new(<[u8; 16]>::try_from(&*key).map_err(|_| damaged("its key has another length"))?);
            wrapped.zeroize();
            hmac::verify(&mac_key(&key), header.sealed, &header.mac).map_err(|_| damaged("its header was changed"))?;
            let (nonce, sealed) = header.payload.split_at_checked(16).ok_or_else(|| damaged("it is cut off"))?;
            if sealed.len() > CHUNK + 16 {
                return Err(damaged("it is too long for a root key"));
            }
            let mut plain = Zeroizing::new(sealed.to_vec());
            let length = payload_key(&key, nonce)
                .open_in_place(Nonce::assume_unique_for_key(ONLY_CHUNK), Aad::empty(), &mut plain)
                .map_err(|_| damaged("its content was changed"))?
                .len();
            plain.truncate(length);
            return Ok(plain);
        }
        Err(Error::Key("the words are of another kit than this age file"))
    }
}

impl Recipient {
    /// Reads `age1…`.
    pub fn parse(text: &str) -> Option<Recipient> {
        unspelled(RECIPIENT, text).map(Recipient)
    }

    /// `age1…`
    pub fn text(&self) -> String {
        spelled(RECIPIENT, &self.0)
    }

    /// A file of at most 64 KiB that only the recipient's identity opens.
    pub fn seal(&self, env: &Env, plain: &[u8]) -> Result<Vec<u8>> {
        if plain.len() > CHUNK {
            return Err(Error::Limit("an age file is written with at most 64 KiB here"));
        }
        let key = Zeroizing::new(env.random::<16>());
        let once = Identity::random(env);
        let share = once.recipient()?;
        let mut wrapped = key.to_vec();
        let wrap = wrap_key(&once.private()?, &self.0, &share.0, self)?;
        wrap.seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut wrapped).map_err(failed)?;
        let header = format!("{INTRO}-> X25519 {}\n{}\n---", STANDARD_NO_PAD.encode(share.0), STANDARD_NO_PAD.encode(&wrapped));
        let mac = hmac::sign(&mac_key(&key), header.as_bytes());
        let nonce: [u8; 16] = env.random();
        let mut sealed = plain.to_vec();
        let payload = payload_key(&key, &nonce);
        payload.seal_in_place_append_tag(Nonce::assume_unique_for_key(ONLY_CHUNK), Aad::empty(), &mut sealed).map_err(failed)?;
        Ok([header.as_bytes(), b" ", STANDARD_NO_PAD.encode(mac).as_bytes(), b"\n", &nonce, &sealed].concat())
    }
}

fn chacha(key: &Key) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.bytes()).expect("a 32-byte key"))
}

/// The key that wraps a file's key: agreed between `own` and `peer`, bound to the file's share and the recipient.
fn wrap_key(own: &PrivateKey, peer: &[u8; 32], share: &[u8; 32], recipient: &Recipient) -> Result<LessSafeKey> {
    let salt = [&share[..], &recipient.0].concat();
    agree(own, UnparsedPublicKey::new(&X25519, peer), Error::Key("no X25519 share"), |shared| Ok(chacha(&hkdf(shared, &salt, WRAP))))
}

fn mac_key(key: &[u8; 16]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, hkdf(key, b"", b"header").bytes())
}

fn payload_key(key: &[u8; 16], nonce: &[u8]) -> LessSafeKey {
    chacha(&hkdf(key, nonce, b"payload"))
}

struct Header<'f> {
    /// Share and wrapped key of each X25519 stanza.
    stanzas: Vec<([u8; 32], [u8; 32])>,
    /// What the MAC is of.
    sealed: &'f [u8],
    mac: Vec<u8>,
    payload: &'f [u8],
}

impl<'f> Header<'f> {
    fn parse(file: &'f [u8]) -> Result<Header<'f>> {
        let odd = || damaged("it does not begin as one");
        let mut rest = file.strip_prefix(INTRO.as_bytes()).ok_or_else(odd)?;
        let mut line = || {
            let end = rest.iter().position(|b| *b == b'\n')?;
            let (line, after) = rest.split_at(end);
            rest = &after[1..];
            Some((std::str::from_utf8(line).ok()?, after.len()))
        };
        let bytes32 = |text: &str| STANDARD_NO_PAD.decode(text).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
        let mut stanzas = Vec::new();
        loop {
            let (first, left) = line().ok_or_else(odd)?;
            if let Some(mac) = first.strip_prefix("--- ") {
                let mac = STANDARD_NO_PAD.decode(mac).map_err(|_| odd())?;
                let end = file.len() - left;
                return Ok(Header { stanzas, sealed: &file[..end - first.len() + 3], mac, payload: &file[end + 1..] });
            }
            let arguments = first.strip_prefix("-> ").ok_or_else(odd)?;
            let mut body = String::new();
            loop {
                let (part, _) = line().ok_or_else(odd)?;
                body += part;
                if part.len() < COLUMNS {
                    break;
                }
            }
            if let Some(share) = arguments.strip_prefix("X25519 ") {
                stanzas.push((bytes32(share).ok_or_else(odd)?, bytes32(&body).ok_or_else(odd)?));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{Clock, Entropy, Timestamp};
    use std::sync::Arc;

    struct Counter;
    impl Entropy for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.iter_mut().zip(1..).for_each(|(b, n)| *b = n);
        }
    }
    impl Clock for Counter {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    fn env() -> Env {
        Env { clock: Arc::new(Counter), entropy: Arc::new(Counter) }
    }

    #[test]
    fn only_the_identity_opens_and_no_byte_may_change() {
        let identity = Identity::from_bytes([9; 32]);
        let file = identity.recipient().unwrap().seal(&env(), b"a root key").unwrap();
        assert_eq!(identity.open(&file).unwrap()[..], *b"a root key");
        assert!(matches!(Identity::from_bytes([8; 32]).open(&file), Err(Error::Key(_))));
        for at in 0..file.len() {
            for bad in [[&file[..at], &file[at + 1..]].concat(), [&file[..at], &[file[at] ^ 1], &file[at + 1..]].concat()] {
                assert!(identity.open(&bad).is_err(), "byte {at} changed and nobody noticed");
            }
        }
    }

    #[test]
    fn what_another_program_sealed_opens() {
        // By age 1.1.1, to the identity of the bytes 0 to 31.
        let file = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBsdE82NllBcnQyQ3Uzb1R1MnhWVng0SldHRTVIVSs4bkRra0Q1RzlrSkRVCm1QMkxVYVBIZXk2UU40ekF6Ung2OUQ3VXNjSTU3aEdDWXF0QzYycmxBcXMKLS0tIGYyV0xWb2FEcFhsT2JpK1hYWkFNM3hSTkVNbWJoRW52VG00Rzdmc1c5SU0K2E+RiEBVqPafbsLQnM7IGsRNMZATRqXEEXs9pvfLWG4QIpgvPlJIvNHyZg==";
        let file = base64::engine::general_purpose::STANDARD.decode(file).unwrap();
        assert_eq!(Identity::from_bytes(std::array::from_fn(|n| n as u8)).open(&file).unwrap()[..], *b"a root key\n");
    }

    #[test]
    fn spellings_are_read_back_and_mistakes_are_not() {
        let identity = Identity::from_bytes(std::array::from_fn(|n| n as u8));
        let text = identity.text();
        assert!(text.starts_with("AGE-SECRET-KEY-1"));
        assert!(Identity::parse(&text).is_some_and(|i| i.bytes() == identity.bytes()));
        let recipient = identity.recipient().unwrap();
        assert_eq!(Recipient::parse(&recipient.text()), Some(recipient));
        assert!(Recipient::parse(&text).is_none() && Identity::parse(&recipient.text()).is_none());
        assert!(Identity::parse(&text.replace('Q', "P")).is_none());
    }
}
