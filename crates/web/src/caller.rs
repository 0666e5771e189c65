//! Who asks: the session in the cookie. App passwords and whatever other doors take open nothing here (T35); an app that was let in
//! may ask for what it was granted, and is told that all else is not for it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use holm_auth::{Session, Standing, Verdict};
use holm_core::{Access, Error, Party, Via, mutant};
use holm_http::client::ClientAddress;
use holm_http::credentials::{self, bearer};
use http::HeaderMap;
use http::request::Parts;

use crate::Web;
use crate::problem::{Kind, Problem};

/// The cookie that holds the session's token. Browsers take one of this prefix only from the host itself, over TLS
/// (RFC 6265bis §4.1.3.2), so that a neighbour's subdomain can not toss one in (T30).
pub const COOKIE: &str = "__Host-holm";

/// The session's token.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    credentials::cookie(headers, COOKIE)
}

/// Runs what may wait for a disk where it keeps nobody else waiting.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(Problem::new(Kind::Internal, format!("a handler ended early: {e}"))))
}

/// The session a request brings.
///
/// # Errors
/// [`Kind::SignIn`] where it brings none that holds, [`Kind::SecondFactor`] where it is not open yet.
async fn session(headers: &HeaderMap, web: &Web, address: IpAddr) -> Result<Session, Problem> {
    let none = || Problem::new(Kind::SignIn, "sign in first; app passwords are not for this");
    let Some(token) = token(headers) else {
        let app = app(headers, web, address).await?.is_some();
        return Err(if app { Problem::new(Kind::Forbidden, "this is for the person themself, not for an app they let in") } else { none() });
    };
    if let Some(session) = web.auth.session_believed(token) {
        return Ok(session);
    }
    let (auth, token) = (web.auth.clone(), token.to_owned());
    match blocking(move || Ok(auth.session(&token)?)).await? {
        Standing::Open(session) => Ok(session),
        Standing::SecondFactorDue => Err(Problem::new(Kind::SecondFactor, "give the second factor first, then ask again")),
        Standing::Nothing => Err(none()),
    }
}

/// The app whose access token a request brings.
async fn app(headers: &HeaderMap, web: &Web, address: IpAddr) -> Result<Option<(Arc<Party>, Arc<str>)>, Problem> {
    let Some(token) = bearer(headers) else { return Ok(None) };
    let verdict = match web.auth.bearer_believed(&token) {
        Some(verdict) => verdict,
        None => {
            let auth = web.auth.clone();
            blocking(move || Ok(auth.bearer(&token, address)?)).await?
        }
    };
    match verdict {
        Verdict::Admitted(party, person) => Ok(Some((party, person))),
        // However often one was wrong: nobody guesses one, and a right one is let in.
        Verdict::Unknown | Verdict::Throttled(_) => Ok(None),
    }
}

/// Whoever is signed in, wholly.
pub struct Caller {
    pub session: Session,
    pub address: IpAddr,
    pub web: Web,
}

impl Caller {
    /// What they do with their own tree, on a thread that may wait for a disk.
    pub async fn with<T: Send + 'static>(self, work: impl FnOnce(&Access) -> Result<T, Error> + Send + 'static) -> Result<T, Problem> {
        let via = Via { protocol: "api", address: Some(self.address) };
        blocking(move || Ok(work(&self.web.gate.admit(self.session.party, via)?)?)).await
    }

    /// Their own tree, to be asked more than once.
    pub async fn access(&self) -> Result<Access, Problem> {
        let via = Via { protocol: "api", address: Some(self.address) };
        let (web, party) = (self.web.clone(), self.session.party.clone());
        blocking(move || Ok(web.gate.admit(party, via)?)).await
    }

    /// # Errors
    /// [`Kind::StepUp`] where the last proof is too old.
    pub fn must_be_proven(&self) -> Result<(), Problem> {
        let why = "prove who you are once more, with a passkey or your password, and ask again within ten minutes";
        let lately = self.session.proven_lately(self.web.gate.env().now()) || mutant("proof-for-ever");
        if lately { Ok(()) } else { Err(Problem::new(Kind::StepUp, why)) }
    }
}

impl FromRequestParts<Web> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, web: &Web) -> Result<Caller, Problem> {
        let address = ClientAddress::of(&head.extensions);
        let session = session(&head.headers, web, address).await?;
        Ok(Caller { session, address, web: web.clone() })
    }
}

/// Whoever may ask for a part of a tree: the person, or an app that they let in, for what it was granted.
pub struct Granted {
    party: Arc<Party>,
    address: IpAddr,
    pub web: Web,
}

impl Granted {
    /// [`Caller::with`].
    pub async fn with<T: Send + 'static>(self, work: impl FnOnce(&Access) -> Result<T, Error> + Send + 'static) -> Result<T, Problem> {
        let access = self.access().await?;
        blocking(move || Ok(work(&access)?)).await
    }

    /// [`Caller::access`].
    pub async fn access(&self) -> Result<Access, Problem> {
        let via = Via { protocol: "api", address: Some(self.address) };
        let (web, party) = (self.web.clone(), self.party.clone());
        blocking(move || Ok(web.gate.admit(party, via)?)).await
    }
}

impl FromRequestParts<Web> for Granted {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, web: &Web) -> Result<Granted, Problem> {
        let (address, web) = (ClientAddress::of(&head.extensions), web.clone());
        let app = if token(&head.headers).is_none() { app(&head.headers, &web, address).await? } else { None };
        let party = match app {
            Some((party, _)) => party,
            None => session(&head.headers, &web, address).await?.party,
        };
        Ok(Granted { party, address, web })
    }
}

/// Whoever is signed in and keeps this holm.
pub struct Admin(pub Caller);

impl FromRequestParts<Web> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, web: &Web) -> Result<Admin, Problem> {
        let caller = Caller::from_request_parts(head, web).await?;
        if caller.session.admin || mutant("anybody-keeps-this-holm") {
            Ok(Admin(caller))
        } else {
            Err(Problem::new(Kind::AdminOnly, "ask somebody who keeps this holm to do it"))
        }
    }
}

/// A [`Caller`] or an [`Admin`] who proved a short while ago who they are: for what destroys, or opens a door. A session
/// left open on a desk is not enough for that.
pub struct Proven<C>(pub C);

impl FromRequestParts<Web> for Proven<Caller> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, web: &Web) -> Result<Proven<Caller>, Problem> {
        let caller = Caller::from_request_parts(head, web).await?;
        caller.must_be_proven()?;
        Ok(Proven(caller))
    }
}

impl FromRequestParts<Web> for Proven<Admin> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, web: &Web) -> Result<Proven<Admin>, Problem> {
        let admin = Admin::from_request_parts(head, web).await?;
        admin.0.must_be_proven()?;
        Ok(Proven(admin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t30_one_cookie_is_the_session() {
        let of = |cookies: &[&str]| {
            let mut headers = HeaderMap::new();
            cookies.iter().for_each(|c| _ = headers.append("cookie", c.parse().unwrap()));
            token(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["a=b; __Host-holm=tok; c=d"]), Some("tok".into()));
        assert_eq!(of(&["a=b", "__Host-holm=tok"]), Some("tok".into()), "HTTP/2 may send them apart");
        for none in ["", "holm=tok", "__Host-holm", "__Host-holm=", "x__Host-holm=tok", "__host-holm=tok", "__Host-holm=a; __Host-holm=b"] {
            assert_eq!(of(&[none]), None, "{none}");
        }
        assert_eq!(of(&[&format!("__Host-holm={}", "x".repeat(257))]), None);
    }
}
