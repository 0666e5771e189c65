//! Codes of an authenticator app (RFC 6238): six digits, 30 seconds, SHA-1, as all such apps know them.

use holm_core::{Error, Result, Timestamp};
use totp_rs::{Builder, Totp};

/// Bytes of a secret (RFC 4226, section 4: 160 bits).
pub const SECRET: usize = 20;

fn totp(secret: &[u8], person: &str, issuer: &str) -> Result<Totp> {
    // The label of the address separates issuer and account with a colon.
    let issuer = Some(issuer.replace(':', " "));
    let made = Builder::new().with_secret(secret).with_skew(1).with_account_name(person).with_issuer(issuer).build();
    made.map_err(|e| Error::Corrupt(format!("the secret of an authenticator app: {e}")))
}

/// The step whose code this is: now, or one before or after.
pub fn step(secret: &[u8], code: &str, now: Timestamp) -> Result<Option<i64>> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).take(7).collect();
    if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let now = u64::try_from(now.seconds()).unwrap_or(0);
    Ok(totp(secret, "holm", "holm")?.check(&code, now).and_then(|step| i64::try_from(step).ok()))
}

/// What an app reads from a QR code, and the secret to type where it can not: `otpauth://totp/…` and base32.
pub fn address(secret: &[u8], person: &str, issuer: &str) -> Result<(String, String)> {
    let totp = totp(secret, person, issuer)?;
    let url = totp.to_url().map_err(|e| Error::Invalid(e.to_string()))?;
    Ok((url, totp.secret().to_base32()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t34_codes_of_rfc_6238_and_one_step_either_side() {
        let secret = b"12345678901234567890";
        let at = |code, seconds: i64| step(secret, code, Timestamp(seconds * 1000)).unwrap();
        // Appendix B of RFC 6238, its last six digits.
        assert_eq!(at("287082", 59), Some(1));
        assert_eq!(at("081804", 1_111_111_109), Some(37_037_036));
        assert_eq!(at(" 005 924", 1_234_567_890), Some(41_152_263));
        assert_eq!(at("287082", 59 + 30), Some(1), "a step late");
        assert_eq!(at("287082", 59 + 61), None, "two steps late");
        assert_eq!(at("081804", 1_111_111_109 - 30), Some(37_037_036), "a step early");
        for junk in ["", "28708", "2870820", "28708a", "２８７０８２"] {
            assert_eq!(at(junk, 59), None, "{junk}");
        }
    }

    #[test]
    fn what_apps_read() {
        let (url, secret) = address(b"12345678901234567890", "ann", "cloud.example: ours").unwrap();
        assert_eq!(secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(url.starts_with("otpauth://totp/") && url.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{url}");
    }
}
