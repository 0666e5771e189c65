//! Where answers may be sent (RFC 9700 §2.1, RFC 8252 §7): addresses that an app named before, to the byte.

use url::{Host, Url};

/// Bytes of an address.
const MAX: usize = 2_000;

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An address that answers may be sent to at all; None for others: scripts, data, plain HTTP elsewhere than on this machine, a
/// fragment, user information, and what is written in another way than it is read.
pub fn parse(text: &str) -> Option<Url> {
    let plain = text.len() <= MAX && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
    let url = Url::parse(text).ok().filter(|_| plain && !text.contains('#'))?;
    if !url.username().is_empty() || url.password().is_some() || text.contains('@') && url.has_host() && text.split('/').nth(2).is_some_and(|a| a.contains('@'))
    {
        return None;
    }
    let path = url.path().split('/').any(|part| matches!(part, "." | ".."));
    match url.scheme() {
        "https" => (url.has_host() && !path && is_as_read(text, &url)).then_some(url),
        "http" => (is_loopback(&url) && is_as_read(text, &url)).then_some(url),
        // An app's own scheme is a name turned around (RFC 8252 §7.1), which no scheme of a browser's is.
        scheme => (scheme.contains('.') && text.starts_with(&format!("{scheme}:"))).then_some(url),
    }
}

/// Whether a reader changes nothing of it, but for a `/` that it adds to a bare host and a port that goes without saying.
fn is_as_read(text: &str, url: &Url) -> bool {
    let read = url.as_str();
    read == text || read.strip_suffix('/') == Some(text) || text.contains('?') && read == text.replacen('?', "/?", 1)
}

/// Whether an answer may be sent to `asked`, where the app named `known`: the same to the byte; on this machine at any port
/// (RFC 8252 §7.3).
pub fn matches(known: &str, asked: &str) -> bool {
    if known == asked {
        return true;
    }
    let (Some(mut a), Some(mut b)) = (parse(known), parse(asked)) else { return false };
    let by_address = |url: &Url| url.scheme() == "http" && matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
    if !by_address(&a) || !by_address(&b) {
        return false;
    }
    a.set_port(None).is_ok() && b.set_port(None).is_ok() && a == b
}

/// Who it is that gets an answer there: the origin of a site (RFC 6454 §6.2), which nobody else can be. None for addresses that any
/// program on a device may take for itself.
pub fn origin(url: &Url) -> Option<String> {
    (url.scheme() == "https").then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t22_addresses_that_nothing_is_sent_to() {
        for good in [
            "https://app.example/cb",
            "https://app.example",
            "https://app.example:8443/cb?x=1",
            "http://127.0.0.1/cb",
            "http://[::1]:9000/cb",
            "http://localhost:5173/",
            "com.example.app:/cb",
            "https://xn--bcher-kva.example/cb",
        ] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "about:blank",
            "http://app.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "https://app.example/cb#x",
            "https://app.example/cb#",
            "https://ann@app.example/cb",
            "https://ann:x@app.example/cb",
            "https://@app.example/cb",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "https://app.example/a/../cb",
            "https://app.example/%2e%2e/cb",
            "https:app.example/cb",
            "https:///app.example/cb",
            "https://app.example\\@evil.example/cb",
            "https://app.example/cb\n",
            "https://b\u{fc}cher.example/cb",
            "ftp://app.example/cb",
            "custom:/cb",
            "https://",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn t22_the_same_to_the_byte() {
        let known = "https://ok.example/cb";
        for other in [
            "https://ok.example.evil/cb",
            "https://ok.example/cb/",
            "https://ok.example//cb",
            "https://ok.example/cb?x=1",
            "https://ok.example/CB",
            "https://OK.example/cb",
            "https://ok.example:443/cb",
            "https://ok.example:8443/cb",
            "https://ann@ok.example/cb",
            "https://ok.example/cb#x",
            "http://ok.example/cb",
        ] {
            assert!(!matches(known, other), "{other}");
        }
        assert!(matches(known, known));
        assert!(matches("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb") && matches("http://[::1]:1/cb", "http://[::1]:2/cb"));
        for (known, other) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/other"),
            ("http://127.0.0.1/cb", "http://127.0.0.2:1/cb"),
            ("http://localhost:1/cb", "http://localhost:2/cb"),
            ("https://ok.example:1/cb", "https://ok.example:2/cb"),
        ] {
            assert!(!matches(known, other), "{known} {other}");
        }
    }
}
