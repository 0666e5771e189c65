//! Who the person is, for apps that let them sign in with their own cloud (OpenID Connect Core): id tokens, and the keys that they are
//! signed with, which lie sealed in the catalog and take turns.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holm_core::{Error, PersonId, Result, Timestamp};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::let_in::LetIn;
use super::scope::{Dialect, Scope, Scopes};
use crate::Auth;

/// The name of the host's secret that the keys are.
const KEYS: &str = "id token keys";
/// How long a key signs, and how long those that it signed for may be asked for afterwards.
const TURN: i64 = 90 * Timestamp::DAY;
const AFTER: i64 = Timestamp::DAY;
/// How long an id token holds.
const LIFE: i64 = Timestamp::HOUR;

/// A key, as it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    made: i64,
    /// PKCS #8, base64url.
    pkcs8: String,
}

impl Kept {
    fn encoding(&self) -> Result<EncodingKey> {
        let der = URL_SAFE_NO_PAD.decode(&self.pkcs8).map_err(|_| Error::Corrupt("the keys of id tokens".into()))?;
        Ok(EncodingKey::from_ec_der(&der))
    }

    /// What others verify with.
    fn public(&self) -> Result<Jwk> {
        let failed = |e: jsonwebtoken::errors::Error| Error::Corrupt(format!("the keys of id tokens: {e}"));
        let mut jwk = Jwk::from_encoding_key(&self.encoding()?, Algorithm::ES256).map_err(failed)?;
        jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).map_err(failed)?);
        jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        Ok(jwk)
    }
}

impl Auth {
    fn kept_keys(&self) -> Result<Vec<Kept>> {
        let kept = self.host().secret(KEYS)?;
        kept.map_or(Ok(Vec::new()), |json| serde_json::from_slice(&json).map_err(|_| Error::Corrupt("the keys of id tokens".into())))
    }

    /// The newest first: it signs. One whose turn is over gives way to a new one.
    fn keys(&self) -> Result<Vec<Kept>> {
        let (mut keys, now) = (self.kept_keys()?, self.env().now());
        if keys.first().is_some_and(|k| (-Timestamp::DAY..TURN).contains(&(now.0 - k.made))) {
            return Ok(keys);
        }
        let failed = |_| Error::Key("no key for id tokens could be made");
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
        let pkcs8 = URL_SAFE_NO_PAD.encode(pair.to_pkcs8v1().map_err(failed)?.as_ref());
        keys.insert(0, Kept { made: now.0, pkcs8 });
        let made: Vec<i64> = keys.iter().map(|k| k.made).collect();
        let mut n = 0;
        keys.retain(|_| {
            n += 1;
            n == 1 || n <= 4 && now.0 - made[n - 2] < AFTER
        });
        let json = serde_json::to_vec(&keys).map_err(|e| Error::Invalid(e.to_string()))?;
        self.host().set_secret(KEYS, &json)?;
        // Of two nodes that made one at once, the one that was written last has it.
        self.kept_keys()
    }

    /// What id tokens are verified with (RFC 7517). Blocking.
    pub fn jwks(&self) -> Result<Value> {
        let keys = self.keys()?.iter().map(Kept::public).collect::<Result<Vec<_>>>()?;
        Ok(json!({ "keys": keys }))
    }

    /// What the person is called to those who get answers at `sector`: always the same there, and another name elsewhere.
    pub(super) fn subject(&self, person: PersonId, sector: &str) -> Result<String> {
        let uid = self.host().subject(person)?;
        let mut hasher = blake3::Hasher::new_derive_key("holm 1 pairwise subject");
        hasher.update(uid.as_bytes()).update(b"\0").update(sector.as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(&hasher.finalize().as_bytes()[..24]))
    }

    fn claims(&self, person: PersonId, sector: &str, scopes: &Scopes) -> Result<Value> {
        let mut claims = json!({ "sub": self.subject(person, sector)? });
        if scopes.has(&Scope::Profile) {
            let name = self.host().person_name(person)?.unwrap_or_default();
            claims["name"] = json!(name);
            claims["preferred_username"] = json!(name);
        }
        Ok(claims)
    }

    /// Says to the app `client` who the person is, and when they last proved it.
    pub(super) fn id_token(&self, client: &str, in_: &LetIn, auth_time: Timestamp, nonce: Option<&str>) -> Result<String> {
        let scopes = Scopes::parse(&in_.held.scope, Dialect::Holm).unwrap_or_default();
        let mut claims = self.claims(in_.person, &in_.held.sector, &scopes)?;
        let now = self.env().now();
        claims["iss"] = json!(self.origin());
        claims["aud"] = json!(client);
        claims["iat"] = json!(now.seconds());
        claims["exp"] = json!(now.plus(LIFE).seconds());
        claims["auth_time"] = json!(auth_time.seconds());
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let keys = self.keys()?;
        let key = keys.first().ok_or(Error::Key("there is no key for id tokens"))?;
        let mut header = Header::new(Algorithm::ES256);
        header.kid = key.public()?.common.key_id;
        let signed = jsonwebtoken::encode(&header, &claims, &key.encoding()?);
        signed.map_err(|e| Error::Corrupt(format!("the keys of id tokens: {e}")))
    }

    /// Who the person is, to an app with a token for that; None where it is not for that. `key` is the key that was proven. Blocking.
    pub fn userinfo(&self, token: &str, key: Option<&str>) -> Result<Option<Value>> {
        let Some((record, held)) = self.access_token(token)?.filter(|(_, held)| held.key.as_deref() == key) else { return Ok(None) };
        let scopes = Scopes::parse(&held.scope, Dialect::Holm).unwrap_or_default();
        if !scopes.has(&Scope::Identity) { Ok(None) } else { self.claims(record.person, &held.sector, &scopes).map(Some) }
    }
}
