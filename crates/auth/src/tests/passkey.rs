//! Passkeys, with a browser and an authenticator in software.

use holm_core::{Error, Timestamp};
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client as Browser, DefaultClientData, WebauthnError};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey::types::Passkey;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use passkey::types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use public_suffix::PublicSuffixList;
use serde_json::{Value, json};
use webauthn_rs::prelude::Url;

use super::{PASSWORD, here, open, refused};
use crate::fixture::World;
use crate::{Again, Challenge, Client, First, SignIn};

/// Whoever holds the device: there, and known to it by their finger or not.
struct Holder {
    verified: bool,
}

#[async_trait::async_trait]
impl UserValidationMethod for Holder {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(&self, _: UiHint<'a, Passkey>, _: bool, _: bool) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: self.verified })
    }
    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
    fn is_presence_enabled(&self) -> bool {
        true
    }
}

/// A browser with an authenticator built in.
struct Device {
    browser: Browser<Option<Passkey>, Holder, RustCryptoBackend, PublicSuffixList, ()>,
    origin: Url,
}

fn now<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
}

impl Device {
    fn new(origin: &str) -> Device {
        Device::held_by(origin, true)
    }

    fn held_by(origin: &str, verified: bool) -> Device {
        let mut authenticator = Authenticator::new(Aaguid::new_empty(), None, Holder { verified }, RustCryptoBackend);
        authenticator.set_make_credentials_with_signature_counter(true);
        Device { browser: Browser::new(authenticator), origin: Url::parse(origin).expect("an origin") }
    }

    fn register(&mut self, challenge: &Challenge) -> Result<Value, WebauthnError> {
        let options: CredentialCreationOptions = serde_json::from_value(challenge.options.clone()).expect("what browsers take");
        let made = now(self.browser.register(&self.origin, options, DefaultClientData))?;
        Ok(serde_json::to_value(made).expect("JSON"))
    }

    fn answer(&mut self, challenge: &Challenge) -> Result<Value, WebauthnError> {
        let options: CredentialRequestOptions = serde_json::from_value(challenge.options.clone()).expect("what browsers take");
        let made = now(self.browser.authenticate(&self.origin, options, DefaultClientData))?;
        Ok(serde_json::to_value(made).expect("JSON"))
    }
}

const HOME: &str = "https://cloud.example";

fn ask(world: &World) -> Challenge {
    world.auth.ask_passkey(here()).unwrap().unwrap()
}

fn sign_in(world: &World, challenge: &Challenge, answer: &Value) -> SignIn {
    world.auth.passkey(challenge.ticket.reveal(), answer, here()).unwrap()
}

/// Ann with a passkey on a device.
fn with_passkey() -> (World, Device, crate::Opened) {
    let (world, mut device) = (World::of_ann(), Device::new(HOME));
    let ann = world.signed_in();
    let access = world.access(&ann.session);
    let challenge = world.auth.begin_passkey(&access, &ann.session).unwrap();
    let answer = device.register(&challenge).unwrap();
    world.auth.finish_passkey(&access, &ann.session, challenge.ticket.reveal(), "phone", &answer).unwrap();
    (world, device, ann)
}

#[test]
fn t36_a_passkey_signs_in_without_a_name_and_once_a_challenge() {
    let (world, mut device, _) = with_passkey();
    let challenge = ask(&world);
    let answer = device.answer(&challenge).unwrap();
    let opened = open(sign_in(&world, &challenge, &answer));
    assert_eq!(&*opened.session.person, "ann");
    assert!(world.is_open(opened.token.reveal()));
    assert!(refused(&sign_in(&world, &challenge, &answer)), "replayed");
    let other = ask(&world);
    assert!(refused(&sign_in(&world, &other, &answer)), "an answer to another question");
    let late = ask(&world);
    let answer = device.answer(&late).unwrap();
    world.pass(5 * 60 * Timestamp::SECOND);
    assert!(refused(&sign_in(&world, &late, &answer)), "after five minutes");
    // The password alone opens nothing any more.
    let outcome = world.sign_in(PASSWORD, here());
    assert!(matches!(outcome, SignIn::SecondFactor { totp: false, passkey: true, .. }), "{outcome:?}");
}

#[test]
fn t36_wrong_origins_users_and_signatures_are_refused() {
    let (world, mut device, ann) = with_passkey();
    let access = world.access(&ann.session);
    for origin in ["https://cloud.example.evil.example", "https://evil.example", "http://cloud.example:8080"] {
        let mut phished = Device { origin: Url::parse(origin).unwrap(), ..Device::new(origin) };
        std::mem::swap(&mut phished.browser, &mut device.browser);
        let challenge = ask(&world);
        // A browser refuses for most of these; where it answers, we do.
        if let Ok(answer) = phished.answer(&challenge) {
            assert!(refused(&sign_in(&world, &challenge, &answer)), "{origin}");
        }
        std::mem::swap(&mut phished.browser, &mut device.browser);
    }
    let mut one = |change: &dyn Fn(&mut Value)| {
        let challenge = ask(&world);
        let mut answer = device.answer(&challenge).unwrap();
        change(&mut answer);
        sign_in(&world, &challenge, &answer)
    };
    open(one(&|_| {}));
    assert!(refused(&one(&|a| *a = json!({}))), "no answer at all");
    assert!(refused(&one(&|a| a["response"]["signature"] = "AAAA".into())), "another signature");
    assert!(refused(&one(&|a| a["response"]["userHandle"] = "AAAAAAAAAAAAAAAAAAAAAA".into())), "another user");
    assert!(refused(&one(&|a| a["response"]["userHandle"] = Value::Null)), "no user");
    assert!(refused(&one(&|a| (a["id"], a["rawId"]) = ("AAAA".into(), "AAAA".into()))), "another passkey");
    assert!(refused(&one(&|a| a["padding"] = "x".repeat(40_000).into())), "more than an answer is");
    open(one(&|_| {}));
    assert_eq!(access.passkeys().unwrap().len(), 1);
}

#[test]
fn t36_the_user_must_be_verified() {
    let world = World::of_ann();
    let ann = world.signed_in();
    let access = world.access(&ann.session);
    let mut careless = Device::held_by(HOME, false);
    let challenge = world.auth.begin_passkey(&access, &ann.session).unwrap();
    if let Ok(answer) = careless.register(&challenge) {
        let registered = world.auth.finish_passkey(&access, &ann.session, challenge.ticket.reveal(), "found on the street", &answer);
        assert!(matches!(registered, Err(Error::Invalid(_))), "{registered:?}");
    }
}

#[test]
fn t36_a_challenge_to_register_is_for_its_session() {
    let (world, mut device) = (World::of_ann(), Device::new(HOME));
    let (one, two) = (world.signed_in(), world.signed_in());
    let access = world.access(&one.session);
    let challenge = world.auth.begin_passkey(&access, &one.session).unwrap();
    let answer = device.register(&challenge).unwrap();
    let other = world.auth.finish_passkey(&access, &two.session, challenge.ticket.reveal(), "x", &answer);
    assert!(matches!(other, Err(Error::Invalid(_))), "another session");
    let spent = world.auth.finish_passkey(&access, &one.session, challenge.ticket.reveal(), "x", &answer);
    assert!(matches!(spent, Err(Error::Invalid(_))), "and then it is spent");
}

#[test]
fn t30_a_removed_passkey_opens_nothing_and_ends_other_sessions() {
    let (world, mut device, ann) = with_passkey();
    let challenge = ask(&world);
    let answer = device.answer(&challenge).unwrap();
    let opened = open(sign_in(&world, &challenge, &answer));
    let access = world.access(&ann.session);
    assert!(access.remove_passkey(access.passkeys().unwrap()[0].id).unwrap());
    world.auth.forget_sessions();
    assert!(!world.is_open(opened.token.reveal()) && world.is_open(ann.token.reveal()));
    let challenge = ask(&world);
    let answer = device.answer(&challenge).unwrap();
    assert!(refused(&sign_in(&world, &challenge, &answer)));
}

#[test]
fn a_passkey_proves_anew_who_is_there_and_only_them() {
    let (world, mut device, ann) = with_passkey();
    world.pass(Timestamp::HOUR);
    let challenge = ask(&world);
    let answer = device.answer(&challenge).unwrap();
    let proven = open(world.auth.prove_passkey(&ann.session, challenge.ticket.reveal(), &answer).unwrap());
    assert!(proven.session.proven_lately(world.gate.env().now()));
    let hash = crate::password::hash(world.gate.env(), PASSWORD).unwrap();
    world.gate.host().add_person("bob", Some(&hash), 0).unwrap();
    let bob = open(world.auth.password("bob", PASSWORD, here()).unwrap());
    let challenge = ask(&world);
    let answer = device.answer(&challenge).unwrap();
    assert!(refused(&world.auth.prove_passkey(&bob.session, challenge.ticket.reveal(), &answer).unwrap()), "ann's passkey in bob's session");
    open(world.auth.prove(&bob.session, Again { password: PASSWORD, code: None }).unwrap());
}

#[test]
fn the_first_owner_needs_no_password() {
    let (world, mut device) = (World::new(), Device::new(HOME));
    let link = world.auth.owner_link().unwrap().expect("nobody lives here");
    let challenge = world.auth.welcome_passkey(link.reveal(), "ann", here()).unwrap().unwrap();
    let answer = device.register(&challenge).unwrap();
    let accept = |name: &str| {
        let first = First::Passkey { ticket: challenge.ticket.reveal(), name: "phone", credential: &answer };
        world.auth.accept(link.reveal(), name, first, here())
    };
    assert!(matches!(accept("eve"), Err(Error::Invalid(_))), "the challenge was for ann");
    let challenge = world.auth.welcome_passkey(link.reveal(), "ann", here()).unwrap().unwrap();
    let answer = device.register(&challenge).unwrap();
    let first = First::Passkey { ticket: challenge.ticket.reveal(), name: "phone", credential: &answer };
    open(world.auth.accept(link.reveal(), "ann", first, here()).unwrap());
    let challenge = ask(&world);
    let answer = device.answer(&challenge).unwrap();
    let opened = open(sign_in(&world, &challenge, &answer));
    assert!(opened.session.admin);
    assert!(refused(&world.sign_in("", here())), "there is no password to guess");
}

#[test]
fn challenges_are_few_for_one_address() {
    let world = World::of_ann();
    let from = |n: u8| Client { address: [10, 0, 0, n].into(), ..here() };
    assert_eq!((0..200).filter(|_| world.auth.ask_passkey(from(1)).unwrap().is_ok()).count(), 100);
    assert!(world.auth.ask_passkey(from(2)).unwrap().is_ok());
}

#[test]
fn the_last_way_in_stays_and_a_passkey_is_part_of_a_proof() {
    let (world, mut device, ann) = with_passkey();
    assert!(refused(&world.auth.prove(&ann.session, Again { password: PASSWORD, code: None }).unwrap()), "the password alone is no proof");
    let codes = world.auth.make_recovery_codes(&world.access(&ann.session)).unwrap();
    let proven = open(world.auth.prove(&ann.session, Again { password: PASSWORD, code: Some(codes[0].reveal()) }).unwrap());
    assert!(world.access(&proven.session).remove_passkey(1).unwrap(), "there is a password");

    let world = World::new();
    let link = world.auth.owner_link().unwrap().expect("nobody lives here");
    let challenge = world.auth.welcome_passkey(link.reveal(), "ann", here()).unwrap().unwrap();
    let answer = device.register(&challenge).unwrap();
    let first = |name| First::Passkey { ticket: challenge.ticket.reveal(), name, credential: &answer };
    assert!(matches!(world.auth.accept(link.reveal(), "ann", first(""), here()), Err(Error::Invalid(_))), "before the link is spent");
    let ann = open(world.auth.accept(link.reveal(), "ann", first("phone"), here()).unwrap());
    assert!(matches!(world.access(&ann.session).remove_passkey(1), Err(Error::Forbidden(_))), "all she can sign in with");
}

#[test]
fn a_passkeys_number_is_given_once() {
    let world = World::of_ann();
    let access = world.access(&world.signed_in().session);
    let first = access.add_passkey("phone", &[1; 16], "{}").unwrap();
    let second = access.add_passkey("laptop", &[2; 16], "{}").unwrap();
    assert!(access.remove_passkey(second).unwrap());
    let third = access.add_passkey("key", &[3; 16], "{}").unwrap();
    assert!(first < second && second < third, "{first} {second} {third}");
}
