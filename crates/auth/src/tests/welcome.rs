//! Links to come in by, and back in.

use holm_core::{Error, Timestamp};

use super::{PASSWORD, client, here, open, refused};
use crate::fixture::World;
use crate::{First, Invitation, Link, SignIn};

fn invitation() -> Invitation {
    Invitation { quota: 5_000, note: "for bob".into(), by: "ann".into() }
}

#[test]
fn t56_the_first_owner_comes_in_by_the_newest_link_and_once() {
    let world = World::new();
    let old = world.auth.owner_link().unwrap().expect("nobody lives here");
    let link = world.auth.owner_link().unwrap().expect("nobody lives here");
    let accept = |token: &str, name: &str| world.auth.accept(token, name, First::Password(PASSWORD), here());
    assert!(matches!(accept(old.reveal(), "ann"), Err(Error::Forbidden(_))), "each start prints a new one");
    assert!(matches!(accept("guess", "ann"), Err(Error::Forbidden(_))));
    assert!(matches!(accept(link.reveal(), "no name!"), Err(Error::Invalid(_))));
    assert!(matches!(world.auth.accept(link.reveal(), "ann", First::Password("short"), here()), Err(Error::Invalid(_))));
    assert_eq!(world.auth.link(link.reveal(), here()).unwrap(), Ok(Some(Link::Owner)));
    let ann = open(accept(link.reveal(), "ann").unwrap());
    assert!(ann.session.admin && world.is_open(ann.token.reveal()));
    assert!(matches!(accept(link.reveal(), "eve"), Err(Error::Forbidden(_))), "used");
    assert!(world.auth.owner_link().unwrap().is_none(), "somebody lives here");
    assert_eq!(world.gate.host().people().unwrap().len(), 1);
}

#[test]
fn an_invitation_makes_one_person_with_its_quota() {
    let world = World::of_ann();
    let token = world.auth.invite(&invitation(), 7).unwrap();
    assert_eq!(world.auth.invitations().unwrap().len(), 1);
    let accept = |name: &str| world.auth.accept(token.reveal(), name, First::Password(PASSWORD), here());
    assert!(matches!(accept("ann"), Err(Error::Taken(_))), "and the link still works");
    let bob = open(accept("bob").unwrap());
    assert!(!bob.session.admin);
    assert_eq!(world.access(&bob.session).usage().unwrap().quota, 5_000);
    assert!(matches!(accept("eve"), Err(Error::Forbidden(_))));

    let late = world.auth.invite(&invitation(), 1).unwrap();
    world.pass(Timestamp::DAY);
    assert_eq!(world.auth.link(late.reveal(), here()).unwrap(), Ok(None));
    let back = world.auth.invite(&invitation(), 1).unwrap();
    let id = world.auth.invitations().unwrap()[0].id.clone();
    assert!(world.auth.take_back(&id).unwrap() && !world.auth.take_back(&id).unwrap());
    assert_eq!(world.auth.link(back.reveal(), here()).unwrap(), Ok(None));
    assert!(world.auth.invite(&invitation(), 91).is_err());
    world.auth.forget_old().unwrap();
}

#[test]
fn of_many_who_use_one_invitation_at_once_one_comes_in() {
    let world = World::of_ann();
    let token = world.auth.invite(&invitation(), 7).unwrap();
    let came: Vec<bool> = std::thread::scope(|scope| {
        let accept = |n: usize| world.auth.accept(token.reveal(), &format!("p{n}"), First::Password(PASSWORD), here()).is_ok();
        let all: Vec<_> = (0..8).map(|n| scope.spawn(move || accept(n))).collect();
        all.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(came.iter().filter(|c| **c).count(), 1);
    assert_eq!(world.gate.host().people().unwrap().len(), 2);
}

#[test]
fn t37_a_reset_ends_sessions_keeps_second_factors_and_works_once_within_minutes() {
    let world = World::of_ann();
    let ann = world.signed_in();
    let access = world.access(&ann.session);
    let (_, secret) = world.auth.begin_totp(&access, "ann").unwrap();
    let code = totp_rs::Builder::new().with_secret(totp_rs::Secret::try_from_base32(&secret).unwrap()).build().unwrap();
    let now = || world.gate.env().now().seconds() as u64;
    assert_eq!(world.auth.finish_totp(&access, &code.generate(now()).to_string()).unwrap(), Ok(true));

    let by = holm_core::Party { label: "admin bob".into(), ..holm_core::Party::operator(access.party().person) };
    let admin = world.gate.admit(by.into(), holm_core::Via::HERE).unwrap();
    let token = world.auth.offer_reset(&admin, false).unwrap();
    assert_eq!(world.auth.link(token.reveal(), here()).unwrap(), Ok(Some(Link::Reset { person: "ann".into(), remove_factors: false })));
    assert!(world.is_open(ann.token.reveal()), "an offer ends nothing yet");
    world.auth.reset(token.reveal(), "another horse battery", here()).unwrap().unwrap();
    assert!(!world.is_open(ann.token.reveal()));
    assert!(matches!(world.auth.reset(token.reveal(), "a third horse battery", here()), Err(Error::Forbidden(_))), "used");
    assert!(refused(&world.sign_in(PASSWORD, here())));
    assert!(matches!(world.sign_in("another horse battery", here()), SignIn::SecondFactor { totp: true, .. }));

    let late = world.auth.offer_reset(&admin, true).unwrap();
    world.pass(15 * 60 * Timestamp::SECOND);
    assert!(matches!(world.auth.reset(late.reveal(), PASSWORD, here()), Err(Error::Forbidden(_))));
    let old = world.auth.offer_reset(&admin, true).unwrap();
    let token = world.auth.offer_reset(&admin, true).unwrap();
    assert!(matches!(world.auth.reset(old.reveal(), PASSWORD, here()), Err(Error::Forbidden(_))), "a newer one was given");
    world.auth.reset(token.reveal(), PASSWORD, here()).unwrap().unwrap();
    assert!(matches!(world.sign_in(PASSWORD, here()), SignIn::Open(_)), "the authenticator app was removed on purpose");

    let tried = (0..200).filter(|_| world.auth.link("guess", client("198.51.100.7")).unwrap().is_ok()).count();
    assert_eq!(tried, 100, "of one address in a quarter of an hour");
    let ledger: Vec<_> = admin.ledger(holm_core::Page::ALL).unwrap().into_iter().map(|e| e.body).collect();
    assert_eq!(ledger.iter().filter(|b| b.contains("reset-offered") && b.contains("admin bob")).count(), 4, "{ledger:#?}");
}

#[test]
fn t56_links_are_for_the_holm_they_were_made_in() {
    let world = World::new();
    let owner = world.auth.owner_link().unwrap().expect("nobody lives here");
    let invited = world.auth.invite(&invitation(), 7).unwrap();
    let accept = |token: &str, name: &str| world.auth.accept(token, name, First::Password(PASSWORD), here());
    assert!(matches!(accept(invited.reveal(), "bob"), Err(Error::Forbidden(_))), "an invitation makes no owner");
    // Somebody comes to live here at the command line, while the link is still printed somewhere.
    world.gate.host().add_person("ann", None, 0).unwrap();
    assert_eq!(world.auth.link(owner.reveal(), here()).unwrap(), Ok(None));
    assert!(matches!(accept(owner.reveal(), "eve"), Err(Error::Forbidden(_))));
    assert!(!open(accept(invited.reveal(), "bob").unwrap()).session.admin);
}

#[test]
fn t58_whoever_was_invited_asks_for_few_names() {
    let world = World::of_ann();
    let token = world.auth.invite(&invitation(), 7).unwrap();
    let taken = || matches!(world.auth.accept(token.reveal(), "ann", First::Password(PASSWORD), here()), Err(Error::Taken(_)));
    assert_eq!((0..50).filter(|_| taken()).count(), 30);
    assert!(matches!(world.auth.accept(token.reveal(), "bob", First::Password(PASSWORD), here()).unwrap(), SignIn::Throttled(_)));
    world.pass(Timestamp::HOUR);
    open(world.auth.accept(token.reveal(), "bob", First::Password(PASSWORD), here()).unwrap());
}
