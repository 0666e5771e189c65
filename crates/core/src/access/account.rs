//! The person's own account: what they prove themself with, and which browsers are signed in. Each change is in the ledger
//! before it is made.

use super::Access;
use crate::error::{Error, Result};
use crate::host::{PasskeyRecord, SessionRecord};
use crate::party::Party;

/// Recovery codes made at a time, at most.
const MOST_CODES: usize = 20;
/// Bytes of a name that a person gives to a passkey.
const MAX_NAME: usize = 100;

/// How the person can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactors {
    /// An authenticator app, whose first code was right.
    pub totp: bool,
    pub passkeys: usize,
    /// Not used yet.
    pub recovery_codes: i64,
}

/// Whether a passkey may be called so.
pub fn check_passkey_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::Invalid("a passkey's name is 1 to 100 bytes without control characters".into()));
    }
    Ok(())
}

impl Access {
    /// Writes down what is about to be done to the account; by a session that was not ended meanwhile, however long it took to
    /// come here (T26).
    fn account(&self, act: &str, detail: &str) -> Result<()> {
        self.owner()?;
        let Party { person, credential, .. } = *self.party;
        if credential != 0 && !self.host.still_holds(person, credential)? {
            return Err(Error::Forbidden("this session was ended meanwhile"));
        }
        self.booking(|book| book.account(act, detail))
    }

    /// Ends the sessions that a changed proof may have been stolen for: all but this one (T30).
    fn only_this_session(&self) -> Result<()> {
        self.host.end_sessions(self.person(), self.party.credential)
    }

    /// Sets the password, as a PHC string; ends all other sessions.
    pub fn set_password(&self, hash: &str) -> Result<()> {
        self.account("password-changed", "")?;
        self.host.change_password(self.person(), hash, false, self.party.credential)
    }

    pub fn second_factors(&self) -> Result<SecondFactors> {
        self.owner()?;
        let totp = self.host.totp(self.person())?.is_some_and(|(_, proven)| proven);
        let (passkeys, recovery_codes) = (self.host.passkeys(self.person())?.len(), self.host.recovery_codes_left(self.person())?);
        Ok(SecondFactors { totp, passkeys, recovery_codes })
    }

    pub fn passkeys(&self) -> Result<Vec<PasskeyRecord>> {
        self.owner()?;
        self.host.passkeys(self.person())
    }

    /// Answers its number.
    pub fn add_passkey(&self, name: &str, handle: &[u8], record: &str) -> Result<i64> {
        check_passkey_name(name)?;
        self.account("passkey-added", name)?;
        self.host.forget_devices(self.person())?;
        self.host.add_passkey(self.person(), name, handle, record)
    }

    /// Ends all other sessions too; answers whether there was one to remove.
    pub fn remove_passkey(&self, id: i64) -> Result<bool> {
        self.owner()?;
        let Some(passkey) = self.host.passkeys(self.person())?.into_iter().find(|p| p.id == id) else { return Ok(false) };
        self.account("passkey-removed", &passkey.name)?;
        self.host.remove_passkey(self.person(), id, self.party.credential)
    }

    /// The secret of an authenticator app that is asked for, and whether it is already.
    pub fn totp(&self) -> Result<Option<(Vec<u8>, bool)>> {
        self.owner()?;
        self.host.totp(self.person())
    }

    /// Takes an authenticator app's secret, which is asked for once a code of it was right
    /// ([`crate::Host::spend_totp`]).
    ///
    /// # Errors
    /// [`Error::Forbidden`] where there is one already.
    pub fn set_totp(&self, secret: &[u8]) -> Result<()> {
        if self.totp()?.is_some_and(|(_, proven)| proven) {
            return Err(Error::Forbidden("an authenticator app is set up already; remove it first"));
        }
        self.account("authenticator-begun", "")?;
        self.host.set_totp(self.person(), secret)
    }

    /// The first code was right.
    pub fn note_totp(&self) -> Result<()> {
        self.host.forget_devices(self.person())?;
        self.account("authenticator-added", "")
    }

    /// Answers whether there was one to remove.
    pub fn remove_totp(&self) -> Result<bool> {
        if self.totp()?.is_none() {
            return Ok(false);
        }
        self.account("authenticator-removed", "")?;
        self.host.remove_totp(self.person(), self.party.credential)
    }

    /// Replaces all recovery codes; here by their hashes.
    pub fn set_recovery_codes(&self, hashes: &[[u8; 32]]) -> Result<()> {
        if hashes.len() > MOST_CODES {
            return Err(Error::Limit("20 recovery codes"));
        }
        self.account("recovery-codes-made", "")?;
        self.host.set_recovery_codes(self.person(), hashes)
    }

    /// A recovery code was used.
    pub fn note_recovery_code(&self) -> Result<()> {
        self.account("recovery-code-used", "")
    }

    /// The person's sessions, the newest first.
    pub fn sessions(&self) -> Result<Vec<SessionRecord>> {
        self.owner()?;
        self.host.sessions(self.person())
    }

    /// Answers whether there was one to end.
    pub fn end_session(&self, id: i64) -> Result<bool> {
        self.owner()?;
        self.host.end_session(self.person(), id)
    }

    /// Ends all sessions but this one.
    pub fn end_other_sessions(&self) -> Result<()> {
        self.owner()?;
        self.only_this_session()
    }

    /// Whoever looks after accounts here offers the person a way to choose a new password; with `remove_factors` what else
    /// they proved themself with is taken away too, on purpose.
    pub fn note_reset_offered(&self, remove_factors: bool) -> Result<()> {
        self.account("reset-offered", if remove_factors { "second factors go with it" } else { "" })
    }

    /// The person used that way (T37): a new password, and no session of before.
    pub fn reset(&self, hash: &str, remove_factors: bool) -> Result<()> {
        self.account("reset", if remove_factors { "second factors removed" } else { "" })?;
        self.host.change_password(self.person(), hash, remove_factors, 0)
    }
}
