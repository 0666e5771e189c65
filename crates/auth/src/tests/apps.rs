//! Apps that were let in, over time: what a clock that is moved by hand shows.

use std::net::{IpAddr, Ipv4Addr};

use holm_core::{Access, Timestamp};

use crate::Session;
use crate::fixture::World;
use crate::oauth::{Answer, Client, Exchanged, Known, Params, Refusal};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

impl World {
    fn app(&self) -> Client {
        let metadata = br#"{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}"#;
        let made = self.auth.register(metadata, ADDRESS).expect("registered");
        match self.auth.client(&made.id).expect("no failure") {
            Known::Client(client) => *client,
            other => panic!("{other:?}"),
        }
    }

    fn code(&self, client: &Client, ann: (&Access, &Session), days: Option<i64>) -> String {
        let query = format!(
            "response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=files:rw+openid&code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        let asked = self.auth.ask_for_app(client, &params(&query)).expect("asked");
        let ticket = self.auth.wait(asked, "browser").expect("waits");
        let answer = Answer { scopes: vec!["files:rw".into(), "openid".into()], days };
        let to = self.auth.allow(ann.0, ann.1, ticket.reveal(), Some("browser"), &answer).expect("allowed").expect("an address");
        to.split("code=").nth(1).expect("a code").split('&').next().expect("a code").to_owned()
    }

    fn exchange(&self, client: &Client, query: &str) -> Result<Exchanged, Refusal> {
        self.auth.exchange(client, &params(query), None, ADDRESS)
    }

    fn redeem(&self, client: &Client, code: &str) -> Result<Exchanged, Refusal> {
        self.exchange(client, &format!("grant_type=authorization_code&code={code}&code_verifier={VERIFIER}"))
    }

    fn refresh(&self, client: &Client, token: &str) -> Result<Exchanged, Refusal> {
        self.exchange(client, &format!("grant_type=refresh_token&refresh_token={token}"))
    }

    fn opens(&self, done: &Exchanged) -> bool {
        matches!(self.auth.bearer(done.handed.access.reveal(), ADDRESS), Ok(crate::Verdict::Admitted(..)))
    }
}

fn params(query: &str) -> Params {
    Params::parse(query).expect("parameters")
}

fn refused<T: std::fmt::Debug>(done: Result<T, Refusal>, due: &str) {
    assert!(matches!(&done, Err(Refusal::Said(error, _)) if *error == due), "{done:?}");
}

fn next(done: &Exchanged) -> String {
    done.handed.refresh.as_ref().expect("a refresh token").reveal().to_owned()
}

#[test]
fn t23_a_refresh_token_that_comes_twice_ends_all_of_it() {
    let world = World::of_ann();
    let opened = world.signed_in();
    let access = world.access(&opened.session);
    let client = world.app();
    let first = world.redeem(&client, &world.code(&client, (&access, &opened.session), None)).expect("tokens");
    let second = world.refresh(&client, &next(&first)).expect("the next");
    world.pass(29 * Timestamp::SECOND);
    let again = world.refresh(&client, &next(&first)).expect("the answer may not have come");
    assert!(world.opens(&second) && world.opens(&again));
    world.pass(2 * Timestamp::SECOND);
    refused(world.refresh(&client, &next(&first)), "invalid_grant");
    for token in [&second, &again] {
        assert!(!world.opens(token));
        refused(world.refresh(&client, &next(token)), "invalid_grant");
    }
    // The person sees it go.
    assert!(access.parties(holm_core::Page::ALL).expect("parties").iter().all(|p| p.name != "app.example" || p.ended.is_some()));
}

#[test]
fn t23_a_code_lives_a_minute_and_what_comes_of_it_as_long_as_was_said() {
    let world = World::of_ann();
    let opened = world.signed_in();
    let access = world.access(&opened.session);
    let client = world.app();
    let late = world.code(&client, (&access, &opened.session), None);
    world.pass(61 * Timestamp::SECOND);
    refused(world.redeem(&client, &late), "invalid_grant");
    let tokens = world.redeem(&client, &world.code(&client, (&access, &opened.session), Some(1))).expect("tokens");
    assert!(world.opens(&tokens));
    world.pass(Timestamp::HOUR);
    assert!(!world.opens(&tokens), "an access token is for an hour");
    let tokens = world.refresh(&client, &next(&tokens)).expect("the next");
    assert!(world.opens(&tokens));
    world.pass(23 * Timestamp::HOUR);
    assert!(!world.opens(&tokens));
    refused(world.refresh(&client, &next(&tokens)), "invalid_grant");
    world.auth.forget_old().expect("forgotten");
}

#[test]
fn an_app_that_nobody_lets_in_is_forgotten() {
    let world = World::of_ann();
    let (unused, used) = (world.app(), world.app());
    let opened = world.signed_in();
    let access = world.access(&opened.session);
    world.redeem(&used, &world.code(&used, (&access, &opened.session), None)).expect("tokens");
    world.pass(8 * Timestamp::DAY);
    world.auth.forget_old().expect("forgotten");
    let known = |client: &Client| matches!(world.auth.client(&client.id), Ok(Known::Client(_)));
    assert!(!known(&unused) && known(&used));
    // And nobody fills the catalog with them.
    let made = (0..50).filter(|_| world.auth.register(br#"{"redirect_uris":["https://a.example/"]}"#, ADDRESS).is_ok()).count();
    assert_eq!(made, 30);
}

#[test]
fn the_keys_of_id_tokens_take_turns() {
    let world = World::of_ann();
    let opened = world.signed_in();
    let access = world.access(&opened.session);
    let client = world.app();
    let kid = |done: &Exchanged| jsonwebtoken::decode_header(done.id_token.as_ref().expect("an id token")).expect("a header").kid.expect("a key");
    let known =
        || world.auth.jwks().expect("keys")["keys"].as_array().expect("keys").iter().map(|k| k["kid"].as_str().expect("a kid").to_owned()).collect::<Vec<_>>();
    let first = kid(&world.redeem(&client, &world.code(&client, (&access, &opened.session), None)).expect("tokens"));
    assert_eq!(known(), std::slice::from_ref(&first));
    world.pass(91 * Timestamp::DAY);
    let opened = world.signed_in();
    let access = world.access(&opened.session);
    let second = kid(&world.redeem(&client, &world.code(&client, (&access, &opened.session), None)).expect("tokens"));
    assert_ne!(first, second);
    assert_eq!(known(), [second.clone(), first], "what the one before signed can be verified for a day");
    world.pass(91 * Timestamp::DAY);
    assert_eq!(known().len(), 2);
    world.pass(91 * Timestamp::DAY);
    assert!(!known().contains(&second));
    let text = world.auth.jwks().expect("keys").to_string();
    assert!(!text.contains("\"d\""), "no private key is told: {text}");
}
