//! The sync-tokens of RFC 6578: a collection's id and a journal number. One never expires, and is of no use for another
//! collection that came to the same place. The token of an unfinished listing also holds the last name told.

use holm_core::{Entry, Seq};

const PREFIX: &str = "urn:holm:sync:";

/// How far a client has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub folder: i64,
    pub seq: Seq,
    /// The last member told of a listing that began at `seq`.
    pub after: Option<String>,
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Token {
    /// The token of a folder as it stands.
    pub fn of(folder: &Entry) -> Token {
        Token { folder: folder.id, seq: folder.seq, after: None }
    }

    /// None where it is no token of this folder.
    pub fn parse(text: &str, folder: i64, newest: Seq) -> Option<Token> {
        let rest = text.strip_prefix(PREFIX)?;
        let (numbers, after) = match rest.split_once('/') {
            Some((numbers, name)) => match holm_http::path::parse(name).ok()?.names() {
                [name] => (numbers, Some(name.key().to_owned())),
                _ => return None,
            },
            None => (rest, None),
        };
        let (id, seq) = numbers.split_once('-')?;
        let token = Token { folder: number(id)?, seq: Seq(number(seq)?), after };
        (token.folder == folder && token.seq <= newest).then_some(token)
    }

    pub fn text(&self) -> String {
        let mut text = format!("{PREFIX}{}-{}", self.folder, self.seq.0);
        if let Some(after) = &self.after {
            holm_http::path::push_name(&mut text, after);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let check = |text: &str, want: Option<(i64, Option<&str>)>| {
            let got = Token::parse(text, 4, Seq(7));
            assert_eq!(got.as_ref().map(|t| (t.seq.0, t.after.as_deref())), want, "{text}");
            if let Some(token) = got {
                assert_eq!(token.text(), text);
            }
        };
        check("urn:holm:sync:4-7", Some((7, None)));
        check("urn:holm:sync:4-3/a%20%25", Some((3, Some("a %"))));
        for bad in ["", "4-7", "urn:holm:sync:", "urn:holm:sync:7", "urn:holm:sync:4-8", "urn:holm:sync:5-7", "urn:holm:sync:4--1", "urn:holm:sync:4-+1"] {
            check(bad, None);
        }
        for bad in
            ["urn:holm:sync:4-1/", "urn:holm:sync:4-1/..", "urn:holm:sync:4-1/a/b", "urn:holm:sync:4-99999999999999999999", "http://x/", "urn:holm:sync:-"]
        {
            check(bad, None);
        }
    }
}
