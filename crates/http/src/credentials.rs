//! Credentials in the headers of a request.

use base64::Engine;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

/// Where what links lead to hangs, each below its token.
pub const LINKS: &str = "/dav/links";
/// The cookie that a browser keeps in which a link's password was right; for that link's path alone.
pub const LINK_VISIT: &str = "__Secure-holm-link";
/// Longest token in a cookie that is looked at.
const MAX_TOKEN: usize = 256;

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

/// A cookie that holds a token; none where there are two, for one of them is somebody else's.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all("cookie").iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let mut tokens = pairs.filter_map(|pair| pair.trim().split_once('=').filter(|(n, _)| *n == name).map(|(_, value)| value));
    match (tokens.next(), tokens.next()) {
        (Some(token), None) => Some(token).filter(|token| !token.is_empty() && token.len() <= MAX_TOKEN),
        _ => None,
    }
}

/// A token that is bound to a key, whose proof is in the header `DPoP` (RFC 9449 §7.1).
pub fn dpop(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    of_scheme(headers, "dpop")
}
