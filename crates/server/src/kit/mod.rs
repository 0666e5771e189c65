//! The recovery kit: 24 words that are an age identity, and the root key sealed to it in the data directory, so that every
//! backup holds it. The words are shown once and kept nowhere. `docs/format.md` gives the bytes.

mod keeper;
mod page;

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use bip39::{Language, Mnemonic};
use holm_core::age::{Identity, Recipient};
use holm_core::{Env, RootKey};

use crate::durable::{self, Present};
use crate::root_key;
use crate::settings::Fallible;

pub use keeper::{Keeper, day};
pub use page::page;

/// Words of a kit: 256 bits and 8 bits of checksum.
const WORDS: usize = 24;

/// Where the sealed root key lies.
pub fn age_file(data: &Path) -> PathBuf {
    data.join("root.key.age")
}

/// Seals the root keys to the kit in the data directory; durable when this returns.
pub fn seal(data: &Path, env: &Env, kit: &Recipient, keys: &[RootKey]) -> Fallible<()> {
    durable::write(&age_file(data), &kit.seal(env, root_key::text(keys).as_bytes())?, 0o600, Present::Replace)
}

/// The root keys that an age file holds, oldest first.
pub fn open(file: &Path, identity: &Identity) -> Fallible<Vec<RootKey>> {
    let sealed = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let plain = identity.open(&sealed).map_err(|e| format!("{}: {e}", file.display()))?;
    let keys = std::str::from_utf8(&plain).ok().and_then(root_key::parse);
    Ok(keys.ok_or_else(|| format!("{} holds something else than a root key", file.display()))?)
}

/// The words of an identity (BIP-39, English).
pub fn words(identity: &Identity) -> Vec<&'static str> {
    Mnemonic::from_entropy_in(Language::English, identity.bytes()).expect("32 bytes are 24 words").words().collect()
}

/// Words as lines of six, numbered.
pub fn numbered(words: &[&str]) -> String {
    let cell = |(n, word): (usize, &&str)| format!("{:>4} {word:<9}", n + 1);
    let cells: Vec<String> = words.iter().enumerate().map(cell).collect();
    cells.chunks(6).map(|row| row.concat().trim_end().to_owned() + "\n").collect()
}

/// Reads 24 words, whatever numbers and signs stand between them, or a line `AGE-SECRET-KEY-1…`.
pub fn parse(text: &str) -> Fallible<Identity> {
    if let Some(line) = text.split_whitespace().find(|word| word.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-1")) {
        return Ok(Identity::parse(line).ok_or("the line AGE-SECRET-KEY-1… is mistyped")?);
    }
    let words: Vec<String> = text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    if words.len() != WORDS {
        return Err(format!("a recovery kit has {WORDS} words, these are {}", words.len()).into());
    }
    let read = Mnemonic::parse_in_normalized(Language::English, &words.join(" ")).map_err(|e| match e {
        bip39::Error::UnknownWord(n) => format!("word {}, \"{}\", is in no recovery kit: look at it again", n + 1, words[n]),
        _ => "each word is one that kits have, but not together: one is mistyped for another, or two are swapped".into(),
    })?;
    let bytes: [u8; 32] = read.to_entropy().try_into().map_err(|_| "the words are not 256 bits")?;
    Ok(Identity::from_bytes(bytes))
}

/// Asks for the words on a terminal, or takes them from a pipe.
pub fn ask() -> Fallible<Identity> {
    let mut text = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_to_string(&mut text)?;
        return parse(&text);
    }
    eprintln!("The {WORDS} words of the recovery kit, in as many lines as you like (or the line AGE-SECRET-KEY-1…):");
    let complete = |text: &str| text.split_whitespace().filter(|w| w.chars().any(char::is_alphabetic)).count() >= WORDS || text.contains("KEY-1");
    while !complete(&text) {
        if std::io::stdin().read_line(&mut text)? == 0 {
            break;
        }
    }
    parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_bip_39_and_read_back_as_people_type_them() {
        // The last of the English test vectors of BIP-39 with 256 bits.
        let hex = "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f";
        let bytes: [u8; 32] = std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap());
        let identity = Identity::from_bytes(bytes);
        let told = words(&identity);
        assert_eq!((told[0], told[1], told[22], told[23]), ("void", "come", "involve", "unfold"), "{told:?}");
        for text in [told.join(" "), numbered(&told), told.join(", ").to_uppercase(), identity.text().to_string(), identity.text().to_lowercase()] {
            assert_eq!(parse(&text).unwrap().bytes(), &bytes, "{text}");
        }
        let said = |text: String| parse(&text).err().unwrap().to_string();
        assert!(said(told[..23].join(" ")).contains("these are 23"));
        assert!(said(told.join(" ").replace("come", "cmoe")).contains("word 2, \"cmoe\""));
        assert!(said(told.join(" ").replace("come", "void")).contains("mistyped"));
    }
}
