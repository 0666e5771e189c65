//! Signing in, end to end: a real catalog, a clock moved by hand, an authenticator in software.

mod apps;
mod bearer;
mod passkey;
mod proof;
mod sign_in;
mod welcome;

use std::net::IpAddr;

use holm_core::Access;

use crate::fixture::World;
use crate::{Client, Opened, Session, SignIn, Standing};

pub const PASSWORD: &str = "correct horse battery";

pub fn client(address: &str) -> Client<'_> {
    Client { address: address.parse::<IpAddr>().expect("an address"), agent: "a browser", device: None }
}

pub fn here() -> Client<'static> {
    client("192.0.2.1")
}

impl World {
    /// A world where ann lives, with a password.
    fn of_ann() -> World {
        let world = World::new();
        let hash = crate::password::hash(world.gate.env(), PASSWORD).expect("hashed");
        world.gate.host().add_person("ann", Some(&hash), 0).expect("ann");
        world
    }

    fn sign_in(&self, password: &str, client: Client<'_>) -> SignIn {
        self.auth.password("ann", password, client).expect("no failure")
    }

    fn signed_in(&self) -> Opened {
        open(self.sign_in(PASSWORD, here()))
    }

    fn access(&self, session: &Session) -> Access {
        let via = holm_core::Via { protocol: "api", address: None };
        self.gate.admit(session.party.clone(), via).expect("admitted")
    }

    fn is_open(&self, token: &str) -> bool {
        matches!(self.auth.session(token).expect("no failure"), Standing::Open(_))
    }
}

pub fn open(outcome: SignIn) -> Opened {
    match outcome {
        SignIn::Open(opened) => opened,
        other => panic!("not signed in: {other:?}"),
    }
}

pub fn refused(outcome: &SignIn) -> bool {
    matches!(outcome, SignIn::Refused)
}
