//! Coming in for the first time, by a link: the first owner's, an invitation; and back in, by one to choose a new password.
//! Whoever holds the link's token may use it, once.

use holm_core::{Access, Error, Newcomer, Party, Person, PersonId, Result, Ticket, Timestamp, Via, check_passkey_name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::passkey::{Applicant, Challenge, Registered};
use crate::session::Client;
use crate::{Auth, SignIn, Token, Try};

const OWNER: &str = "owner";
const INVITATION: &str = "invitation";
const RESET: &str = "reset";
/// How long the first owner's link holds; each start of a holm where nobody lives prints a new one.
const OWNER_LIFE: i64 = 7 * Timestamp::DAY;
/// How long a link to a new password holds (T37).
const RESET_LIFE: i64 = 15 * 60 * Timestamp::SECOND;
/// Days that an invitation may hold.
const LONGEST: i64 = 90;

/// What an invitation offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Bytes the person may keep; 0: no limit.
    pub quota: u64,
    /// Whom it is for, as the inviter knows them.
    #[serde(default)]
    pub note: String,
    /// Who invites.
    #[serde(default)]
    pub by: String,
}

/// An invitation that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The beginning of the token's hash, which tells invitations apart and opens nothing.
    pub id: String,
    pub invitation: Invitation,
    pub created: Timestamp,
    pub expires: Timestamp,
}

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The first person of this holm, who is its admin.
    Owner,
    Invitation(Invitation),
    /// A new password for a person.
    Reset {
        person: String,
        remove_factors: bool,
    },
}

/// How a new person will prove who they are.
#[derive(Clone, Copy)]
pub enum First<'a> {
    Password(&'a str),
    /// The ticket of the challenge, and the answer to it.
    Passkey {
        ticket: &'a str,
        name: &'a str,
        credential: &'a Value,
    },
}

#[derive(Serialize, Deserialize)]
struct Reset {
    remove_factors: bool,
}

fn id(ticket: &Ticket) -> String {
    ticket.hash[..8].iter().map(|b| format!("{b:02x}")).collect()
}

fn read<'a, T: Deserialize<'a>>(ticket: &'a Ticket) -> Result<T> {
    serde_json::from_str(&ticket.body).map_err(|e| Error::Corrupt(format!("a ticket in the catalog: {e}")))
}

impl Auth {
    fn issue(&self, kind: &str, person: Option<PersonId>, body: &impl Serialize, life: i64) -> Result<Token> {
        let (token, created) = (Token::random(self.env()), self.env().now());
        let body = serde_json::to_string(body).map_err(|e| Error::Invalid(e.to_string()))?;
        let ticket = Ticket { hash: Token::hash(token.reveal()), kind: kind.into(), person, body, created, expires: created.plus(life) };
        self.host().put_ticket(&ticket)?;
        Ok(token)
    }

    /// The token of the first owner's link, in place of all before; none where somebody lives here already.
    pub fn owner_link(&self) -> Result<Option<Token>> {
        self.host().drop_tickets(OWNER, None)?;
        if !self.host().people()?.is_empty() {
            return Ok(None);
        }
        self.issue(OWNER, None, &(), OWNER_LIFE).map(Some)
    }

    /// The token of an invitation that holds for so many days.
    pub fn invite(&self, invitation: &Invitation, days: i64) -> Result<Token> {
        if !(1..=LONGEST).contains(&days) || invitation.note.len() > 200 || invitation.quota > i64::MAX as u64 {
            return Err(Error::Invalid("an invitation holds for 1 to 90 days, its note has at most 200 bytes".into()));
        }
        self.issue(INVITATION, None, invitation, days * Timestamp::DAY)
    }

    pub fn invitations(&self) -> Result<Vec<Waiting>> {
        let tickets = self.host().tickets(INVITATION)?;
        tickets.iter().map(|t| Ok(Waiting { id: id(t), invitation: read(t)?, created: t.created, expires: t.expires })).collect()
    }

    /// Answers whether there was one to take back.
    pub fn take_back(&self, invitation: &str) -> Result<bool> {
        let found = self.host().tickets(INVITATION)?.into_iter().find(|t| id(t) == invitation);
        Ok(found.map_or(Ok(None), |t| self.host().take_ticket(&t.hash, INVITATION))?.is_some())
    }

    /// The token by which a person who lost everything chooses a new password, in place of all before. `access` is of whoever
    /// looks after accounts, to that person's tree.
    pub fn offer_reset(&self, access: &Access, remove_factors: bool) -> Result<Token> {
        let person = access.party().person;
        access.note_reset_offered(remove_factors)?;
        self.host().drop_tickets(RESET, Some(person))?;
        self.issue(RESET, Some(person), &Reset { remove_factors }, RESET_LIFE)
    }

    fn held(&self, token: &str) -> Result<Option<Ticket>> {
        let hash = Token::hash(token);
        let kinds = if self.host().people()?.is_empty() { [OWNER, INVITATION, RESET].as_slice() } else { &[INVITATION, RESET] };
        for kind in kinds {
            if let Some(ticket) = self.host().ticket(&hash, kind)? {
                return Ok(Some(ticket));
            }
        }
        Ok(None)
    }

    /// What a link is for; none where it is not, or no longer. Or how many seconds to wait.
    pub fn link(&self, token: &str, client: Client<'_>) -> Result<Result<Option<Link>, i64>> {
        let tried = Try::Token(client.address);
        if let Some(seconds) = self.limiter.attempt(tried, self.env().now())? {
            return Ok(Err(seconds));
        }
        let Some(ticket) = self.held(token)? else { return Ok(Ok(None)) };
        self.limiter.succeeded(tried)?;
        let link = match ticket.kind.as_str() {
            OWNER => Link::Owner,
            INVITATION => Link::Invitation(read(&ticket)?),
            _ => {
                let gone = || Error::NoSuchPerson("whom this link was for".into());
                let person = ticket.person.map_or(Ok(None), |p| self.host().person_name(p))?.ok_or_else(gone)?;
                Link::Reset { person, remove_factors: read::<Reset>(&ticket)?.remove_factors }
            }
        };
        Ok(Ok(Some(link)))
    }

    /// The challenge for the passkey that a new person of this name will have. Or how many seconds to wait.
    pub fn welcome_passkey(&self, token: &str, name: &str, client: Client<'_>) -> Result<Result<Challenge, i64>> {
        match self.link(token, client)? {
            Ok(Some(Link::Owner | Link::Invitation(_))) => {}
            Ok(_) => return Err(used_up()),
            Err(seconds) => return Ok(Err(seconds)),
        }
        if let Some(seconds) = self.limiter.attempt(Try::Name(&Token::hash(token)), self.env().now())? {
            return Ok(Err(seconds));
        }
        self.host().check_free(name)?;
        self.ask_to_register(&Applicant { uid: self.env().random(), name, session: None }, Vec::new()).map(Ok)
    }

    /// Makes the person whom a link is for, and signs them in. The link is used up when that is done, not before. Blocking.
    pub fn accept(&self, token: &str, name: &str, first: First<'_>, client: Client<'_>) -> Result<SignIn> {
        let (quota, newcomer) = match self.link(token, client)? {
            Ok(Some(Link::Owner)) => (0, Newcomer::Owner),
            Ok(Some(Link::Invitation(invitation))) => (invitation.quota, Newcomer::Invited),
            Ok(_) => return Err(used_up()),
            Err(seconds) => return Ok(SignIn::Throttled(seconds)),
        };
        if let Some(seconds) = self.limiter.attempt(Try::Name(&Token::hash(token)), self.env().now())? {
            return Ok(SignIn::Throttled(seconds));
        }
        self.host().check_free(name)?;
        let person = match first {
            First::Password(password) => {
                let hash = self.hashing.hash(self.env(), password)?;
                self.made(token, || self.host().add_person_with(self.env().random(), name, Some(&hash), quota, newcomer))?
            }
            First::Passkey { ticket, name: key, credential } => {
                // What could fail fails before the link is spent.
                check_passkey_name(key)?;
                let who = Applicant { uid: [0; 16], name, session: None };
                let Registered { uid, handle, record } = self.registered(ticket, &who, credential)?;
                let person = self.made(token, || self.host().add_person_with(uid, name, None, quota, newcomer))?;
                let access = self.gate.admit(Party::operator(person.id).into(), Via { protocol: "api", address: Some(client.address) })?;
                access.add_passkey(key, &handle, &record)?;
                person
            }
        };
        Ok(SignIn::Open(self.open(person.id, 0, client)?))
    }

    /// Spends the link for a person; it is given back where none could be made.
    fn made(&self, token: &str, make: impl Fn() -> Result<Person>) -> Result<Person> {
        let held = self.held(token)?.ok_or_else(used_up)?;
        let ticket = self.host().take_ticket(&held.hash, &held.kind)?.ok_or_else(used_up)?;
        make().or_else(|e| self.host().put_ticket(&ticket).and(Err(e)))
    }

    /// Chooses a new password by a link that an admin gave. Ends all sessions; second factors stay, unless the admin took them
    /// away (T37). Blocking.
    pub fn reset(&self, token: &str, password: &str, client: Client<'_>) -> Result<Result<(), i64>> {
        let (person, remove_factors) = match self.link(token, client)? {
            Ok(Some(Link::Reset { person, remove_factors })) => (person, remove_factors),
            Ok(_) => return Err(used_up()),
            Err(seconds) => return Ok(Err(seconds)),
        };
        let hash = self.hashing.hash(self.env(), password)?;
        self.host().take_ticket(&Token::hash(token), RESET)?.ok_or_else(used_up)?;
        let by = Party { label: "reset link".into(), ..Party::operator(self.host().person(&person)?.id) };
        let access = self.gate.admit(by.into(), Via { protocol: "api", address: Some(client.address) })?;
        access.reset(&hash, remove_factors)?;
        self.forget_sessions();
        Ok(Ok(()))
    }
}

fn used_up() -> Error {
    Error::Forbidden("this link was used, has expired or was taken back; ask for a new one")
}
