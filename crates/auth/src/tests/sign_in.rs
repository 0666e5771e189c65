//! Passwords, codes, sessions: what a person types.

use holm_core::{Error, Timestamp};
use totp_rs::{Builder, Secret};

use super::{PASSWORD, client, here, open, refused};
use crate::fixture::{START, World};
use crate::{Again, Client, SignIn, Standing};

fn code(secret: &str, now: i64) -> String {
    let secret = Secret::try_from_base32(secret).expect("base32");
    Builder::new().with_secret(secret).build().expect("a secret").generate(now as u64 / 1000).to_string()
}

/// Ann with an authenticator app: its secret, and her session.
fn with_app() -> (World, String, crate::Opened) {
    let world = World::of_ann();
    let ann = world.signed_in();
    let access = world.access(&ann.session);
    let (_, secret) = world.auth.begin_totp(&access, "ann").unwrap();
    assert!(matches!(world.sign_in(PASSWORD, here()), SignIn::Open(_)), "not asked for before the first code");
    assert_eq!(world.auth.finish_totp(&access, "000000").unwrap(), Ok(false));
    assert_eq!(world.auth.finish_totp(&access, &code(&secret, START)).unwrap(), Ok(true));
    world.pass(30 * Timestamp::SECOND);
    (world, secret, ann)
}

fn pending(outcome: SignIn) -> String {
    match outcome {
        SignIn::SecondFactor { token, totp: true, passkey: false } => token.reveal().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_password_opens_a_session_that_ends() {
    let world = World::of_ann();
    assert!(refused(&world.sign_in("wrong", here())) && refused(&world.auth.password("bob", PASSWORD, here()).unwrap()));
    let ann = world.signed_in();
    assert_eq!((&*ann.session.person, ann.session.admin), ("ann", true));
    assert!(world.is_open(ann.token.reveal()));
    world.access(&ann.session).usage().unwrap();
    assert!(world.auth.leave(ann.token.reveal()).unwrap());
    assert!(!world.is_open(ann.token.reveal()), "signed out");

    let idle = world.signed_in();
    world.pass(30 * Timestamp::DAY);
    assert!(!world.is_open(idle.token.reveal()), "not used for thirty days");
    let used = world.signed_in();
    for _ in 0..89 {
        world.pass(Timestamp::DAY);
        assert!(world.is_open(used.token.reveal()));
        world.auth.flush_uses().unwrap();
    }
    world.pass(Timestamp::DAY);
    assert!(!world.is_open(used.token.reveal()), "ninety days are the longest");
    let jumped = world.signed_in();
    world.pass(-2 * Timestamp::HOUR);
    assert!(!world.is_open(jumped.token.reveal()), "a clock set back prolongs nothing (D12)");
}

#[test]
fn t35_what_awaits_its_second_factor_opens_nothing() {
    let (world, secret, _) = with_app();
    let token = pending(world.sign_in(PASSWORD, here()));
    assert!(matches!(world.auth.session(&token).unwrap(), Standing::SecondFactorDue));
    assert!(world.auth.session_believed(&token).is_none());
    assert!(refused(&world.auth.code(&token, "123456", here()).unwrap()));
    let now = START + 30 * Timestamp::SECOND;
    let opened = open(world.auth.code(&token, &code(&secret, now), here()).unwrap());
    assert!(world.is_open(opened.token.reveal()));
    assert!(!world.is_open(&token), "the token of before opens nothing (T30)");
    assert!(refused(&world.auth.code(&token, &code(&secret, now), here()).unwrap()));
    assert!(refused(&world.auth.code(opened.token.reveal(), &code(&secret, now + 30_000), here()).unwrap()), "an open session needs none");

    let late = pending(world.sign_in(PASSWORD, here()));
    world.pass(10 * 60 * Timestamp::SECOND);
    assert!(refused(&world.auth.code(&late, &code(&secret, now + 600_000), here()).unwrap()), "after ten minutes");
}

#[test]
fn t34_a_code_works_once_and_few_may_be_tried() {
    let (world, secret, before) = with_app();
    let now = START + 30 * Timestamp::SECOND;
    let right = code(&secret, now);
    let (one, two) = (pending(world.sign_in(PASSWORD, here())), pending(world.sign_in(PASSWORD, here())));
    let earlier = code(&secret, now - 30_000);
    assert!(refused(&world.auth.code(&one, &earlier, here()).unwrap()), "its step was used already, to begin with");
    let ann = open(world.auth.code(&one, &right, here()).unwrap());
    assert!(refused(&world.auth.code(&two, &right, here()).unwrap()), "used a moment ago, in another session");

    world.pass(Timestamp::HOUR);
    let now = now + Timestamp::HOUR;
    let token = pending(world.sign_in(PASSWORD, here()));
    let wrong: Vec<_> = (0..9).map(|n| world.auth.code(&token, &format!("00000{n}"), here()).unwrap()).collect();
    assert_eq!(wrong.iter().filter(|w| refused(w)).count(), 5);
    assert!(matches!(world.auth.code(&token, &code(&secret, now), here()).unwrap(), SignIn::Throttled(_)), "the right one is not looked at");
    // Whoever has the password has used up all tries; the person's own browser has tries of its own.
    let old = before.device.expect("known before there was an app");
    let old = Client { device: Some(old.reveal()), ..here() };
    assert!(matches!(world.auth.code(&token, &code(&secret, now), old).unwrap(), SignIn::Throttled(_)), "its tries went with the change");
    let device = ann.device.expect("a browser is known once it signed in");
    let mine = Client { device: Some(device.reveal()), ..here() };
    let token = pending(world.sign_in(PASSWORD, mine));
    open(world.auth.code(&token, &code(&secret, now), mine).unwrap());
}

#[test]
fn t37_recovery_codes_work_once_each() {
    let (world, _, ann) = with_app();
    let access = world.access(&ann.session);
    let codes = world.auth.make_recovery_codes(&access).unwrap();
    assert_eq!(codes.len(), 10);
    let token = pending(world.sign_in(PASSWORD, here()));
    assert!(refused(&world.auth.recovery_code(&token, "aaaa-aaaa-aaaa-aaaa", here()).unwrap()));
    open(world.auth.recovery_code(&token, codes[0].reveal(), here()).unwrap());
    let token = pending(world.sign_in(PASSWORD, here()));
    assert!(refused(&world.auth.recovery_code(&token, codes[0].reveal(), here()).unwrap()), "used");
    assert_eq!(access.second_factors().unwrap().recovery_codes, 9);
    world.auth.make_recovery_codes(&access).unwrap();
    assert!(refused(&world.auth.recovery_code(&token, codes[1].reveal(), here()).unwrap()), "replaced");
    let tried = (0..30).filter(|_| refused(&world.auth.recovery_code(&token, codes[1].reveal(), here()).unwrap())).count();
    assert!(tried < 10, "{tried} more were looked at");
    let ledger: Vec<_> = access.ledger(holm_core::Page::ALL).unwrap().into_iter().map(|e| e.body).collect();
    assert_eq!(ledger.iter().filter(|b| b.contains("recovery-code-used")).count(), 1, "{ledger:#?}");
}

#[test]
fn t31_strangers_do_not_lock_the_owner_out_of_a_known_browser() {
    let world = World::of_ann();
    let ann = world.signed_in();
    for n in 0..=255 {
        world.sign_in("wrong", client(&format!("10.0.0.{n}")));
    }
    assert!(matches!(world.sign_in(PASSWORD, client("198.51.100.1")), SignIn::Throttled(_)), "from a new browser, not for now");
    let device = ann.device.expect("known");
    let known = Client { device: Some(device.reveal()), ..client("10.0.0.1") };
    let again = open(world.sign_in(PASSWORD, known));
    assert!(again.device.is_none(), "it keeps the token it has");
    // Somebody else's browser is not hers.
    world.gate.host().add_person("bob", Some(&crate::password::hash(world.gate.env(), PASSWORD).unwrap()), 0).unwrap();
    let bobs = open(world.auth.password("bob", PASSWORD, client("203.0.113.1")).unwrap()).device.expect("known to bob");
    let bobs = Client { device: Some(bobs.reveal()), ..client("203.0.113.1") };
    assert!(matches!(world.sign_in(PASSWORD, bobs), SignIn::Throttled(_)));
    // And a known one may not guess without end either.
    assert_eq!((0..30).filter(|_| refused(&world.sign_in("wrong", known))).count(), 20);
}

#[test]
fn t30_a_changed_password_ends_all_other_sessions() {
    let world = World::of_ann();
    let (one, two) = (world.signed_in(), world.signed_in());
    let (access, theirs) = (world.access(&one.session), world.access(&two.session));
    assert_eq!(access.sessions().unwrap().len(), 2);
    assert!(matches!(world.auth.change_password(&access, "short"), Err(Error::Invalid(_))));
    world.auth.change_password(&access, "another horse battery").unwrap();
    assert!(world.is_open(one.token.reveal()) && !world.is_open(two.token.reveal()));
    let look = |access: &holm_core::Access| access.list(&holm_core::Path::root(), 1, "", 1);
    world.pass(2 * Timestamp::SECOND);
    assert!(look(&access).is_ok());
    assert!(matches!(look(&theirs), Err(Error::Forbidden(_))), "what it had open ends within a second (T26)");
    assert!(refused(&world.sign_in(PASSWORD, here())));
    let device = two.device.expect("known before");
    let unknown = Client { device: Some(device.reveal()), ..here() };
    let again = open(world.sign_in("another horse battery", unknown));
    assert!(again.device.is_some(), "a browser of before is not known any more");
}

#[test]
fn what_was_proven_long_ago_is_proven_anew_under_a_new_token() {
    let (world, secret, _) = with_app();
    let mut now = START + 30 * Timestamp::SECOND;
    let token = pending(world.sign_in(PASSWORD, here()));
    let ann = open(world.auth.code(&token, &code(&secret, now), here()).unwrap());
    assert!(ann.session.proven_lately(Timestamp(now)));
    world.pass(Timestamp::HOUR);
    now += Timestamp::HOUR;
    let Standing::Open(session) = world.auth.session(ann.token.reveal()).unwrap() else { panic!("ended") };
    assert!(!session.proven_lately(Timestamp(now)));
    let prove = |password, code: Option<&str>| world.auth.prove(&session, Again { password, code }).unwrap();
    assert!(refused(&prove("wrong", Some(&code(&secret, now)))) && refused(&prove(PASSWORD, None)));
    let proven = open(prove(PASSWORD, Some(&code(&secret, now))));
    assert!(proven.session.proven_lately(Timestamp(now)) && proven.session.party.credential == session.party.credential);
    assert!(world.is_open(proven.token.reveal()) && !world.is_open(ann.token.reveal()));
    assert!((0..40).filter(|_| refused(&prove("wrong", None))).count() <= 20);
}

#[test]
fn t30_a_sign_in_under_way_does_not_outlive_a_changed_password() {
    let world = World::of_ann();
    let ann = world.signed_in();
    // What a sign-in read before the change, and ends after it.
    let before = world.gate.host().proofs("ann").unwrap().expect("ann").changes;
    world.auth.change_password(&world.access(&ann.session), "another horse battery").unwrap();
    assert!(matches!(world.auth.open(ann.session.party.person, before, here()), Err(Error::Again(_))));
    let now = world.gate.host().proofs("ann").unwrap().expect("ann").changes;
    world.auth.open(ann.session.party.person, now, here()).unwrap();
}

#[test]
fn t26_an_ended_session_finishes_nothing_it_had_begun() {
    let world = World::of_ann();
    let (one, two) = (world.signed_in(), world.signed_in());
    let theirs = world.access(&two.session);
    world.access(&one.session).end_other_sessions().unwrap();
    assert!(matches!(world.auth.change_password(&theirs, "another horse battery"), Err(Error::Forbidden(_))));
    open(world.sign_in(PASSWORD, here()));
}

#[test]
fn t35_sessions_that_await_end_only_each_other_and_are_few() {
    let (world, secret, ann) = with_app();
    let outcomes: Vec<_> = (0..30).map(|_| world.sign_in(PASSWORD, here())).collect();
    assert_eq!(outcomes.iter().filter(|o| matches!(o, SignIn::SecondFactor { .. })).count(), 20, "the password alone is a try like others");
    assert!(world.is_open(ann.token.reveal()));
    assert!(world.access(&ann.session).sessions().unwrap().iter().filter(|s| s.awaits).count() <= 10);
    let SignIn::SecondFactor { token, .. } = &outcomes[19] else { panic!("the newest holds") };
    open(world.auth.code(token.reveal(), &code(&secret, START + 30 * Timestamp::SECOND), here()).unwrap());
    world.pass(Timestamp::HOUR);
    world.auth.forget_old().unwrap();
    assert!(world.access(&ann.session).sessions().unwrap().iter().all(|s| !s.awaits));
}

#[test]
fn what_nobody_can_guess_uses_up_nobodys_tries() {
    let world = World::of_ann();
    for n in 0..11_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + n / 90).to_string();
        let _ = world.auth.link("guess", client(&address)).unwrap();
    }
    open(world.sign_in(PASSWORD, client("198.51.100.9")));
}
