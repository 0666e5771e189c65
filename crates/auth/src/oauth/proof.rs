//! Proof of possession (RFC 9449): a token that is bound to a key is nothing to whoever has the token alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holm_core::{Result, Timestamp, mutant};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use url::Url;

use super::refusal::{Refusal, said};
use crate::{Auth, Verdict};

/// By so much a proof's time may differ from ours.
const AROUND: i64 = 60 * Timestamp::SECOND;
/// Proofs that are remembered, so that none is used twice: more than are made in the time that one holds.
const KNOWN: usize = 200_000;
const MAX_PROOF: usize = 4_096;
const MAX_ID: usize = 200;

/// A proof, and the request it came with.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The header `DPoP`.
    pub jwt: &'a str,
    pub method: &'a str,
    /// The path of the request, without its query.
    pub path: &'a str,
}

/// Proofs that were used, until when they could be used again.
#[derive(Default)]
pub(crate) struct Used(Mutex<HashMap<[u8; 32], Timestamp>>);

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: f64,
    ath: Option<String>,
}

fn bad<T>(why: &'static str) -> Result<T, Refusal> {
    said("invalid_dpop_proof", why)
}

/// The algorithm of a key that is taken, and whether that is what it is used with.
fn fits(jwk: &Jwk, alg: Algorithm) -> bool {
    match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(ec) => alg == Algorithm::ES256 && ec.curve == EllipticCurve::P256,
        AlgorithmParameters::OctetKeyPair(okp) => alg == Algorithm::EdDSA && okp.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}

impl Used {
    /// Whether it is the first time.
    fn first(&self, id: [u8; 32], now: Timestamp) -> Result<bool, Refusal> {
        let mut used = self.0.lock().expect("used proofs");
        if used.len() >= KNOWN {
            used.retain(|_, until| now < *until);
        }
        if used.len() >= KNOWN {
            return Err(Refusal::Throttled(AROUND / Timestamp::SECOND));
        }
        Ok(used.insert(id, now.plus(2 * AROUND)).is_none_or(|until| until <= now) || mutant("proof-works-twice"))
    }
}

impl Auth {
    /// The thumbprint (RFC 7638) of the key that a proof shows to be there; with `token`, for this token.
    ///
    /// # Errors
    /// `invalid_dpop_proof`.
    pub fn prove_key(&self, proof: &Proof<'_>, token: Option<&str>) -> Result<String, Refusal> {
        let header = jsonwebtoken::decode_header(proof.jwt).ok().filter(|_| proof.jwt.len() <= MAX_PROOF);
        let Some((header, Some(jwk))) = header.map(|h| (h.clone(), h.jwk)) else { return bad("send one proof, a JWT with its jwk") };
        if header.typ.as_deref() != Some("dpop+jwt") || !fits(&jwk, header.alg) || header.crit.is_some() || has_private(proof.jwt) {
            return bad("a proof is a dpop+jwt, signed by ES256 or EdDSA with the public key in its jwk");
        }
        let mut validation = Validation::new(header.alg);
        // Times are ours to judge, by the clock that all else goes by.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_jwk(&jwk).ok();
        let Some(claims) = key.and_then(|key| jsonwebtoken::decode::<Claims>(proof.jwt, &key, &validation).ok()).map(|data| data.claims) else {
            return bad("the proof's signature does not fit its jwk");
        };
        let now = self.env().now();
        let here = Url::parse(&format!("{}{}", self.origin(), proof.path)).ok();
        let there = Url::parse(&claims.htu).ok().map(|mut url| {
            url.set_query(None);
            url.set_fragment(None);
            url
        });
        if claims.htm != proof.method || here.is_none() || here != there {
            return bad("the proof is for another request: htm or htu differ");
        }
        let around = (now.0 - AROUND) as f64..=(now.0 + AROUND) as f64;
        if !around.contains(&(claims.iat * 1_000.0)) {
            return bad("the proof's time differs from this server's by more than a minute");
        }
        let due = token.map(|token| URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes())));
        if due.is_some() && claims.ath != due {
            return bad("the proof is for another token: ath differs");
        }
        let Ok(thumbprint) = jwk.thumbprint(ThumbprintHash::SHA256) else { return bad("the proof's jwk has no thumbprint") };
        let id = *blake3::Hasher::new_derive_key("holm 1 proof").update(thumbprint.as_bytes()).update(claims.jti.as_bytes()).finalize().as_bytes();
        if claims.jti.is_empty() || claims.jti.len() > MAX_ID || !self.used_proofs.first(id, now)? {
            return bad("a proof works once; make a new one for each request");
        }
        Ok(thumbprint)
    }

    /// The verdict on a token that is bound to a key, with the proof of it (RFC 9449 §7). Blocking.
    pub fn bound(&self, token: &str, proof: &Proof<'_>, address: IpAddr) -> Result<Verdict, Refusal> {
        let key = self.prove_key(proof, Some(token))?;
        match self.access_token(token)? {
            Some((record, held)) if held.key.as_deref() == Some(&key) => Ok(self.admitted(&record, held)),
            _ => Ok(self.refused(address)?),
        }
    }
}

/// Whether whoever made a proof put the private key into it.
fn has_private(jwt: &str) -> bool {
    let header = jwt.split('.').next().and_then(|h| URL_SAFE_NO_PAD.decode(h).ok()).and_then(|h| serde_json::from_slice::<serde_json::Value>(&h).ok());
    header.is_none_or(|h| ["d", "k", "p", "q"].iter().any(|secret| h["jwk"].get(secret).is_some()))
}
