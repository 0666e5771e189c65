//! Proofs of possession (RFC 9449 §4.3): each thing that must hold of one, by a proof of which that alone does not.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holm_core::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::fixture::{START, World};
use crate::oauth::{Proof, Refusal};

struct Prover {
    key: EncodingKey,
    jwk: Jwk,
}

impl Prover {
    fn new() -> Prover {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        Prover { key, jwk }
    }

    /// A proof with these claims in the place of the right ones.
    fn prove(&self, other: &Value) -> String {
        let mut claims = json!({ "jti": "1", "htm": "POST", "htu": "https://cloud.example/oauth/token", "iat": START / 1_000 });
        other.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
        let mut header = Header::new(Algorithm::ES256);
        (header.typ, header.jwk) = (Some("dpop+jwt".into()), Some(self.jwk.clone()));
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }
}

fn seen(world: &World, jwt: &str, token: Option<&str>) -> Option<String> {
    match world.auth.prove_key(&Proof { jwt, method: "POST", path: "/oauth/token" }, token) {
        Ok(thumbprint) => Some(thumbprint),
        Err(Refusal::Said("invalid_dpop_proof", _)) => None,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn t23_a_proof_is_for_one_request_and_works_once() {
    let (world, prover) = (World::new(), Prover::new());
    let right = prover.prove(&json!({}));
    let thumbprint = seen(&world, &right, None).expect("a right proof");
    assert_eq!(seen(&world, &right, None), None, "used before");
    assert_eq!(seen(&world, &prover.prove(&json!({ "jti": "2" })), None), Some(thumbprint), "the same key");
    assert_ne!(seen(&world, &Prover::new().prove(&json!({})), None), None, "another key's ids are its own");
    for (n, wrong) in [
        json!({ "htm": "GET" }),
        json!({ "htu": "https://cloud.example/oauth/par" }),
        json!({ "htu": "https://evil.example/oauth/token" }),
        json!({ "htu": "http://cloud.example/oauth/token" }),
        json!({ "iat": START / 1_000 - 61 }),
        json!({ "iat": START / 1_000 + 61 }),
        json!({ "jti": "" }),
        json!({ "jti": "x".repeat(300) }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = json!({ "jti": format!("wrong {n}") });
        wrong.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
        assert_eq!(seen(&world, &prover.prove(&claims), None), None, "{wrong}");
    }
    assert!(seen(&world, &prover.prove(&json!({ "jti": "3", "htu": "https://cloud.example/oauth/token?x=1#y" })), None).is_some());
    let digest = URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"token"));
    assert!(seen(&world, &prover.prove(&json!({ "jti": "4", "ath": digest })), Some("token")).is_some());
    assert_eq!(seen(&world, &prover.prove(&json!({ "jti": "5", "ath": digest })), Some("other")), None);
    assert_eq!(seen(&world, &prover.prove(&json!({ "jti": "6" })), Some("token")), None);
    world.pass(Timestamp::HOUR);
    assert_eq!(seen(&world, &right, None), None, "long ago");
}

#[test]
fn t23_a_proof_is_signed_by_the_key_it_shows() {
    let (world, prover) = (World::new(), Prover::new());
    let right = prover.prove(&json!({}));
    let [header, claims, signature]: [&str; 3] = right.split('.').collect::<Vec<_>>().try_into().unwrap();
    let head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut head = head.clone();
        change(&mut head);
        format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(head.to_string()))
    };
    let other = serde_json::to_value(&Prover::new().jwk).unwrap();
    let hmac = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &json!({ "jti": "1" }), &EncodingKey::from_secret(b"x")).unwrap();
    for wrong in [
        String::new(),
        "x".into(),
        "..".into(),
        hmac,
        format!("{header}.{claims}."),
        with(&|h| h["alg"] = json!("none")),
        with(&|h| h["alg"] = json!("HS256")),
        with(&|h| h["typ"] = json!("JWT")),
        with(&|h| h["jwk"] = other.clone()),
        with(&|h| h["jwk"] = json!({ "kty": "oct", "k": "eA" })),
        with(&|h| drop(h.as_object_mut().unwrap().remove("jwk"))),
        with(&|h| h["jwk"]["d"] = json!("secret")),
        "x".repeat(10_000),
    ] {
        assert_eq!(seen(&world, &wrong, None), None, "{}", &wrong[..wrong.len().min(80)]);
    }
    assert!(seen(&world, &right, None).is_some());
}
