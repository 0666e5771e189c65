//! Devices without a browser (RFC 8628): televisions, command lines. One shows a code, the person types it on a page of ours, and
//! answers there as for any app; meanwhile the device polls.

use std::net::IpAddr;

use holm_core::{Env, PersonId, Result, Ticket, Timestamp};
use serde::{Deserialize, Serialize};

use super::Held;
use super::client::Client;
use super::consent::{hex, json, read};
use super::let_in::LetIn;
use super::refusal::{Params, Refusal, said};
use super::request::Asked;
use crate::{Auth, Token, Try};

const WAITS: &str = "oauth-device";
const TYPED: &str = "oauth-user-code";
/// How long a code may be typed.
pub const LIFE: i64 = 10 * 60 * Timestamp::SECOND;
/// Seconds between two polls, to begin with, and what is added for one that comes sooner.
pub const INTERVAL: i64 = 5;
/// Consonants that make no words (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// The codes of a device.
#[derive(Debug)]
pub struct Device {
    /// For the device.
    pub code: Token,
    /// For the person, with a hyphen in its middle.
    pub user_code: String,
}

/// What a device waits for.
#[derive(Serialize, Deserialize)]
struct Waiting {
    client: String,
    /// Milliseconds.
    interval: i64,
    polled: i64,
    answer: Option<Answered>,
}

#[derive(Serialize, Deserialize)]
struct Answered {
    /// None: denied.
    allowed: Option<Allowed>,
}

#[derive(Serialize, Deserialize)]
struct Allowed {
    person: i64,
    credential: i64,
    held: Held,
    auth_time: i64,
}

/// Eight letters.
fn user_code(env: &Env) -> String {
    let mut letters = Vec::new();
    while letters.len() < 8 {
        // Those that would make some letters likelier than others are left out.
        letters.extend(env.random::<16>().into_iter().filter(|b| *b < 240).map(|b| LETTERS[usize::from(b % 20)] as char));
    }
    letters.into_iter().take(8).collect()
}

/// As it was typed: letters count.
fn hash_typed(code: &str) -> [u8; 32] {
    let plain: String = code.chars().filter(char::is_ascii_alphabetic).take(20).collect();
    Token::hash(&format!("user code {}", plain.to_ascii_uppercase()))
}

impl Auth {
    /// Codes for a device that asks (RFC 8628 §3.1).
    pub fn begin_device(&self, client: &Client, params: &Params, address: IpAddr) -> Result<Device, Refusal> {
        if let Some(seconds) = self.limiter.attempt(Try::Registration(address), self.env().now())? {
            return Err(Refusal::Throttled(seconds));
        }
        let (code, typed) = (Token::random(self.env()), user_code(self.env()));
        let hash = Token::hash(code.reveal());
        let asked = self.ask_for_device(client, params, hex(&hash))?;
        let waiting = Waiting { client: client.id.clone(), interval: INTERVAL * Timestamp::SECOND, polled: 0, answer: None };
        let created = self.env().now();
        let ticket = |hash, kind: &str, body| Ticket { hash, kind: kind.into(), person: None, body, created, expires: created.plus(LIFE) };
        self.host().put_ticket(&ticket(hash, WAITS, json(&waiting)?))?;
        self.host().put_ticket(&ticket(hash_typed(&typed), TYPED, json(&asked)?))?;
        let (first, second) = typed.split_at(4);
        Ok(Device { code, user_code: format!("{first}-{second}") })
    }

    /// What the device asks for that shows this code. A code is typed once.
    pub fn typed(&self, code: &str, address: IpAddr) -> Result<Asked, Refusal> {
        let tried = Try::Typed(address);
        if let Some(seconds) = self.limiter.attempt(tried, self.env().now())? {
            return Err(Refusal::Throttled(seconds));
        }
        let Some(ticket) = self.host().take_ticket(&hash_typed(code), TYPED)? else {
            return said("invalid_request", "no device waits with this code; look for typing errors, or let the device show a new one");
        };
        self.limiter.succeeded(tried)?;
        Ok(read(&ticket)?)
    }

    /// The person's answer, for when the device polls next.
    pub(super) fn answer_device(&self, code: &str, allowed: Option<(LetIn, Timestamp)>) -> Result<(), Refusal> {
        let bytes: Option<Vec<u8>> = (0..code.len() / 2).map(|n| u8::from_str_radix(code.get(2 * n..2 * n + 2)?, 16).ok()).collect();
        let Some(hash) = bytes.and_then(|b| <[u8; 32]>::try_from(b).ok()) else { return said("invalid_request", "no device has that code") };
        let allowed = allowed.map(|(in_, at)| Allowed { person: in_.person.0, credential: in_.credential, held: in_.held, auth_time: at.0 });
        let answer = json(&Answered { allowed })?;
        // It may be polled for meanwhile.
        for _ in 0..100 {
            let Some(ticket) = self.host().ticket(&hash, WAITS)? else { break };
            let waiting = Waiting { answer: serde_json::from_str(&answer).ok(), ..read(&ticket)? };
            if self.host().change_ticket(&ticket, &json(&waiting)?)? {
                return Ok(());
            }
        }
        said("invalid_request", "the device waits no more; let it show a new code")
    }

    /// A device asks whether the person answered (RFC 8628 §3.5).
    pub(super) fn poll(&self, client: &Client, params: &Params, address: IpAddr) -> Result<(LetIn, Timestamp), Refusal> {
        let hash = Token::hash(params.need("device_code")?);
        let now = self.env().now();
        let Some(ticket) = self.host().ticket(&hash, WAITS)? else {
            let wait = self.limiter.attempt(Try::Token(address), now)?;
            return wait.map_or_else(|| said("expired_token", "this device_code is not known, or its time is over"), |s| Err(Refusal::Throttled(s)));
        };
        let waiting: Waiting = read(&ticket)?;
        if waiting.client != client.id {
            return said("invalid_grant", "this device_code is another app's");
        }
        let Some(Answered { allowed }) = waiting.answer else {
            let soon = (0..waiting.interval).contains(&(now.0 - waiting.polled));
            let interval = waiting.interval + if soon { INTERVAL * Timestamp::SECOND } else { 0 };
            self.host().change_ticket(&ticket, &json(&Waiting { interval, polled: now.0, ..waiting })?)?;
            return if soon {
                said("slow_down", "wait five seconds longer between polls")
            } else {
                said("authorization_pending", "the person has not answered yet")
            };
        };
        if self.host().take_ticket(&hash, WAITS)?.is_none() {
            return said("expired_token", "this device_code was used");
        }
        let Some(Allowed { person, credential, held, auth_time }) = allowed else { return said("access_denied", "the person said no") };
        let until = held.until.map(Timestamp);
        Ok((LetIn { person: PersonId(person), credential, held, until }, Timestamp(auth_time)))
    }
}
