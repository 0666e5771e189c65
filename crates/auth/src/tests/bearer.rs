//! Access tokens at a door: what they open, how long, and what they never do.

use holm_core::{Ability, Access, Page, PartyKind, Path, Timestamp, Via};

use super::{PASSWORD, here};
use crate::fixture::World;
use crate::oauth::scope::{Dialect, Scopes};
use crate::oauth::{Allowed, Handed};
use crate::{SignIn, Verdict};

const ADDRESS: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

impl World {
    fn anns(&self) -> Access {
        let opened = self.signed_in();
        self.access(&opened.session)
    }

    fn token(&self, ann: &Access, scope: &str, doors: &[&str]) -> Handed {
        let scopes = Scopes::parse(scope, Dialect::Holm).expect("scopes");
        let until = Some(self.gate.env().now().plus(90 * Timestamp::DAY));
        let doors = doors.iter().map(|d| (*d).to_owned()).collect();
        let allowed = Allowed {
            client: "https://app.example",
            subject: "https://app.example",
            name: "App",
            scopes: &scopes,
            purpose: "to try".into(),
            terms: None,
            until,
            doors,
            key: None,
            sector: String::new(),
        };
        self.auth.storage_token(ann, &allowed).expect("a token")
    }

    fn admitted(&self, token: &str, door: &'static str) -> holm_core::Result<Access> {
        let Verdict::Admitted(party, person) = self.auth.bearer(token, ADDRESS).expect("no failure") else {
            return Err(holm_core::Error::Forbidden("unknown"));
        };
        assert_eq!(&*person, "ann");
        self.gate.admit(party, Via { protocol: door, address: Some(ADDRESS) })
    }

    fn may(&self, token: &str, ability: Ability, path: &str) -> bool {
        let path = Path::parse(path).expect("a path");
        self.admitted(token, "webdav").and_then(|access| access.allows(ability, &path)).unwrap_or(false)
    }
}

#[test]
fn t26_a_token_does_what_was_allowed_with_it_and_no_more() {
    let world = World::of_ann();
    let ann = world.anns();
    let reads = world.token(&ann, "files:r:/photos", &[]).access;
    let writes = world.token(&ann, "notes:rw", &[]).access;
    let (reads, writes) = (reads.reveal(), writes.reveal());
    assert!(world.may(reads, Ability::Read, "/photos/a") && !world.may(reads, Ability::Write, "/photos/a") && !world.may(reads, Ability::Read, "/photos-x"));
    assert!(world.may(writes, Ability::Write, "/apps/notes/a") && world.may(writes, Ability::Delete, "/apps/public/notes/a"));
    assert!(!world.may(writes, Ability::Read, "/photos/a"), "what the same app was allowed another time is not this token's");
    assert!(!world.may(reads, Ability::Read, "/apps/notes/a"));
    // It is one party, with a grant each for what was asked; and it can make neither grants nor tokens.
    let known = ann.parties(Page::ALL).expect("parties");
    let apps: Vec<_> = known.iter().filter(|p| p.kind == PartyKind::App).collect();
    assert_eq!(apps.iter().map(|p| (p.name.as_str(), p.subject.as_str())).collect::<Vec<_>>(), [("App", "https://app.example")]);
    assert_eq!(ann.grants(Some(apps[0].id), Page::ALL).expect("grants").len(), 3);
    let access = world.admitted(writes, "webdav").expect("admitted");
    assert!(access.parties(Page::ALL).is_err() && access.grants(None, Page::ALL).is_err() && access.sessions().is_err());
    let scopes = Scopes::parse("files:rw", Dialect::Holm).expect("scopes");
    let more = Allowed {
        client: "x",
        subject: "x",
        name: "X",
        scopes: &scopes,
        purpose: String::new(),
        terms: None,
        until: None,
        doors: Vec::new(),
        key: None,
        sector: String::new(),
    };
    assert!(world.auth.storage_token(&access, &more).is_err());
}

#[test]
fn t35_a_token_opens_the_doors_it_is_for() {
    let world = World::of_ann();
    let ann = world.anns();
    let token = world.token(&ann, "files:rw", &["webdav"]).access;
    assert!(world.admitted(token.reveal(), "webdav").is_ok());
    for door in ["api", "remotestorage", "command line"] {
        assert!(world.admitted(token.reveal(), door).is_err(), "{door}");
    }
    // Neither is it what other doors take, nor is theirs a token.
    assert!(matches!(world.auth.app_password("ann", token.reveal(), ADDRESS).expect("no failure"), Verdict::Unknown));
    assert!(!world.is_open(token.reveal()));
    let SignIn::Open(session) = world.sign_in(PASSWORD, here()) else { panic!("signed in") };
    assert!(matches!(world.auth.bearer(session.token.reveal(), ADDRESS).expect("no failure"), Verdict::Unknown));
}

#[test]
fn t26_a_token_ends_within_a_second_of_its_end() {
    let world = World::of_ann();
    let ann = world.anns();
    let tokens: Vec<_> = (0..3).map(|_| world.token(&ann, "files:rw", &[])).collect();
    let works = |n: usize| world.may(tokens[n].access.reveal(), Ability::Write, "/a");
    assert!(works(0) && works(1) && works(2));
    let party = ann.parties(Page::ALL).expect("parties").into_iter().find(|p| p.kind == PartyKind::App).expect("the app").id;
    let grants = ann.grants(Some(party), Page::ALL).expect("grants");
    ann.revoke(grants[0].id).expect("revoked");
    world.pass(Timestamp::SECOND);
    assert!(!works(0) && works(1) && works(2), "a grant that was taken back");
    let Verdict::Admitted(second, _) = world.auth.bearer(tokens[1].access.reveal(), ADDRESS).expect("no failure") else { panic!("known") };
    world.gate.host().end_app(second.person, second.credential).expect("ended");
    world.pass(Timestamp::SECOND);
    assert!(!works(1) && works(2), "an app that was sent away, once");
    assert!(matches!(world.auth.bearer(tokens[1].access.reveal(), ADDRESS).expect("no failure"), Verdict::Unknown));
    world.pass(90 * Timestamp::DAY);
    assert!(!works(2), "its time is over");
    world.auth.forget_old().expect("forgotten");
    let ann = world.anns();
    let last = world.token(&ann, "files:rw", &[]).access;
    ann.part(party).expect("ended");
    world.pass(Timestamp::SECOND);
    assert!(!world.may(last.reveal(), Ability::Write, "/a"), "its party was shown the door");
}

#[test]
fn t31_a_wrong_token_shuts_out_no_right_one() {
    let world = World::of_ann();
    let token = world.token(&world.anns(), "files:r", &[]).access;
    let tries = (0..150).filter(|n| matches!(world.auth.bearer(&format!("wrong{n}"), ADDRESS), Ok(Verdict::Unknown))).count();
    assert_eq!(tries, 100);
    assert!(world.may(token.reveal(), Ability::Read, "/a"));
    for odd in ["", " ", &"x".repeat(5_000)] {
        assert!(!matches!(world.auth.bearer(odd, ADDRESS), Ok(Verdict::Admitted(..))), "{odd}");
    }
}
