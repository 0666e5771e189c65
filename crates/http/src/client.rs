//! What the server found out about a request's way here; it puts these into each request's extensions.

use std::net::IpAddr;

use http::Extensions;

/// The address a request came from: the peer's, or what a proxy of ours says.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Of a request; an address of nobody's where the server told none.
    pub fn of(extensions: &Extensions) -> IpAddr {
        extensions.get::<ClientAddress>().map_or(IpAddr::from([0, 0, 0, 0]), |a| a.0)
    }
}

/// Whether the client is known to have spoken TLS: with this server, or with a proxy of ours that says so.
#[derive(Clone, Copy, Debug)]
pub struct Encrypted(pub bool);

impl Encrypted {
    pub fn of(extensions: &Extensions) -> bool {
        extensions.get::<Encrypted>().is_some_and(|e| e.0)
    }
}
