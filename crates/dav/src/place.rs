//! Resources that hold nothing of their own: the collections above trees, which clients probe on their way down, and
//! the principals (RFC 3744 §2). Each person sees themselves here and nobody else.

use axum::body::Body;
use axum::response::Response;
use holm_formats::acl::{Expand, PrincipalMatch, PrincipalSearch, acl_principal_prop_set};
use holm_formats::dav::{CALDAV, CARDDAV, DAV, Propfind};
use holm_formats::xml::{self, Element, QName, Writer};
use holm_http::body::Incoming;
use http::{HeaderMap, Method, StatusCode};

use crate::acl::{self, Control};
use crate::expand::{self, Live};
use crate::methods::{depth, index, report};
use crate::mount::Principals;
use crate::multistatus::Multistatus;
use crate::{Answer, Failure, MAX_XML, Mount};

/// What a place answers to.
pub const ALLOW: &str = "OPTIONS, GET, HEAD, PROPFIND, REPORT";
/// Properties that every place has.
const ALL: &[&str] = &["displayname", "resourcetype"];
/// Properties that every place has, told when asked by name; so are those of [`acl::NAMES`].
const NAMED: &[&str] = &["supported-report-set"];
/// Where the calendars and the contacts of people hang.
pub const CALENDARS: &str = "/dav/calendars";
pub const CONTACTS: &str = "/dav/contacts";
/// Properties of principals alone (RFC 3744 §4).
pub const PRINCIPAL: &[&str] = &["alternate-URI-set", "principal-URL", "group-member-set", "group-membership"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Collection,
    /// A collection with principals in it.
    Principals,
    /// A collection that has principals further down.
    AbovePrincipals,
    Principal,
}

#[derive(Clone, Debug)]
pub struct Place {
    pub href: String,
    pub name: String,
    pub kind: Kind,
}

/// A place as a person sees it.
pub struct Seen<'a> {
    place: &'a Place,
    mount: &'a Mount,
}

impl Place {
    pub fn new(href: &str, name: &str, kind: Kind) -> Place {
        Place { href: href.to_owned(), name: name.to_owned(), kind }
    }

    pub fn principal(principals: &Principals) -> Place {
        Place::new(&principals.own, &principals.person, Kind::Principal)
    }

    pub fn principals(principals: &Principals) -> Place {
        let name = principals.all.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Place::new(&principals.all, name, Kind::Principals)
    }

    pub fn of<'a>(&'a self, mount: &'a Mount) -> Seen<'a> {
        Seen { place: self, mount }
    }

    fn reports(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Principal => &["acl-principal-prop-set", "expand-property"],
            Kind::Collection | Kind::AbovePrincipals => &["acl-principal-prop-set", "expand-property", "principal-match"],
            Kind::Principals => &["acl-principal-prop-set", "expand-property", "principal-match", "principal-property-search", "principal-search-property-set"],
        }
    }
}

impl Live for Seen<'_> {
    fn write(&self, xml: &mut Writer, name: &QName) -> bool {
        match &*name.ns {
            DAV => self.live(xml, &name.local),
            CALDAV | CARDDAV if self.place.kind == Kind::Principal => self.mount.principals().is_some_and(|known| self.homes(xml, name, &known.person)),
            _ => false,
        }
    }
}

impl Seen<'_> {
    /// RFC 4791 §6.2.1, RFC 6638 §2.4, RFC 6352 §7.1.1.
    fn homes(&self, xml: &mut Writer, name: &QName, person: &str) -> bool {
        let mut list = |tag: &str, href: &str| _ = xml.open(tag).leaf("d:href", href).close(tag);
        match (&*name.ns, name.local.as_str()) {
            (CALDAV, "calendar-home-set") => list("cal:calendar-home-set", &format!("{CALENDARS}/{person}/")),
            (CALDAV, "calendar-user-address-set") => list("cal:calendar-user-address-set", &self.place.href),
            (CALDAV, "calendar-user-type") => _ = xml.leaf("cal:calendar-user-type", "INDIVIDUAL"),
            (CARDDAV, "addressbook-home-set") => list("card:addressbook-home-set", &format!("{CONTACTS}/{person}/")),
            _ => return false,
        }
        true
    }

    fn live(&self, xml: &mut Writer, name: &str) -> bool {
        let principal = self.place.kind == Kind::Principal;
        match name {
            "displayname" => _ = xml.leaf("d:displayname", &self.place.name),
            "resourcetype" => {
                xml.open("d:resourcetype").empty("d:collection");
                if principal {
                    xml.empty("d:principal");
                }
                xml.close("d:resourcetype");
            }
            "supported-report-set" => _ = report::supported(xml, self.place.reports()),
            "principal-URL" if principal => _ = acl::href(xml, name, &self.place.href),
            // One address each, and no groups.
            "alternate-URI-set" | "group-member-set" | "group-membership" if principal => _ = xml.empty(&format!("d:{name}")),
            _ => return acl::write(xml, name, self.mount, if principal { Control::Principal } else { Control::Server }),
        }
        true
    }

    fn response(&self, out: &mut Multistatus, propfind: &Propfind, minimal: bool) {
        out.response(&self.place.href, minimal, |xml| match propfind {
            Propfind::Prop(names) => names.iter().filter(|name| !self.write(xml, name)).cloned().collect(),
            Propfind::PropName => {
                for name in [ALL, NAMED, acl::NAMES, PRINCIPAL].concat().into_iter().filter(|name| self.live(&mut Writer::default(), name)) {
                    xml.empty(&format!("d:{name}"));
                }
                Vec::new()
            }
            Propfind::AllProp { include } => {
                for name in ALL {
                    self.live(xml, name);
                }
                include.iter().filter(|name| !ALL.contains(&name.local.as_str()) && !self.write(xml, name)).cloned().collect()
            }
        });
    }
}

/// Answers a request for a place; `members` are those that are shown of it.
pub async fn answer(method: &Method, place: &Place, members: &[Place], headers: &HeaderMap, body: &mut Incoming<Body>, mount: &Mount) -> Answer {
    match method.as_str() {
        "GET" | "HEAD" => Ok(page(place, members)),
        "PROPFIND" => {
            let bytes = body.whole(MAX_XML).await?;
            let propfind = if bytes.is_empty() { Propfind::AllProp { include: Vec::new() } } else { Propfind::from_xml(&xml::parse(&bytes)?)? };
            propfind_of(place, members, headers, &propfind, mount)
        }
        "REPORT" => {
            let root = xml::parse(&body.whole(MAX_XML).await?)?;
            report_of(place, headers, &root, mount)
        }
        "DELETE" | "MOVE" | "ACL" => Err(Failure::new(StatusCode::FORBIDDEN, "this is the server's own, and stays as it is")),
        "PUT" | "PATCH" | "MKCALENDAR" | "MKCOL" | "COPY" | "PROPPATCH" | "LOCK" | "UNLOCK" => Err(Failure { allow: ALLOW, ..Failure::not_allowed() }),
        name => Err(Failure { allow: ALLOW, ..Failure::unknown_method(name) }),
    }
}

fn page(place: &Place, members: &[Place]) -> Response {
    let links: Vec<_> = members.iter().map(|m| (m.href.clone(), m.name.clone())).collect();
    index::html(&place.name, &links, None)
}

fn propfind_of(place: &Place, members: &[Place], headers: &HeaderMap, propfind: &Propfind, mount: &Mount) -> Answer {
    let depth = depth(headers, "0")?;
    if depth == "infinity" && !members.is_empty() {
        return Err(Failure::new(StatusCode::FORBIDDEN, "ask with Depth 0 or 1").with("propfind-finite-depth"));
    }
    let minimal = crate::methods::minimal(headers);
    let mut out = Multistatus::new();
    place.of(mount).response(&mut out, propfind, minimal);
    for member in members.iter().filter(|_| depth == "1") {
        member.of(mount).response(&mut out, propfind, minimal);
    }
    Ok(out.finish())
}

fn report_of(place: &Place, headers: &HeaderMap, root: &Element, mount: &Mount) -> Answer {
    let name = root.name.local.as_str();
    if &*root.name.ns != DAV || !place.reports().contains(&name) {
        return Err(Failure::unsupported_report());
    }
    report::at_zero(headers)?;
    let has_principals = matches!(place.kind, Kind::Principals | Kind::AbovePrincipals);
    match name {
        "expand-property" => {
            let mut out = Multistatus::new();
            let properties = Expand::from_xml(root)?;
            out.response(&place.href, false, |xml| expand::found(xml, &place.of(mount), mount, &properties));
            Ok(out.finish())
        }
        "principal-match" => {
            let asked = PrincipalMatch::from_xml(root)?;
            let about_me = asked.property.is_none_or(|p| &*p.ns == DAV && ["owner", "current-user-principal", "principal-URL"].contains(&p.local.as_str()));
            Ok(principals(mount, has_principals && about_me, asked.props))
        }
        "principal-property-search" => {
            let asked = PrincipalSearch::from_xml(root)?;
            let fits = |(props, text): &(Vec<QName>, String)| {
                let named = !props.is_empty() && props.iter().all(|p| &*p.ns == DAV && p.local == "displayname");
                named && mount.principals().is_some_and(|p| p.person.to_lowercase().contains(&text.to_lowercase()))
            };
            let found = if asked.any { asked.searches.iter().any(fits) } else { asked.searches.iter().all(fits) };
            Ok(principals(mount, found, asked.props))
        }
        "principal-search-property-set" => Ok(search_properties()),
        _ => Ok(principals(mount, place.kind == Kind::Principal, acl_principal_prop_set(root)?)),
    }
}

/// The person's own principal, or nobody.
pub fn principals(mount: &Mount, found: bool, props: Vec<QName>) -> Response {
    let mut out = Multistatus::new();
    if let Some(known) = mount.principals().filter(|_| found) {
        Place::principal(known).of(mount).response(&mut out, &Propfind::Prop(props), false);
    }
    out.finish()
}

/// RFC 3744 §9.5: what a search may ask for.
fn search_properties() -> Response {
    let mut xml = Writer::document("d:principal-search-property-set", &[("d", DAV)]);
    xml.open("d:principal-search-property").open("d:prop").empty("d:displayname").close("d:prop");
    xml.fragment("<d:description xml:lang=\"en\">").text("Name").close("d:description").close("d:principal-search-property");
    xml.close("d:principal-search-property-set");
    crate::xml_answer(StatusCode::OK, xml.take())
}
