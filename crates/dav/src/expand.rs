//! expand-property (RFC 3253 §3.8): a property whose value names resources is answered with what they say of themselves.
//! Here such properties name the person's principal, or the collection it is in; nobody else can be reached this way.

use holm_formats::acl::Expand;
use holm_formats::dav::DAV;
use holm_formats::xml::{QName, Writer};

use crate::mount::Mount;
use crate::multistatus;
use crate::place::Place;

/// A resource that can tell its properties.
pub trait Live {
    /// Writes the property; answers whether there is such a one.
    fn write(&self, xml: &mut Writer, name: &QName) -> bool;
}

/// Writes the properties that are there; answers the names of the others.
pub fn found(xml: &mut Writer, resource: &dyn Live, mount: &Mount, properties: &[Expand]) -> Vec<QName> {
    let mut missing = Vec::new();
    for Expand { name, inner } in properties {
        let mut plain = Writer::default();
        if !resource.write(&mut plain, name) {
            missing.push(name.clone());
            continue;
        }
        let plain = plain.take();
        match named_by(name, &plain, mount).filter(|_| !inner.is_empty()) {
            Some(place) => {
                let tag = format!("d:{}", name.local);
                xml.open(&tag);
                multistatus::response(xml, &place.href, false, |xml| found(xml, &place.of(mount), mount, inner));
                xml.close(&tag);
            }
            None => _ = xml.fragment(&plain),
        }
    }
    missing
}

/// The resource that a property's value names.
fn named_by(name: &QName, value: &str, mount: &Mount) -> Option<Place> {
    if &*name.ns != DAV || !value.contains("<d:href>") {
        return None;
    }
    let principals = mount.principals()?;
    match name.local.as_str() {
        "owner" | "current-user-principal" | "principal-URL" => Some(Place::principal(principals)),
        "principal-collection-set" => Some(Place::principals(principals)),
        _ => None,
    }
}
