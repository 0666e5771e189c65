//! Passwords that people choose: Argon2id (RFC 9106), 19 MiB, two passes.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use holm_core::{Env, Error, Result};

/// Longest password in bytes (T33).
pub const MAX: usize = 1_024;

/// The PHC string to store.
pub fn hash(env: &Env, password: &str) -> Result<String> {
    if password.len() < 8 || password.len() > MAX {
        return Err(Error::Invalid("a password has 8 to 1,024 bytes".into()));
    }
    let salt: [u8; 16] = env.random();
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|h| h.to_string()).map_err(|e| Error::Invalid(e.to_string()))
}
