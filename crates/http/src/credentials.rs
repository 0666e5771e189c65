//! Credentials in the Authorization header.

use base64::Engine;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

/// Basic credentials (RFC 7617), UTF-8. A `DOMAIN\` before the name, which Windows adds, is dropped.
/// The secret is wiped when it has been looked at.
pub fn basic(headers: &HeaderMap) -> Option<(String, Zeroizing<String>)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 2_048 {
        return None;
    }
    let decoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?);
    let text = std::str::from_utf8(&decoded).ok()?;
    let (name, secret) = text.split_once(':')?;
    let name = name.rsplit_once('\\').map_or(name, |(_, n)| n);
    Some((name.to_owned(), Zeroizing::new(secret.to_owned())))
}
