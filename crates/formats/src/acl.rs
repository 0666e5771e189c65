//! The report bodies of RFC 3744 (access control) and RFC 3253 §3.8 (expand-property).

use crate::dav::{DAV, MAX_PROPS, prop_names};
use crate::xml::{Element, QName, Refused, is_name, is_namespace};

/// Longest name that a DAV:property may give, in bytes.
const MAX_NAME: usize = 256;

fn refuse<T>(why: &str) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

fn props(root: &Element) -> Result<Vec<QName>, Refused> {
    Ok(root.child(DAV, "prop").map(prop_names).transpose()?.unwrap_or_default())
}

/// RFC 3744 §9.2: properties of the principals that an ACL names.
pub fn acl_principal_prop_set(root: &Element) -> Result<Vec<QName>, Refused> {
    props(root)
}

/// RFC 3744 §9.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalMatch {
    /// The property that must name the current user; None asks for the principals that are the current user.
    pub property: Option<QName>,
    pub props: Vec<QName>,
}

impl PrincipalMatch {
    pub fn from_xml(root: &Element) -> Result<PrincipalMatch, Refused> {
        let property = match (root.child(DAV, "self"), root.child(DAV, "principal-property")) {
            (Some(_), None) => None,
            (None, Some(property)) => match property.children().next() {
                Some(property) => Some(property.name.clone()),
                None => return refuse("DAV:principal-property names no property"),
            },
            _ => return refuse("DAV:principal-match asks for either DAV:self or a DAV:principal-property"),
        };
        Ok(PrincipalMatch { property, props: props(root)? })
    }
}

/// RFC 3744 §9.4, with the `test` attribute that calendar clients send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalSearch {
    /// Properties, each of which must hold the text, whatever its case.
    pub searches: Vec<(Vec<QName>, String)>,
    /// One search that fits is enough.
    pub any: bool,
    pub props: Vec<QName>,
}

impl PrincipalSearch {
    pub fn from_xml(root: &Element) -> Result<PrincipalSearch, Refused> {
        let mut searches = Vec::new();
        for search in root.children().filter(|e| e.is(DAV, "property-search")) {
            if searches.len() == MAX_PROPS {
                return refuse("it makes more than 512 searches");
            }
            let text = search.child(DAV, "match").ok_or_else(|| Refused("DAV:property-search has no DAV:match".into()))?;
            searches.push((props(search)?, text.text().trim().to_owned()));
        }
        if searches.is_empty() {
            return refuse("DAV:principal-property-search searches for nothing");
        }
        let any = root.attributes.iter().any(|(name, value)| name.local == "test" && value == "anyof");
        Ok(PrincipalSearch { searches, any, props: props(root)? })
    }
}

/// A property to show, and what to show of each resource that its value names (RFC 3253 §3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expand {
    pub name: QName,
    pub inner: Vec<Expand>,
}

impl Expand {
    pub fn from_xml(root: &Element) -> Result<Vec<Expand>, Refused> {
        let mut left = MAX_PROPS;
        Expand::list(root, &mut left)
    }

    fn list(element: &Element, left: &mut usize) -> Result<Vec<Expand>, Refused> {
        let mut list = Vec::new();
        for property in element.children().filter(|e| e.is(DAV, "property")) {
            *left = left.checked_sub(1).ok_or_else(|| Refused("it names more than 512 properties".into()))?;
            let attribute = |local: &str| property.attributes.iter().find(|(n, _)| n.ns.is_empty() && n.local == local).map(|(_, v)| v.as_str());
            let Some(name) = attribute("name").filter(|n| n.len() <= MAX_NAME && is_name(n)) else { return refuse("DAV:property has no name that XML allows") };
            let ns = attribute("namespace").unwrap_or(DAV);
            if !is_namespace(ns) {
                return refuse("a namespace's name is longer than 1 KiB, or XML's own");
            }
            list.push(Expand { name: QName::new(ns, name), inner: Expand::list(property, left)? });
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::parse;

    fn check<T: std::fmt::Debug>(read: impl Fn(&Element) -> Result<T, Refused>, inner: &str, good: bool) {
        let got = read(&parse(format!("<r xmlns='DAV:'>{inner}</r>").as_bytes()).unwrap());
        assert_eq!(got.is_ok(), good, "{inner:.80} → {got:?}");
    }

    #[test]
    fn reports_that_ask_for_nothing_are_refused() {
        check(PrincipalMatch::from_xml, "<self/>", true);
        check(PrincipalMatch::from_xml, "<principal-property><owner/></principal-property>", true);
        check(PrincipalMatch::from_xml, "", false);
        check(PrincipalMatch::from_xml, "<principal-property/>", false);
        check(PrincipalMatch::from_xml, "<self/><principal-property><owner/></principal-property>", false);
        check(PrincipalSearch::from_xml, "<property-search><prop><displayname/></prop><match>a</match></property-search>", true);
        check(PrincipalSearch::from_xml, "<property-search><prop><displayname/></prop></property-search>", false);
        check(PrincipalSearch::from_xml, "", false);
    }

    #[test]
    fn names_given_as_text_cannot_become_markup() {
        check(Expand::from_xml, "<property name='owner'><property name='displayname' namespace='DAV:'/></property>", true);
        for bad in ["a b", "a&gt;", "a/", "", "1a", "a:b", "-"] {
            check(Expand::from_xml, &format!("<property name='{bad}'/>"), false);
        }
        check(Expand::from_xml, "<property/>", false);
        check(Expand::from_xml, &"<property name='a'/>".repeat(513), false);
    }
}
