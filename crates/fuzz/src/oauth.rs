//! What apps ask with: parameters, scopes, and the addresses that answers go to.

use holm_auth::oauth::Params;
use holm_auth::oauth::redirect;
use holm_auth::oauth::scope::{Dialect, Scopes};
use holm_core::{Ability, Path};
use url::Host;

/// Parameters, words and addresses of a stranger; of two lines the first is what an app registered, the second what it asks for.
pub fn oauth(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(params) = Params::parse(text) {
        assert_eq!(Params::parse(&params.encode()).ok(), Some(params), "what is kept is what was asked");
    }
    for dialect in [Dialect::Holm, Dialect::RemoteStorage] {
        let Some(scopes) = Scopes::parse(text, dialect) else { continue };
        assert_eq!(Scopes::parse(&scopes.to_string(), Dialect::Holm).as_ref(), Some(&scopes), "{scopes}");
        assert!(scopes.is_within(&scopes), "{scopes}");
        for (reach, abilities) in scopes.grants() {
            assert!(!abilities.contains(Ability::Share) && !abilities.is_empty(), "{scopes}");
            let apps = Path::parse("/apps").expect("a path");
            assert!(dialect == Dialect::Holm || reach.path().is_within(&apps), "{scopes}");
            assert!(dialect == Dialect::Holm || reach.path() != Path::parse("/apps/public").expect("a path"), "{scopes}");
        }
        for scope in &scopes.0 {
            assert!(scope.reading().is_none_or(|less| less.is_within(scope)), "{scopes}");
        }
    }
    let (known, asked) = text.split_once('\n').unwrap_or((text, text));
    if let Some(url) = redirect::parse(asked) {
        assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none(), "{asked}");
        assert!(matches!(url.scheme(), "https" | "http") || url.scheme().contains('.'), "{asked}");
        assert!(redirect::matches(asked, asked));
        let here = match url.host() {
            Some(Host::Ipv4(v4)) => v4.is_loopback(),
            Some(Host::Ipv6(v6)) => v6.is_loopback(),
            other => other == Some(Host::Domain("localhost")),
        };
        assert!(url.scheme() != "http" || here, "{asked}");
    }
    if known != asked && redirect::matches(known, asked) {
        let (known, asked) = (redirect::parse(known).expect("an address"), redirect::parse(asked).expect("an address"));
        assert!(known.scheme() == "http" && known.host() == asked.host() && known.path() == asked.path() && known.query() == asked.query());
    }
}
