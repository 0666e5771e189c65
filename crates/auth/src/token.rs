//! Tokens that nobody types: 256 bits, kept by their hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holm_core::Env;

/// A session's, a ticket's or a browser's secret.
pub struct Token(String);

impl Token {
    pub fn random(env: &Env) -> Token {
        Token(URL_SAFE_NO_PAD.encode(env.random::<32>()))
    }

    /// To hand to whoever it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored.
    pub fn hash(text: &str) -> [u8; 32] {
        *blake3::Hasher::new_derive_key("holm 1 token").update(text.as_bytes()).finalize().as_bytes()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}
