//! Where a PostgreSQL server is, and how to speak to it: a `postgres://` address as libpq has it.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};

/// Connections that a process keeps at most, unless the address says another number.
const CONNECTIONS: usize = 16;

/// What a person gives as `[catalog] url`.
#[derive(Clone)]
pub struct Address {
    pub server: Server,
    pub user: String,
    pub password: Option<String>,
    pub database: String,
    /// Settings of the session, as `-c name=value`.
    pub options: Option<String>,
    pub security: Security,
    pub connections: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    Tcp(String, u16),
    /// A socket's path.
    Unix(PathBuf),
}

/// There is no way in between: encryption without a proof of who is at the other end protects from nobody who can be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    Plain,
    /// TLS; the certificates (PEM) that are trusted, or those of the public web.
    Verified(Option<PathBuf>),
}

/// Passwords are not for logs.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.server {
            Server::Tcp(host, port) => write!(f, "PostgreSQL at {host}:{port}, database {}", self.database),
            Server::Unix(path) => write!(f, "PostgreSQL at {}, database {}", path.display(), self.database),
        }
    }
}

impl Address {
    /// `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?…]`. After the question mark: `sslmode` (`disable`, which is usual on this
    /// machine, or `verify-full`, usual elsewhere), `sslrootcert`, `host` (the directory of a socket), `options`, and `connections`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is none, never with a password in the text.
    pub fn parse(url: &str) -> Result<Address> {
        let bad = |why: &str| Error::Invalid(format!("the catalog's url {why}; it is like postgres://holm@127.0.0.1/holm"));
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")).ok_or_else(|| bad("does not begin with postgres://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').ok_or_else(|| bad("names no database"))?;
        let (who, place) = authority.rsplit_once('@').unwrap_or(("postgres", authority));
        let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
        let text = |escaped: &str| percent_decode_str(escaped).decode_utf8().map(String::from).map_err(|_| bad("is not UTF-8"));
        let (mut server, mut options, mut mode, mut roots, mut connections) =
            (server(place).ok_or_else(|| bad("has no such port"))?, None, None, None, CONNECTIONS);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| bad("has a setting without a value"))?;
            let value = text(value)?;
            match name {
                "options" => options = Some(value),
                "sslmode" => mode = Some(value),
                "sslrootcert" => roots = Some(PathBuf::from(value)),
                "host" if value.starts_with('/') => server = Server::Unix(PathBuf::from(value).join(".s.PGSQL.5432")),
                "connections" => {
                    connections = value.parse().ok().filter(|n| (2..=1_000).contains(n)).ok_or_else(|| bad("has connections that are not 2 to 1000"))?
                }
                _ => return Err(bad(&format!("has a setting that is not known: {name}"))),
            }
        }
        let here = match &server {
            Server::Unix(_) => true,
            Server::Tcp(host, _) => host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        };
        let security = match mode.as_deref() {
            None if here && roots.is_none() => Security::Plain,
            Some("disable") => Security::Plain,
            None | Some("verify-full") => Security::Verified(roots),
            Some(_) => return Err(bad("has an sslmode that is neither disable nor verify-full")),
        };
        if user.is_empty() || database.is_empty() {
            return Err(bad("names no user or no database"));
        }
        Ok(Address { server, user: text(user)?, password: password.map(text).transpose()?, database: text(database)?, options, security, connections })
    }
}

fn server(place: &str) -> Option<Server> {
    const PORT: u16 = 5432;
    if let Some(rest) = place.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = if port.is_empty() { PORT } else { port.strip_prefix(':')?.parse().ok()? };
        return Some(Server::Tcp(host.to_owned(), port));
    }
    let (host, port) = match place.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (place, PORT),
    };
    Some(Server::Tcp(if host.is_empty() { "localhost" } else { host }.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_mean_what_libpq_means() {
        let plain = Address::parse("postgres://ann:p%40ss%3A@127.0.0.1:6000/my%20db?options=-c%20search_path%3Dx&connections=3").unwrap();
        assert_eq!((plain.server, plain.user.as_str(), plain.password.as_deref()), (Server::Tcp("127.0.0.1".into(), 6000), "ann", Some("p@ss:")));
        assert_eq!((plain.database.as_str(), plain.options.as_deref(), plain.connections), ("my db", Some("-c search_path=x"), 3));
        let security = |url| Address::parse(url).unwrap().security;
        assert_eq!(security("postgres://a@localhost/b"), Security::Plain);
        assert_eq!(security("postgres://a@[::1]:1/b"), Security::Plain);
        assert_eq!(security("postgresql://a@db.example/b"), Security::Verified(None));
        assert_eq!(security("postgres://a@db.example/b?sslmode=disable"), Security::Plain);
        assert_eq!(security("postgres://a@localhost/b?sslmode=verify-full&sslrootcert=/ca.pem"), Security::Verified(Some("/ca.pem".into())));
        assert_eq!(Address::parse("postgres://a@/b?host=/run/pg").unwrap().server, Server::Unix("/run/pg/.s.PGSQL.5432".into()));
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for url in [
            "mysql://a:canary@b/c",
            "postgres://a:canary@b",
            "postgres://a:canary@b/",
            "postgres://:canary@b/c",
            "postgres://a:canary@b:x/c",
            "postgres://a:canary@b/c?sslmode=require",
            "postgres://a:canary@b/c?colour=red",
            "postgres://a:canary@b/c?connections=0",
            "postgres://a:canary@b/c?options",
        ] {
            let refused = Address::parse(url).unwrap_err().to_string();
            assert!(!refused.contains("canary"), "{refused}");
        }
        let told = format!("{:?}", Address::parse("postgres://a:canary@b/c").unwrap());
        assert!(!told.contains("canary"), "{told}");
    }
}
