//! Sessions: what a browser that is signed in holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use holm_core::{NewSession, Party, PartyId, PersonId, Result, SessionRecord, Timestamp};

use crate::{Auth, BELIEVED, KEPT, Token};

/// Longest life of a session.
const LONGEST: i64 = 90 * Timestamp::DAY;
/// How long a second factor may come after the password.
const SECOND_FACTOR: i64 = 10 * 60 * Timestamp::SECOND;
/// How long a proof counts for what destroys something or opens a door.
pub const PROVEN: i64 = 10 * 60 * Timestamp::SECOND;
/// Bytes kept of what a browser calls itself.
const AGENT: usize = 200;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// The person themself, by this session.
    pub party: Arc<Party>,
    pub person: Arc<str>,
    /// May invite people and look after their accounts.
    pub admin: bool,
    /// When they last proved all that is asked of them.
    pub proven: Timestamp,
}

/// What a session's token comes to.
#[derive(Clone, Debug)]
pub enum Standing {
    Open(Session),
    /// The password was right; nothing is open before the second factor is (T35).
    SecondFactorDue,
    Nothing,
}

/// Where somebody signs in.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    pub address: IpAddr,
    /// What the browser calls itself.
    pub agent: &'a str,
    /// The token this browser was given when somebody signed in with it before.
    pub device: Option<&'a str>,
}

/// A session that was just opened.
#[derive(Debug)]
pub struct Opened {
    pub token: Token,
    pub session: Session,
    /// By which the browser is known next time, where it was not yet.
    pub device: Option<Token>,
}

#[derive(Default)]
pub(crate) struct Believed(Mutex<HashMap<[u8; 32], (Session, Timestamp)>>);

impl Session {
    fn new(record: &SessionRecord) -> Session {
        let party = Party { person: record.person, id: PartyId::OWNER, credential: record.id, label: "web".into(), limits: None };
        Session { party: party.into(), person: record.name.as_str().into(), admin: record.admin, proven: record.proven }
    }

    /// Whether the person proved themself so lately that they may do what destroys something or opens a door.
    pub fn proven_lately(&self, now: Timestamp) -> bool {
        (0..PROVEN).contains(&(now.0 - self.proven.0))
    }
}

impl Auth {
    /// A session that was open a moment ago. Never waits.
    pub fn session_believed(&self, token: &str) -> Option<Session> {
        let now = self.env().now();
        let believed = self.sessions.0.lock().expect("sessions");
        let (session, _) = believed.get(&Token::hash(token)).filter(|(_, at)| (0..BELIEVED).contains(&(now.0 - at.0)))?;
        self.used(&session.party, now);
        Some(session.clone())
    }

    /// What a session's token comes to. Blocking.
    pub fn session(&self, token: &str) -> Result<Standing> {
        if let Some(session) = self.session_believed(token) {
            return Ok(Standing::Open(session));
        }
        let (hash, now) = (Token::hash(token), self.env().now());
        let record = self.host().session(&hash)?;
        let mut believed = self.sessions.0.lock().expect("sessions");
        let Some(record) = record.filter(|r| !r.awaits) else {
            believed.remove(&hash);
            drop(believed);
            return Ok(if self.awaiting(token)?.is_some() { Standing::SecondFactorDue } else { Standing::Nothing });
        };
        let session = Session::new(&record);
        if believed.len() >= KEPT {
            believed.clear();
        }
        believed.insert(hash, (session.clone(), now));
        drop(believed);
        self.used(&session.party, now);
        Ok(Standing::Open(session))
    }

    /// The session of this token whose second factor is due.
    pub(crate) fn awaiting(&self, token: &str) -> Result<Option<SessionRecord>> {
        Ok(self.host().session(&Token::hash(token))?.filter(|r| r.awaits))
    }

    /// A session whose password was right, for the second factor to open.
    pub(crate) fn begin(&self, person: PersonId, changes: i64, client: Client<'_>) -> Result<Token> {
        self.new_session(person, changes, true, SECOND_FACTOR, client).map(|(token, _)| token)
    }

    fn new_session(&self, person: PersonId, changes: i64, awaits: bool, life: i64, client: Client<'_>) -> Result<(Token, i64)> {
        let token = Token::random(self.env());
        let agent: String = client.agent.chars().filter(|c| !c.is_control()).take(AGENT).collect();
        let (until, address) = (self.env().now().plus(life), client.address.to_string());
        let new = NewSession { person, hash: &Token::hash(token.reveal()), changes, awaits, until, address: &address, agent: &agent };
        let id = self.host().open_session(&new)?;
        Ok((token, id))
    }

    /// All that is asked of this person was proven, when `changes` were [`holm_core::Proofs::changes`]: a new session.
    pub(crate) fn open(&self, person: PersonId, changes: i64, client: Client<'_>) -> Result<Opened> {
        let (token, _) = self.new_session(person, changes, false, LONGEST, client)?;
        self.opened(token, Some(client))
    }

    /// The same, in the session that it was proven in, under a new token. The one before opens nothing from then on. None where
    /// the session ended meanwhile.
    pub(crate) fn renew(&self, person: PersonId, id: i64, client: Option<Client<'_>>) -> Result<Option<Opened>> {
        let token = Token::random(self.env());
        let there = self.host().renew_session(person, id, &Token::hash(token.reveal()), LONGEST)?;
        self.sessions.0.lock().expect("sessions").retain(|_, (s, _)| (s.party.person, s.party.credential) != (person, id));
        if there { self.opened(token, client).map(Some) } else { Ok(None) }
    }

    fn opened(&self, token: Token, client: Option<Client<'_>>) -> Result<Opened> {
        let gone = || holm_core::Error::Again("the session ended as it began");
        let record = self.host().session(&Token::hash(token.reveal()))?.ok_or_else(gone)?;
        let device = match client {
            Some(client) => self.remember(&record, client)?,
            None => None,
        };
        Ok(Opened { token, session: Session::new(&record), device })
    }

    /// Makes the browser one that is known.
    fn remember(&self, record: &SessionRecord, client: Client<'_>) -> Result<Option<Token>> {
        if let Some(device) = client.device
            && self.host().knows_device(&Token::hash(device), &record.name)?
        {
            self.host().note_device(&Token::hash(device), record.person)?;
            return Ok(None);
        }
        let device = Token::random(self.env());
        self.host().note_device(&Token::hash(device.reveal()), record.person)?;
        Ok(Some(device))
    }

    /// Ends whatever a token opened or was about to: its browser signs out, or signs in anew (T30). Answers whether there was such a
    /// session.
    pub fn leave(&self, token: &str) -> Result<bool> {
        let hash = Token::hash(token);
        let Some(record) = self.host().session(&hash)? else { return Ok(false) };
        let there = self.host().end_session(record.person, record.id)?;
        self.sessions.0.lock().expect("sessions").remove(&hash);
        Ok(there)
    }

    /// Believes no session any more without asking, where some were ended.
    pub fn forget_sessions(&self) {
        self.sessions.0.lock().expect("sessions").clear();
    }
}
