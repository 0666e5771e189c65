//! What is answered instead of what was asked for, by the names that OAuth has for it; and the parameters of a request, each once.

use std::borrow::Cow;

use holm_core::Error;
use url::form_urlencoded;

/// Parameters of a request, and bytes of all of them.
const MOST: usize = 50;
const MAX_TEXT: usize = 16 * 1024;

/// Why a request came to nothing.
#[derive(Debug)]
pub enum Refusal {
    /// An error as it is registered (RFC 6749 §11.4 and later), and what to do, for people.
    Said(&'static str, Cow<'static, str>),
    /// Too many tries; ask again after so many seconds.
    Throttled(i64),
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Refusal {
        Refusal::Failed(e)
    }
}

/// A refusal of this name.
pub fn said<T>(error: &'static str, why: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
    Err(Refusal::Said(error, why.into()))
}

/// The parameters of a request; those without a value count as not given (RFC 6749 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// From a query or a form.
    ///
    /// # Errors
    /// `invalid_request` where one is given twice, but `resource` (RFC 8707 §2), or there are too many.
    pub fn parse(encoded: &str) -> Result<Params, Refusal> {
        let mut params: Vec<(String, String)> = Vec::new();
        if encoded.len() > MAX_TEXT {
            return said("invalid_request", "the request is too long");
        }
        for (name, value) in form_urlencoded::parse(encoded.as_bytes()) {
            if params.len() >= MOST {
                return said("invalid_request", "there are too many parameters");
            }
            if name != "resource" && params.iter().any(|(n, _)| *n == name) {
                let name: String = name.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
                return said("invalid_request", format!("the parameter {name} is given twice"));
            }
            params.push((name.into_owned(), value.into_owned()));
        }
        params.retain(|(_, value)| !value.is_empty());
        Ok(Params(params))
    }

    /// As they were, to keep.
    pub fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// `invalid_request` where it is not given.
    pub fn need(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::Said("invalid_request", format!("give the parameter {name}").into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_given_once() {
        let params = Params::parse("a=1&b=&resource=x&resource=y&c=%20d+e").ok().unwrap();
        assert_eq!((params.get("a"), params.get("b"), params.get("c")), (Some("1"), None, Some(" d e")));
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(Params::parse(&params.encode()).ok(), Some(params));
        for bad in ["a=1&a=1", "a=1&a=", &"x&".repeat(60), &format!("a={}", "x".repeat(20_000))] {
            assert!(matches!(Params::parse(bad), Err(Refusal::Said("invalid_request", _))), "{bad}");
        }
    }
}
