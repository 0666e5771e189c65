//! Signing in by name: password, then the second factor; and proving oneself anew within a session.

use holm_core::{Access, Party, Proofs, Result, SessionRecord, Via, mutant};

use crate::session::{Client, Opened, Session};
use crate::{Auth, Secret, Token, Try, totp};

/// Recovery codes made at a time.
const CODES: usize = 10;

/// What a try at signing in came to.
#[derive(Debug)]
pub enum SignIn {
    Open(Opened),
    /// The password was right; this token is for the second factor, and opens nothing.
    SecondFactor {
        token: Token,
        totp: bool,
        passkey: bool,
    },
    /// Wrong, in which way is nobody's business.
    Refused,
    /// Too many tries; ask again after so many seconds.
    Throttled(i64),
}

/// What a person proves anew within a session.
#[derive(Clone, Copy)]
pub struct Again<'a> {
    pub password: &'a str,
    /// Of the authenticator app, where there is one.
    pub code: Option<&'a str>,
}

impl Auth {
    /// The browser's token, where the person of this name signed in with it before.
    fn known(&self, name: &str, client: Client<'_>) -> Result<Option<[u8; 32]>> {
        let Some(hash) = client.device.map(Token::hash) else { return Ok(None) };
        Ok(self.host().knows_device(&hash, name)?.then_some(hash))
    }

    /// Blocking, and as long as hashing a password takes, whether or not there is one (T32).
    pub fn password(&self, name: &str, password: &str, client: Client<'_>) -> Result<SignIn> {
        let known = self.known(name, client)?;
        let tried = known.as_ref().map_or(Try::Account(name, client.address), Try::Device);
        if let Some(seconds) = self.limiter.attempt(tried, self.env().now())? {
            return Ok(SignIn::Throttled(seconds));
        }
        let proofs = self.host().proofs(name)?;
        if mutant("no-hash-for-nobody") && proofs.is_none() {
            return Ok(SignIn::Refused);
        }
        let right = self.hashing.verify(proofs.as_ref().and_then(|p| p.password.as_deref()), password)?;
        let Some(proofs) = proofs.filter(|_| right) else { return Ok(SignIn::Refused) };
        if proofs.totp.is_none() && proofs.passkeys == 0 {
            self.limiter.succeeded(tried)?;
            return Ok(SignIn::Open(self.open(proofs.person, proofs.changes, client)?));
        }
        // The try stays counted until the second factor came: whoever has the password alone may not try without end either.
        let token = self.begin(proofs.person, proofs.changes, client)?;
        Ok(SignIn::SecondFactor { token, totp: proofs.totp.is_some(), passkey: proofs.passkeys > 0 })
    }

    /// The second factor: a code of the authenticator app. Blocking.
    pub fn code(&self, pending: &str, code: &str, client: Client<'_>) -> Result<SignIn> {
        let Some(session) = self.awaiting(pending)? else { return Ok(SignIn::Refused) };
        let Some(proofs) = self.host().proofs(&session.name)? else { return Ok(SignIn::Refused) };
        let known = self.known(&session.name, client)?;
        match self.right_code(&proofs, code, known.as_ref())? {
            Ok(true) => self.opened_by(&session, known.as_ref(), client),
            Ok(false) => Ok(SignIn::Refused),
            Err(seconds) => Ok(SignIn::Throttled(seconds)),
        }
    }

    /// Whether a code is right, and used for the first time; or how many seconds to wait.
    fn right_code(&self, proofs: &Proofs, code: &str, known: Option<&[u8; 32]>) -> Result<Result<bool, i64>> {
        let (tried, now) = (Try::Code(proofs.person, known), self.env().now());
        if let Some(seconds) = self.limiter.attempt(tried, now)? {
            return Ok(Err(seconds));
        }
        let Some(secret) = &proofs.totp else { return Ok(Ok(false)) };
        let Some(step) = totp::step(secret, code, now)? else { return Ok(Ok(false)) };
        let right = self.host().spend_totp(proofs.person, step)?;
        if right {
            self.limiter.succeeded(tried)?;
        }
        Ok(Ok(right))
    }

    /// The second factor: one of the codes kept for the day the phone is lost. Blocking.
    pub fn recovery_code(&self, pending: &str, code: &str, client: Client<'_>) -> Result<SignIn> {
        let Some(session) = self.awaiting(pending)? else { return Ok(SignIn::Refused) };
        let known = self.known(&session.name, client)?;
        let tried = Try::RecoveryCode(session.person, known.as_ref());
        if let Some(seconds) = self.limiter.attempt(tried, self.env().now())? {
            return Ok(SignIn::Throttled(seconds));
        }
        if !self.host().spend_recovery_code(session.person, &Secret::hash(code))? {
            return Ok(SignIn::Refused);
        }
        self.limiter.succeeded(tried)?;
        let done = self.opened_by(&session, known.as_ref(), client)?;
        if let SignIn::Open(opened) = &done {
            self.enter(&opened.session, client)?.note_recovery_code()?;
        }
        Ok(done)
    }

    /// The second factor was right, and so the password before it was no guess.
    fn opened_by(&self, session: &SessionRecord, known: Option<&[u8; 32]>, client: Client<'_>) -> Result<SignIn> {
        self.limiter.succeeded(known.map_or(Try::Account(&session.name, client.address), Try::Device))?;
        Ok(self.renew(session.person, session.id, Some(client))?.map_or(SignIn::Refused, SignIn::Open))
    }

    fn enter(&self, session: &Session, client: Client<'_>) -> Result<Access> {
        self.gate.admit(session.party.clone(), Via { protocol: "api", address: Some(client.address) })
    }

    /// Proves anew who is there, before what destroys something or opens a door. Blocking.
    pub fn prove(&self, session: &Session, again: Again<'_>) -> Result<SignIn> {
        let Party { person, credential, .. } = *session.party;
        let tried = Try::Session(person, credential);
        if let Some(seconds) = self.limiter.attempt(tried, self.env().now())? {
            return Ok(SignIn::Throttled(seconds));
        }
        let Some(proofs) = self.host().proofs(&session.person)? else { return Ok(SignIn::Refused) };
        if !self.hashing.verify(proofs.password.as_deref(), again.password)? {
            return Ok(SignIn::Refused);
        }
        let code = again.code.unwrap_or_default();
        // A count of this session's own: strangers who use up theirs do not shut it out.
        let own = Token::hash(&format!("session {} {credential}", person.0));
        if proofs.totp.is_some() {
            match self.right_code(&proofs, code, Some(&own))? {
                Ok(true) => {}
                Ok(false) => return Ok(SignIn::Refused),
                Err(seconds) => return Ok(SignIn::Throttled(seconds)),
            }
        } else if proofs.passkeys > 0 && !self.host().spend_recovery_code(person, &Secret::hash(code))? {
            // Where the second factor is a passkey, the password alone is no proof.
            return Ok(SignIn::Refused);
        }
        self.limiter.succeeded(tried)?;
        Ok(self.renew(person, credential, None)?.map_or(SignIn::Refused, SignIn::Open))
    }

    /// Changes the password of whoever is signed in; ends their other sessions. Blocking.
    ///
    /// # Errors
    /// [`holm_core::Error::Invalid`] for a password that is too short or long.
    pub fn change_password(&self, access: &Access, password: &str) -> Result<()> {
        access.set_password(&self.hashing.hash(self.env(), password)?)?;
        self.forget_sessions();
        Ok(())
    }

    /// Begins with an authenticator app: what it reads from a QR code, and the secret to type where it can not.
    pub fn begin_totp(&self, access: &Access, person: &str) -> Result<(String, String)> {
        let secret = self.env().random::<{ totp::SECRET }>();
        access.set_totp(&secret)?;
        totp::address(&secret, person, &self.issuer())
    }

    /// The first code of an authenticator app: from then on codes are asked for. Answers whether it was right, or how many
    /// seconds to wait.
    pub fn finish_totp(&self, access: &Access, code: &str) -> Result<Result<bool, i64>> {
        let Some((secret, false)) = access.totp()? else { return Ok(Ok(false)) };
        let Party { person, credential, .. } = *access.party();
        let now = self.env().now();
        if let Some(seconds) = self.limiter.attempt(Try::Session(person, credential), now)? {
            return Ok(Err(seconds));
        }
        let Some(step) = totp::step(&secret, code, now)? else { return Ok(Ok(false)) };
        if !self.host().spend_totp(person, step)? {
            return Ok(Ok(false));
        }
        self.limiter.succeeded(Try::Session(person, credential))?;
        access.note_totp()?;
        Ok(Ok(true))
    }

    /// New recovery codes, in place of all before; shown once.
    pub fn make_recovery_codes(&self, access: &Access) -> Result<Vec<Secret>> {
        let codes: Vec<_> = (0..CODES).map(|_| Secret::recovery_code(self.env())).collect();
        let hashes: Vec<_> = codes.iter().map(|c| Secret::hash(c.reveal())).collect();
        access.set_recovery_codes(&hashes)?;
        Ok(codes)
    }
}
