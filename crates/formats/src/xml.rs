//! XML as WebDAV uses it: a small tree from a bounded parser without DTDs or entities of its own (T03, T04), and a
//! writer that escapes. Knows no vocabulary.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, ResolveResult};
use quick_xml::reader::NsReader;

pub const MAX_DEPTH: usize = 64;
pub const MAX_ATTRIBUTES: usize = 64;
/// Elements in one document, and attributes in all of them.
pub const MAX_ELEMENTS: usize = 20_000;
pub const MAX_ALL_ATTRIBUTES: usize = 20_000;
/// Longest namespace name in bytes.
pub const MAX_NAMESPACE: usize = 1024;

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the XML body is not accepted: {0}")]
pub struct Refused(pub String);

fn refuse<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

/// A name with its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QName {
    /// Shared, so that a long namespace named once and used by thousands of elements is kept once.
    pub ns: Arc<str>,
    pub local: String,
}

impl QName {
    pub fn new(ns: &str, local: &str) -> QName {
        QName { ns: ns.into(), local: local.into() }
    }

    /// Clark notation, `{namespace}local`.
    pub fn clark(&self) -> String {
        format!("{{{}}}{}", self.ns, self.local)
    }

    pub fn from_clark(text: &str) -> Option<QName> {
        let (ns, local) = text.strip_prefix('{')?.split_once('}')?;
        Some(QName::new(ns, local))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Element(Element),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub name: QName,
    pub attributes: Vec<(QName, String)>,
    pub nodes: Vec<Node>,
}

impl Element {
    pub fn is(&self, ns: &str, local: &str) -> bool {
        &*self.name.ns == ns && self.name.local == local
    }

    pub fn children(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|n| match n {
            Node::Element(e) => Some(e),
            Node::Text(_) => None,
        })
    }

    pub fn child(&self, ns: &str, local: &str) -> Option<&Element> {
        self.children().find(|e| e.is(ns, local))
    }

    /// All text directly inside.
    pub fn text(&self) -> String {
        let texts = self.nodes.iter().filter_map(|n| match n {
            Node::Text(t) => Some(t.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// The element as a fragment that means the same anywhere, because it declares the namespaces it uses; None where
    /// that takes more than `max` bytes.
    pub fn to_fragment(&self, max: usize) -> Option<String> {
        let mut out = String::new();
        self.write_fragment(&mut out, None, max).then_some(out)
    }

    /// What stands inside the element, likewise.
    pub fn inner_fragment(&self, max: usize) -> Option<String> {
        let mut out = String::new();
        self.write_nodes(&mut out, None, max).then_some(out)
    }

    /// `x` is what the prefix `x` stands for already. Answers false once the fragment has grown beyond `max`.
    fn write_fragment(&self, out: &mut String, x: Option<&str>, max: usize) -> bool {
        let tag = if self.name.ns.is_empty() { self.name.local.clone() } else { format!("x:{}", self.name.local) };
        let _ = write!(out, "<{tag}");
        let _ = match &*self.name.ns {
            "" => write!(out, " xmlns=\"\""),
            ns if x == Some(ns) => Ok(()),
            ns => write!(out, " xmlns:x=\"{}\"", Escaped(ns)),
        };
        for (n, (name, value)) in self.attributes.iter().enumerate() {
            let _ = match &*name.ns {
                "" => write!(out, " {}=\"{}\"", name.local, Escaped(value)),
                XML_NS => write!(out, " xml:{}=\"{}\"", name.local, Escaped(value)),
                ns => write!(out, " xmlns:a{n}=\"{}\" a{n}:{}=\"{}\"", Escaped(ns), name.local, Escaped(value)),
            };
        }
        if self.nodes.is_empty() {
            out.push_str("/>");
            return out.len() <= max;
        }
        out.push('>');
        let x = if self.name.ns.is_empty() { x } else { Some(&*self.name.ns) };
        let fits = self.write_nodes(out, x, max);
        let _ = write!(out, "</{tag}>");
        fits && out.len() <= max
    }

    fn write_nodes(&self, out: &mut String, x: Option<&str>, max: usize) -> bool {
        self.nodes.iter().all(|node| match node {
            Node::Element(e) => e.write_fragment(out, x, max),
            Node::Text(t) => {
                let _ = push_escaped(out, t, false);
                out.len() <= max
            }
        })
    }
}

const XML_NS: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NS: &str = "http://www.w3.org/2000/xmlns/";

/// Whether XML 1.0 §2.2 allows the character.
fn is_char(c: char) -> bool {
    (c >= ' ' || matches!(c, '\t' | '\n' | '\r')) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Whether elements may be in a namespace of this name: not in those of XML itself, which no prefix may be bound to.
pub(crate) fn is_namespace(text: &str) -> bool {
    text.len() <= MAX_NAMESPACE && text != XML_NS && text != XMLNS_NS
}

/// Whether text may be the local part of a name, or a prefix (Namespaces in XML 1.0 §3).
pub fn is_name(text: &str) -> bool {
    let start = |c: char| {
        matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
            | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let more = |c: char| start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}');
    text.starts_with(start) && text.chars().all(more)
}

/// Writes text so that a parser gives it back: also what it would take for white space. What no XML can carry becomes U+FFFD.
fn push_escaped(out: &mut impl std::fmt::Write, text: &str, attribute: bool) -> std::fmt::Result {
    let special = |c: char| matches!(c, '<' | '>' | '&' | '"' | '\r') || attribute && matches!(c, '\t' | '\n') || !is_char(c);
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        out.write_str(&rest[..at])?;
        let c = rest[at..].chars().next().unwrap_or_default();
        match c {
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '&' => out.write_str("&amp;")?,
            '"' => out.write_str("&quot;")?,
            '\r' | '\n' | '\t' => write!(out, "&#{};", u32::from(c))?,
            _ => out.write_char('\u{fffd}')?,
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.write_str(rest)
}

/// An attribute's value.
struct Escaped<'t>(&'t str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        push_escaped(f, self.0, true)
    }
}

/// Parses a whole document.
pub fn parse(body: &[u8]) -> Result<Element, Refused> {
    let text = std::str::from_utf8(body).map_err(|_| Refused("it is not UTF-8".into()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.chars().all(is_char) {
        return refuse("it holds a character that XML does not have");
    }
    let mut parser = Parser { reader: NsReader::from_str(text), namespaces: HashSet::new(), elements: 0, attributes: 0 };
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = parser.reader.read_event().map_err(|e| Refused(e.to_string()))?;
        match event {
            Event::Start(start) | Event::Empty(start) if root.is_some() && open.is_empty() => {
                return refuse(format!("a second root element {:?}", start.name()));
            }
            Event::Start(start) => {
                let element = parser.element(&start, open.len())?;
                open.push(element);
            }
            Event::Empty(start) => {
                let element = parser.element(&start, open.len())?;
                close(element, &mut open, &mut root);
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| Refused("an end without a start".into()))?;
                close(element, &mut open, &mut root);
            }
            Event::Text(t) => add_text(&mut open, t.xml10_content().as_ref())?,
            Event::CData(t) => add_text(&mut open, t.xml10_content().as_ref())?,
            Event::GeneralRef(r) => {
                let text = match r.resolve_char_ref().map_err(|e| Refused(e.to_string()))? {
                    Some(c) if is_char(c) => c.to_string(),
                    Some(_) => return refuse("a reference to a character that XML does not have"),
                    None => {
                        let name: &str = &r;
                        resolve_predefined_entity(name).ok_or_else(|| Refused(format!("entity &{name};")))?.to_owned()
                    }
                };
                add_text(&mut open, &text)?;
            }
            Event::DocType(_) => return refuse("document types are not allowed"),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => refuse("it ends too early"),
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.nodes.push(Node::Element(element)),
        None => *root = Some(element),
    }
}

fn add_text(open: &mut [Element], text: &str) -> Result<(), Refused> {
    match open.last_mut() {
        Some(parent) => match parent.nodes.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => parent.nodes.push(Node::Text(text.to_owned())),
        },
        None if text.trim().is_empty() => {}
        None => return refuse("text outside the root element"),
    }
    Ok(())
}

struct Parser<'a> {
    reader: NsReader<&'a [u8]>,
    namespaces: HashSet<Arc<str>>,
    elements: usize,
    attributes: usize,
}

impl Parser<'_> {
    fn element(&mut self, start: &BytesStart<'_>, depth: usize) -> Result<Element, Refused> {
        self.elements += 1;
        if depth >= MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return refuse("it is nested too deep or has too many elements");
        }
        let (ns, local) = self.reader.resolver().resolve_element(start.name());
        let name = qname(&mut self.namespaces, ns, local.as_ref())?;
        if !is_namespace(&name.ns) {
            return refuse("an element in a namespace of XML itself");
        }
        let mut attributes: Vec<(QName, String)> = Vec::new();
        for (n, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|e| Refused(e.to_string()))?;
            self.attributes += 1;
            if n >= MAX_ATTRIBUTES || self.attributes > MAX_ALL_ATTRIBUTES {
                return refuse("an element, or the whole, has too many attributes");
            }
            let value = attribute_value(&attribute)?;
            match attribute.key.as_namespace_binding() {
                // Namespaces in XML 1.0 §5: a prefix cannot be undeclared.
                Some(PrefixDeclaration::Named(_)) if value.is_empty() => return refuse("a prefix bound to nothing"),
                Some(_) => {}
                None => {
                    let (ns, local) = self.reader.resolver().resolve_attribute(attribute.key);
                    let name = qname(&mut self.namespaces, ns, local.as_ref())?;
                    if attributes.iter().any(|(n, _)| *n == name) {
                        return refuse("an attribute is there twice");
                    }
                    attributes.push((name, value));
                }
            }
        }
        Ok(Element { name, attributes, nodes: Vec::new() })
    }
}

/// What an attribute's text stands for.
fn attribute_value(attribute: &Attribute<'_>) -> Result<String, Refused> {
    let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|e| Refused(e.to_string()))?;
    if value.chars().all(is_char) { Ok(value.into_owned()) } else { refuse("a reference to a character that XML does not have") }
}

/// A name that can be written again, under any prefix.
fn qname(known: &mut HashSet<Arc<str>>, resolved: ResolveResult<'_>, local: &str) -> Result<QName, Refused> {
    if !is_name(local) {
        return refuse(format!("{local:?} is no name"));
    }
    Ok(QName { ns: namespace(known, resolved)?, local: local.to_owned() })
}

/// The namespace, kept once however often it is used.
fn namespace(known: &mut HashSet<Arc<str>>, resolved: ResolveResult<'_>) -> Result<Arc<str>, Refused> {
    let ns = match resolved {
        ResolveResult::Bound(ns) if ns.0.len() > MAX_NAMESPACE => return refuse("a namespace's name is longer than 1 KiB"),
        // It comes as it was written, with its references.
        ResolveResult::Bound(ns) => attribute_value(&Attribute { key: quick_xml::name::QName(""), value: ns.0.into() })?,
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(prefix) => return refuse(format!("prefix {prefix:?} is not declared")),
    };
    if ns == XMLNS_NS {
        return refuse("a name in the namespace of declarations");
    }
    if let Some(ns) = known.get(ns.as_str()) {
        return Ok(ns.clone());
    }
    let ns: Arc<str> = ns.into();
    known.insert(ns.clone());
    Ok(ns)
}

/// Writes XML; names are given with the prefixes that the root element declares.
#[derive(Default)]
pub struct Writer {
    out: String,
}

impl Writer {
    pub fn document(root: &str, namespaces: &[(&str, &str)]) -> Writer {
        let mut out = String::with_capacity(1024);
        let _ = write!(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?><{root}");
        for (prefix, ns) in namespaces {
            let _ = write!(out, " xmlns:{prefix}=\"{ns}\"");
        }
        out.push('>');
        Writer { out }
    }

    pub fn open(&mut self, name: &str) -> &mut Self {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
        self
    }

    pub fn close(&mut self, name: &str) -> &mut Self {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        self
    }

    pub fn empty(&mut self, name: &str) -> &mut Self {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str("/>");
        self
    }

    /// An element of any namespace, empty.
    pub fn empty_qname(&mut self, name: &QName) -> &mut Self {
        let _ = match &*name.ns {
            "" => write!(self.out, "<{} xmlns=\"\"/>", name.local),
            ns => write!(self.out, "<x:{} xmlns:x=\"{}\"/>", name.local, Escaped(ns)),
        };
        self
    }

    /// Characters XML 1.0 cannot carry become U+FFFD.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let _ = push_escaped(&mut self.out, text, false);
        self
    }

    pub fn leaf(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name).text(text).close(name)
    }

    /// Well-formed XML that came from [`Element::to_fragment`].
    pub fn fragment(&mut self, xml: &str) -> &mut Self {
        self.out.push_str(xml);
        self
    }

    pub fn len(&self) -> usize {
        self.out.len()
    }

    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written so far, to be sent; writing goes on after it.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(xml: &str, good: bool) {
        assert_eq!(parse(xml.as_bytes()).is_ok(), good, "{xml:.80} → {:?}", parse(xml.as_bytes()));
    }

    #[test]
    fn t03_no_document_types_or_entities() {
        check("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", false);
        check("<!DOCTYPE a SYSTEM 'http://127.0.0.1/'><a/>", false);
        check("<a>&x;</a>", false);
        check("<a>&lt;&#65;</a>", true);
    }

    #[test]
    fn t04_budgets() {
        check(&("<a>".repeat(64) + &"</a>".repeat(64)), true);
        check(&("<a>".repeat(65) + &"</a>".repeat(65)), false);
        check(&format!("<a>{}</a>", "<b/>".repeat(60_000)), false);
        check(&format!("<a {}/>", (0..65).map(|n| format!("a{n}='' ")).collect::<String>()), false);
        let attributes = (0..60).map(|n| format!("a{n}='' ")).collect::<String>();
        check(&format!("<a>{}</a>", format!("<b {attributes}/>").repeat(400)), false);
        check(&format!("<a xmlns='{}'/>", "u".repeat(1025)), false);
    }

    #[test]
    fn t04_a_namespace_is_kept_once_and_a_fragment_is_bounded() {
        let ns = "u".repeat(1000);
        let element = parse(format!("<p:a xmlns:p='{ns}' xmlns:q='v'>{}</p:a>", "<p:b/><q:c/>".repeat(5_000)).as_bytes()).unwrap();
        assert!(element.children().all(|c| Arc::ptr_eq(&c.name.ns, &element.name.ns) || &*c.name.ns == "v"));
        assert_eq!(element.to_fragment(100_000), None);
        let small = parse(format!("<p:a xmlns:p='{ns}'>{}</p:a>", "<p:b/>".repeat(5_000)).as_bytes()).unwrap();
        assert!(small.to_fragment(100_000).is_some_and(|f| f.len() < 50_000));
    }

    #[test]
    fn malformed_is_refused() {
        for name in ["a%b", "1a", "a\"", "-", "a\u{d7}"] {
            check(&format!("<{name}/>"), false);
            check(&format!("<a {name}=''/>"), false);
        }
        for bad in ["<a>\u{ffff}</a>", "<a>&#xfffe;</a>", "<a b='&#1;'/>", "<a xmlns:b='u' xmlns:c='u' b:d='' c:d=''/>", "<xml:a/>"] {
            check(bad, false);
        }
        for bad in ["", "<a>", "<a></b>", "<a/><b/>", "text", "<p:a/>", "<a xmlns:p=''/>", "<a>\u{1}</a>", "<a b='1' b='2'/>", "<a>&#1;</a>"] {
            check(bad, false);
        }
    }

    #[test]
    fn fragments_mean_the_same() {
        let xml = "<q:a xmlns:q='u:?1&amp;2' xml:lang='de' q:k='&amp;&#9;&#10;&#13;'><b xmlns=''>t&lt;</b><c xmlns='u:2'>\u{10fff0}<q:d><d xmlns='u:2'/></q:d></c></q:a>";
        let element = parse(xml.as_bytes()).unwrap();
        assert_eq!(parse(element.to_fragment(1_000).unwrap().as_bytes()).unwrap(), element);
        assert_eq!((&*element.name.ns, element.attributes[1].1.as_str()), ("u:?1&2", "&\t\n\r"));
    }
}
