//! XML bodies, and the XML that is made of what they held. A second parser reads that too.

use std::collections::BTreeSet;
use std::fmt::Debug;

use holm_formats::acl::{Expand, PrincipalMatch, PrincipalSearch, acl_principal_prop_set};
use holm_formats::dav::{self, DAV, LockInfo, MAX_PROPS, PropUpdate, Propfind, SyncCollection};
use holm_formats::xml::{self, Element, MAX_ALL_ATTRIBUTES, MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, MAX_NAMESPACE, Node, QName, Refused, Writer};

/// Bytes a fragment may take.
const FRAGMENT: usize = 64 * 1024;

/// What a tree amounts to.
#[derive(Default)]
struct Size<'a> {
    elements: usize,
    attributes: usize,
    depth: usize,
    bytes: usize,
    namespaces: BTreeSet<&'a str>,
}

impl<'a> Size<'a> {
    fn add(&mut self, element: &'a Element, depth: usize) {
        self.elements += 1;
        self.attributes += element.attributes.len();
        self.depth = self.depth.max(depth);
        assert!(element.attributes.len() <= MAX_ATTRIBUTES);
        for (name, value) in std::iter::once((&element.name, "")).chain(element.attributes.iter().map(|(n, v)| (n, v.as_str()))) {
            assert!(name.ns.len() <= MAX_NAMESPACE && !name.local.is_empty());
            self.namespaces.insert(&name.ns);
            self.bytes += name.local.len() + value.len();
        }
        for node in &element.nodes {
            match node {
                Node::Element(inner) => self.add(inner, depth + 1),
                Node::Text(text) => self.bytes += text.len(),
            }
        }
    }
}

/// The tree that the other parser sees, in our words.
fn other(node: roxmltree::Node<'_, '_>) -> Element {
    let name = QName::new(node.tag_name().namespace().unwrap_or_default(), node.tag_name().name());
    let attributes = node.attributes().map(|a| (QName::new(a.namespace().unwrap_or_default(), a.name()), a.value().to_owned())).collect();
    let mut nodes: Vec<Node> = Vec::new();
    for child in node.children() {
        match (child.is_element(), child.text().filter(|_| child.is_text()), nodes.last_mut()) {
            (true, ..) => nodes.push(Node::Element(other(child))),
            (false, Some(text), Some(Node::Text(before))) => before.push_str(text),
            (false, Some(text), _) if !text.is_empty() => nodes.push(Node::Text(text.to_owned())),
            _ => {}
        }
    }
    Element { name, attributes, nodes }
}

/// The other parser's reading of what we wrote; it must be able to.
fn reread(xml: &str) -> Element {
    match roxmltree::Document::parse(xml) {
        Ok(document) => other(document.root_element()),
        Err(e) => panic!("no XML to others: {e}: {xml:?}"),
    }
}

/// Documents: within their limits, and a fragment means what the element meant, to another parser too.
pub fn xml(data: &[u8]) {
    if let Ok(root) = xml::parse(data) {
        let mut size = Size::default();
        size.add(&root, 1);
        assert!(size.elements <= MAX_ELEMENTS && size.attributes <= MAX_ALL_ATTRIBUTES && size.depth <= MAX_DEPTH);
        let namespaces: usize = size.namespaces.iter().map(|ns| ns.len()).sum();
        // The namespace of `xml:` is known without being written.
        assert!(size.bytes + namespaces <= data.len() + 36, "more was kept than came");
        if let Some(fragment) = root.to_fragment(FRAGMENT) {
            assert!(fragment.len() <= FRAGMENT);
            assert_eq!(reread(&fragment), root, "{fragment:?}");
        }
        if let Some(inner) = root.inner_fragment(FRAGMENT) {
            assert!(inner.len() <= FRAGMENT);
            assert_eq!(reread(&format!("<d:a xmlns:d=\"DAV:\">{inner}</d:a>")).nodes, root.nodes, "{inner:?}");
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut writer = Writer::document("d:a", &[("d", DAV)]);
    let document = writer.leaf("d:b", text).close("d:a").take();
    let shown: String = reread(&document).child(DAV, "b").expect("what was written").text();
    assert_eq!(shown.chars().count(), text.chars().count(), "characters are lost or added");
    assert!(shown.chars().zip(text.chars()).all(|(a, b)| a == b || a == '\u{fffd}'), "{shown:?}");
    if let Ok(root) = xml::parse(document.as_bytes()) {
        assert_eq!(root, reread(&document));
    }
}

fn within(names: &[QName]) {
    assert!(names.len() <= MAX_PROPS);
    assert!(names.iter().map(|n| n.ns.len() + n.local.len()).sum::<usize>() <= 64 * 1024);
}

/// What was read of a body, written as a body again and read: the same.
fn again<T: PartialEq + Debug>(body: &str, inner: impl FnOnce(&mut Writer), read: impl Fn(&Element) -> Result<T, Refused>, was: &T) {
    let mut writer = Writer::document(&format!("d:{body}"), &[("d", DAV)]);
    inner(&mut writer);
    let document = writer.close(&format!("d:{body}")).take();
    reread(&document);
    let root = xml::parse(document.as_bytes()).unwrap_or_else(|e| panic!("{e}: {document:?}"));
    assert_eq!(read(&root).as_ref(), Ok(was), "{document:?}");
}

fn prop(writer: &mut Writer, names: &[QName]) {
    writer.open("d:prop");
    for name in names {
        writer.empty_qname(name);
    }
    writer.close("d:prop");
}

/// The bodies of PROPFIND, PROPPATCH, MKCOL, LOCK and REPORT: within their limits, and written again the same.
pub fn bodies(data: &[u8]) {
    let Ok(root) = xml::parse(data) else { return };
    if let Ok(propfind) = Propfind::from_xml(&root) {
        let inner = |writer: &mut Writer| match &propfind {
            Propfind::Prop(names) => prop(writer, names),
            Propfind::PropName => _ = writer.empty("d:propname"),
            Propfind::AllProp { include } => {
                writer.empty("d:allprop").open("d:include");
                include.iter().for_each(|name| _ = writer.empty_qname(name));
                writer.close("d:include");
            }
        };
        if let Propfind::Prop(names) | Propfind::AllProp { include: names } = &propfind {
            within(names);
        }
        again("propfind", inner, Propfind::from_xml, &propfind);
    }
    for updates in [dav::propertyupdate(&root), dav::mkcol(&root)].into_iter().flatten() {
        assert!(updates.len() <= MAX_PROPS);
        for update in updates {
            assert_eq!(QName::from_clark(&update.name().clark()).as_ref(), Some(update.name()));
            let PropUpdate::Set(element) = update else { continue };
            if let Some(value) = element.to_fragment(FRAGMENT) {
                assert_eq!(reread(&value), element);
            }
        }
    }
    if let Ok(lock) = LockInfo::from_xml(&root) {
        assert!(lock.owner.len() <= 4 * 1024);
        let inner = |writer: &mut Writer| {
            writer.open("d:locktype").empty("d:write").close("d:locktype");
            writer.open("d:lockscope").empty(if lock.exclusive { "d:exclusive" } else { "d:shared" }).close("d:lockscope");
            writer.open("d:owner").fragment(&lock.owner).close("d:owner");
        };
        again("lockinfo", inner, LockInfo::from_xml, &lock);
    }
    if let Ok(sync) = SyncCollection::from_xml(&root) {
        within(&sync.props);
        let inner = |writer: &mut Writer| {
            writer.leaf("d:sync-token", &sync.token).leaf("d:sync-level", if sync.deep { "infinite" } else { "1" });
            if let Some(limit) = sync.limit {
                writer.open("d:limit").leaf("d:nresults", &limit.to_string()).close("d:limit");
            }
            prop(writer, &sync.props);
        };
        again("sync-collection", inner, SyncCollection::from_xml, &sync);
    }
    reports_on_access(&root);
}

fn reports_on_access(root: &Element) {
    if let Ok(names) = acl_principal_prop_set(root) {
        within(&names);
        again("acl-principal-prop-set", |writer| prop(writer, &names), acl_principal_prop_set, &names);
    }
    if let Ok(found) = PrincipalMatch::from_xml(root) {
        within(&found.props);
        let inner = |writer: &mut Writer| {
            match &found.property {
                Some(name) => writer.open("d:principal-property").empty_qname(name).close("d:principal-property"),
                None => writer.empty("d:self"),
            };
            prop(writer, &found.props);
        };
        again("principal-match", inner, PrincipalMatch::from_xml, &found);
    }
    if let Ok(search) = PrincipalSearch::from_xml(root) {
        within(&search.props);
        assert!(!search.searches.is_empty() && search.searches.len() <= MAX_PROPS);
        search.searches.iter().for_each(|(names, _)| within(names));
    }
    if let Ok(list) = Expand::from_xml(root) {
        let written = expand(&list);
        assert!(written.matches("<d:property").count() <= MAX_PROPS);
        list.iter().for_each(show);
        again("expand-property", |writer| _ = writer.fragment(&written), Expand::from_xml, &list);
    }
}

/// An answer names it, whether it is there or not.
fn show(Expand { name, inner }: &Expand) {
    let shown = Writer::default().empty_qname(name).take();
    assert_eq!(reread(&shown), Element { name: name.clone(), attributes: vec![], nodes: vec![] });
    inner.iter().for_each(show);
}

fn expand(list: &[Expand]) -> String {
    let one = |Expand { name, inner }: &Expand| {
        let mut ns = Writer::default();
        ns.text(&name.ns);
        format!("<d:property name=\"{}\" namespace=\"{}\">{}</d:property>", name.local, ns.take(), expand(inner))
    };
    list.iter().map(one).collect()
}
