//! Credentials in the Authorization header; nowhere else are they looked for.

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

/// A bearer token (RFC 6750 §2.1).
pub fn bearer(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    of_scheme(headers, "bearer")
}

/// The token of one scheme; None where there are two fields, for one of them is somebody else's.
fn of_scheme(headers: &HeaderMap, wanted: &str) -> Option<Zeroizing<String>> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case(wanted) && !token.is_empty() && token.len() <= 2_048).then(|| Zeroizing::new(token.to_owned()))
}
