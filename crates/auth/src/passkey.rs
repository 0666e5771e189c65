//! Passkeys (WebAuthn, level 3): registered by whoever is signed in, then a sign-in without a name. The challenge is kept
//! here, for five minutes and one answer (T36).

use holm_core::{Access, Error, PasskeyRecord, PersonId, Result, Ticket, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

use crate::session::{Client, Session};
use crate::{Auth, SignIn, Token, Try};

/// How long a challenge waits for its answer.
const CHALLENGE: i64 = 5 * 60 * Timestamp::SECOND;
const SIGN_IN: &str = "passkey-sign-in";
const REGISTER: &str = "passkey-register";
/// Bytes of an answer to a challenge, as JSON.
const MOST: usize = 32 * 1024;

/// A question for an authenticator.
#[derive(Debug)]
pub struct Challenge {
    /// To be sent back with the answer.
    pub ticket: Token,
    /// What `navigator.credentials` takes, in the JSON form of the specification.
    pub options: Value,
}

/// The relying party: where passkeys are for. None where the origin is an address, which passkeys can not be for.
pub(crate) fn relying_party(origin: &str) -> Option<Webauthn> {
    let url = Url::parse(origin).ok()?;
    let domain = url.domain()?.to_owned();
    WebauthnBuilder::new(&domain, &url).ok()?.rp_name("holm").build().ok()
}

/// A registered passkey, before it is somebody's.
pub(crate) struct Registered {
    /// The user handle it will answer with.
    pub uid: [u8; 16],
    pub handle: Vec<u8>,
    pub record: String,
}

/// Whom a registration is for.
pub(crate) struct Applicant<'a> {
    /// The user handle, by which a passkey tells whose it is.
    pub uid: [u8; 16],
    pub name: &'a str,
    /// The person and session, where they are here already.
    pub session: Option<(PersonId, i64)>,
}

fn json_of(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::Invalid(e.to_string()))
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::Corrupt(format!("a passkey in the catalog: {e}")))
}

/// What a browser answers with; None for what is no such answer.
fn answer<T: DeserializeOwned>(answer: &Value) -> Option<T> {
    if answer.to_string().len() > MOST {
        return None;
    }
    serde_json::from_value(answer.clone()).ok()
}

impl Auth {
    fn webauthn(&self) -> Result<&Webauthn> {
        let none = "passkeys need a name in place of an address: open holm by its name, and tell it with the setting origin";
        self.webauthn.as_ref().ok_or_else(|| Error::Invalid(none.into()))
    }

    fn ask(&self, kind: &str, person: Option<PersonId>, body: &Value, options: Value) -> Result<Challenge> {
        let (ticket, created) = (Token::random(self.env()), self.env().now());
        let hash = Token::hash(ticket.reveal());
        self.host().put_ticket(&Ticket { hash, kind: kind.into(), person, body: body.to_string(), created, expires: created.plus(CHALLENGE) })?;
        Ok(Challenge { ticket, options })
    }

    /// A challenge for whoever wants to sign in; or how many seconds to wait. Blocking.
    pub fn ask_passkey(&self, client: Client<'_>) -> Result<Result<Challenge, i64>> {
        if let Some(seconds) = self.limiter.attempt(Try::Challenge(client.address), self.env().now())? {
            return Ok(Err(seconds));
        }
        let (mut asked, state) = self.webauthn()?.start_discoverable_authentication().map_err(|e| Error::Invalid(e.to_string()))?;
        // Whether it is offered beside a form or asked for is the page's to say.
        asked.mediation = None;
        let mut options = json_of(&asked)?;
        // None is allowed more than others; some take an empty list for none at all.
        options["publicKey"].as_object_mut().and_then(|o| o.remove("allowCredentials"));
        self.ask(SIGN_IN, None, &json_of(&state)?, options).map(Ok)
    }

    /// Signs in with the answer of a passkey. Blocking.
    pub fn passkey(&self, ticket: &str, credential: &Value, client: Client<'_>) -> Result<SignIn> {
        let tried = Try::Token(client.address);
        if let Some(seconds) = self.limiter.attempt(tried, self.env().now())? {
            return Ok(SignIn::Throttled(seconds));
        }
        let Some((record, changes)) = self.proven_passkey(ticket, credential)? else { return Ok(SignIn::Refused) };
        self.limiter.succeeded(tried)?;
        Ok(SignIn::Open(self.open(record.person, changes, client)?))
    }

    /// Proves anew who is there, with a passkey of theirs. Blocking.
    pub fn prove_passkey(&self, session: &Session, ticket: &str, credential: &Value) -> Result<SignIn> {
        let (person, id) = (session.party.person, session.party.credential);
        let tried = Try::Session(person, id);
        if let Some(seconds) = self.limiter.attempt(tried, self.env().now())? {
            return Ok(SignIn::Throttled(seconds));
        }
        let Some(_) = self.proven_passkey(ticket, credential)?.filter(|(r, _)| r.person == person) else { return Ok(SignIn::Refused) };
        self.limiter.succeeded(tried)?;
        Ok(self.renew(person, id, None)?.map_or(SignIn::Refused, SignIn::Open))
    }

    /// The passkey that answered the challenge, with its user verified; none where anything at all is not as it should be.
    fn proven_passkey(&self, ticket: &str, credential: &Value) -> Result<Option<(PasskeyRecord, i64)>> {
        let Some(ticket) = self.host().take_ticket(&Token::hash(ticket), SIGN_IN)? else { return Ok(None) };
        let state: DiscoverableAuthentication = read(&ticket.body)?;
        let Some(credential) = answer::<PublicKeyCredential>(credential) else { return Ok(None) };
        let Ok((uid, handle)) = self.webauthn()?.identify_discoverable_authentication(&credential) else { return Ok(None) };
        let Some((record, changes)) = self.host().passkey(handle)? else { return Ok(None) };
        // The user handle is the authenticator's word; whose the passkey is, ours.
        if self.host().person_by_uid(uid.as_bytes())?.is_none_or(|p| p.id != record.person) {
            return Ok(None);
        }
        let mut passkey: Passkey = read(&record.record)?;
        let result = match self.webauthn()?.finish_discoverable_authentication_v2(&credential, state, &passkey) {
            Ok(result) if result.user_verified() => result,
            Ok(_) => return Ok(None),
            Err(e) => {
                tracing::warn!(person = record.person.0, passkey = record.id, "a passkey's answer was refused: {e}");
                return Ok(None);
            }
        };
        passkey.update_credential(&result);
        self.host().note_passkey(record.person, record.id, &json_of(&passkey)?.to_string())?;
        Ok(Some((record, changes)))
    }

    /// A challenge to register a passkey of whoever is signed in.
    pub fn begin_passkey(&self, access: &Access, session: &Session) -> Result<Challenge> {
        let person = self.host().person(&session.person)?;
        let known = access.passkeys()?.into_iter().map(|p| p.handle).collect();
        let session = Some((person.id, session.party.credential));
        self.ask_to_register(&Applicant { uid: person.uid, name: &person.name, session }, known)
    }

    pub(crate) fn ask_to_register(&self, who: &Applicant<'_>, known: Vec<Vec<u8>>) -> Result<Challenge> {
        let asked = self.webauthn()?.start_passkey_registration(Uuid::from_bytes(who.uid), who.name, who.name, Some(known));
        let (asked, state) = asked.map_err(|e| Error::Invalid(e.to_string()))?;
        let mut options = json_of(&asked)?;
        // Without this no authenticator needs to offer the passkey to somebody who typed no name.
        let selection = &mut options["publicKey"]["authenticatorSelection"];
        (selection["residentKey"], selection["requireResidentKey"]) = ("required".into(), true.into());
        let body = json!({ "uid": who.uid, "session": who.session.map(|s| s.1), "name": who.name, "state": json_of(&state)? });
        self.ask(REGISTER, who.session.map(|s| s.0), &body, options)
    }

    /// The answer to a challenge to register, whomever it was for.
    pub(crate) fn registered(&self, ticket: &str, who: &Applicant<'_>, credential: &Value) -> Result<Registered> {
        let refused = || Error::Invalid("the passkey's answer does not fit the question; ask for a new challenge and try again".into());
        let ticket = self.host().take_ticket(&Token::hash(ticket), REGISTER)?.ok_or_else(refused)?;
        let body: Value = read(&ticket.body)?;
        let meant = ticket.person == who.session.map(|s| s.0) && body["session"] == json!(who.session.map(|s| s.1)) && body["name"] == who.name;
        if !meant || (who.session.is_some() && body["uid"] != json!(who.uid)) {
            return Err(refused());
        }
        let state: PasskeyRegistration = serde_json::from_value(body["state"].clone()).map_err(|e| Error::Corrupt(e.to_string()))?;
        let credential = answer::<RegisterPublicKeyCredential>(credential).ok_or_else(refused)?;
        let passkey = self.webauthn()?.finish_passkey_registration(&credential, &state).map_err(|e| {
            tracing::debug!("a passkey was not registered: {e}");
            refused()
        })?;
        let uid = serde_json::from_value(body["uid"].clone()).map_err(|e| Error::Corrupt(e.to_string()))?;
        Ok(Registered { uid, handle: passkey.cred_id().to_vec(), record: json_of(&passkey)?.to_string() })
    }

    /// Registers a passkey of whoever is signed in; answers its number.
    pub fn finish_passkey(&self, access: &Access, session: &Session, ticket: &str, name: &str, credential: &Value) -> Result<i64> {
        let person = self.host().person(&session.person)?;
        let who = Applicant { uid: person.uid, name: &person.name, session: Some((person.id, session.party.credential)) };
        let registered = self.registered(ticket, &who, credential)?;
        access.add_passkey(name, &registered.handle, &registered.record)
    }
}
