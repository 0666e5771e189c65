//! REPORT (RFC 3253 §3.6) on what a tree holds: which reports there are, and those about access (RFC 3744 §9).
//! Reports that search for principals are for the collections of principals alone.

use holm_formats::acl::{Expand, acl_principal_prop_set};
use holm_formats::dav::{DAV, Propfind};
use holm_formats::xml::{Element, Writer};
use http::HeaderMap;

use super::sync;
use crate::multistatus::Multistatus;
use crate::{Answer, Call, Failure, place};

/// The reports of an entry, for its DAV:supported-report-set.
pub fn of_entry(folder: bool) -> &'static [&'static str] {
    if folder { &["acl-principal-prop-set", "expand-property", "sync-collection"] } else { &["acl-principal-prop-set", "expand-property"] }
}

/// RFC 3253 §3.1.5. A name of another vocabulary than DAV comes with its prefix.
pub fn supported<'x>(xml: &'x mut Writer, names: &[&str]) -> &'x mut Writer {
    xml.open("d:supported-report-set");
    for name in names {
        let tag = if name.contains(':') { (*name).to_owned() } else { format!("d:{name}") };
        xml.open("d:supported-report").open("d:report").empty(&tag).close("d:report").close("d:supported-report");
    }
    xml.close("d:supported-report-set")
}

/// The reports here are about one resource.
pub fn at_zero(headers: &HeaderMap) -> Result<(), Failure> {
    match super::depth(headers, "0")? {
        "0" => Ok(()),
        _ => Err(Failure::bad("this report is made with Depth: 0")),
    }
}

pub async fn report(mut call: Call) -> Answer {
    let root = call.xml().await?.ok_or_else(|| Failure::bad("REPORT needs a body that names the report"))?;
    report_of(call, &root)
}

/// The same, with its body read.
pub fn report_of(call: Call, root: &Element) -> Answer {
    let entry = call.access.stat(&call.path)?;
    let name = root.name.local.as_str();
    if &*root.name.ns != DAV || !of_entry(entry.is_folder()).contains(&name) {
        return Err(Failure::unsupported_report());
    }
    match name {
        "sync-collection" => sync::sync(call, root, &entry),
        "expand-property" => {
            at_zero(&call.headers)?;
            let properties = Expand::from_xml(root)?;
            let asked = call.asked(Propfind::Prop(properties.iter().map(|p| p.name.clone()).collect()))?;
            let mut out = Multistatus::new();
            asked.expand(&mut out, &call.path, &entry, &properties)?;
            Ok(out.finish())
        }
        // The one principal that an ACL here names is the owner.
        _ => {
            at_zero(&call.headers)?;
            Ok(place::principals(&call.mount, true, acl_principal_prop_set(root)?))
        }
    }
}
