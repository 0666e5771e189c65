//! Access control as RFC 3744 shows it, to be read only: who owns a resource, which privileges exist, which of them the
//! party has. What a party may do is decided by its grant, in the core; this tells the truth about that.

use holm_core::{Abilities, Ability, Access, Path};
use holm_formats::xml::Writer;

use crate::mount::{Mount, Principals};

/// Properties of every resource here that are about access.
pub const NAMES: &[&str] = &[
    "owner",
    "group",
    "supported-privilege-set",
    "current-user-privilege-set",
    "acl",
    "acl-restrictions",
    "inherited-acl-set",
    "principal-collection-set",
    "current-user-principal",
];

/// Privileges without parts of their own, and what each allows.
const READ: &[(&str, &str)] = &[("read-acl", "See the access control list"), ("read-current-user-privilege-set", "See one's own privileges")];
const WRITE: &[(&str, &str, Ability)] = &[
    ("write-content", "Change the content", Ability::Write),
    ("write-properties", "Change properties", Ability::Write),
    ("bind", "Add members", Ability::Append),
    ("unbind", "Remove members", Ability::Delete),
];

/// What a party may do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    here: Abilities,
    /// It may end other parties' locks: only who may change the whole tree.
    all: bool,
}

impl Rights {
    const READ: Rights = Rights { here: Abilities::READ, all: false };

    /// Nothing where the party's rights end just now.
    pub fn of(access: &Access, path: &Path) -> Rights {
        let may = |ability, path: &Path| access.allows(ability, path).unwrap_or(false);
        let here = Ability::ALL.into_iter().filter(|a| may(*a, path)).fold(Abilities::default(), Abilities::with);
        let root = Path::root();
        Rights { here, all: may(Ability::Write, &root) && may(Ability::Delete, &root) }
    }

    /// Privileges held, whether they have parts or are one (RFC 3744 §5.4).
    fn privileges(self) -> impl Iterator<Item = &'static str> {
        let has = move |ability| self.here.contains(ability);
        let parts = WRITE.iter().filter(move |(_, _, ability)| has(*ability)).map(|(name, ..)| *name);
        let change = has(Ability::Append) && has(Ability::Write) && has(Ability::Delete);
        let read = ["read"].into_iter().chain(READ.iter().map(|p| p.0));
        read.chain(["write"].into_iter().filter(move |_| change)).chain(parts).chain(["unlock", "all"].into_iter().filter(move |_| self.all))
    }
}

/// Who controls a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// In a person's tree: the person, and parties as far as they were granted.
    Tree(Rights),
    /// A principal: its person, who may read it.
    Principal,
    /// A collection of the server's own, which whoever is signed in may read.
    Server,
}

/// Writes the property called `name`, if it is one of [`NAMES`].
pub fn write(xml: &mut Writer, name: &str, mount: &Mount, control: Control) -> bool {
    let known = mount.principals();
    match (name, known) {
        ("owner", Some(known)) if control != Control::Server => href(xml, name, if control == Control::Principal { &known.own } else { &known.owner }),
        ("current-user-principal", Some(known)) => href(xml, name, &known.own),
        // RFC 5397 §3
        ("current-user-principal", None) => xml.open("d:current-user-principal").empty("d:unauthenticated").close("d:current-user-principal"),
        ("principal-collection-set", Some(known)) => href(xml, name, &known.all),
        ("owner" | "principal-collection-set", _) => xml.empty(&format!("d:{name}")),
        _ => return of_control(xml, name, known, control),
    };
    true
}

fn of_control(xml: &mut Writer, name: &str, known: Option<&Principals>, control: Control) -> bool {
    match name {
        // There are no groups, and no lists but the one shown.
        "group" | "inherited-acl-set" => xml.empty(&format!("d:{name}")),
        "supported-privilege-set" => supported(xml),
        "current-user-privilege-set" => current(xml, if let Control::Tree(rights) = control { rights } else { Rights::READ }),
        "acl" => acl(xml, known, control),
        "acl-restrictions" => xml.open("d:acl-restrictions").empty("d:grant-only").empty("d:no-invert").close("d:acl-restrictions"),
        _ => return false,
    };
    true
}

pub fn href<'x>(xml: &'x mut Writer, name: &str, href: &str) -> &'x mut Writer {
    let tag = format!("d:{name}");
    xml.open(&tag).leaf("d:href", href).close(&tag)
}

fn privilege<'x>(xml: &'x mut Writer, name: &str) -> &'x mut Writer {
    xml.open("d:privilege").empty(&format!("d:{name}")).close("d:privilege")
}

fn current(xml: &mut Writer, rights: Rights) -> &mut Writer {
    xml.open("d:current-user-privilege-set");
    for name in rights.privileges() {
        privilege(xml, name);
    }
    xml.close("d:current-user-privilege-set")
}

/// RFC 3744 §5.3. There is no write-acl: grants are made in holm and not through DAV.
fn supported(xml: &mut Writer) -> &mut Writer {
    xml.open("d:supported-privilege-set");
    supported_open(xml, "all", "Everything");
    supported_open(xml, "read", "Read content and properties");
    parts(xml, READ.iter().copied());
    xml.close("d:supported-privilege");
    supported_open(xml, "write", "Change content, properties and members");
    parts(xml, WRITE.iter().map(|(name, description, _)| (*name, *description)));
    xml.close("d:supported-privilege");
    parts(xml, [("unlock", "End another's lock")]);
    xml.close("d:supported-privilege").close("d:supported-privilege-set")
}

fn supported_open<'x>(xml: &'x mut Writer, name: &str, description: &str) -> &'x mut Writer {
    privilege(xml.open("d:supported-privilege"), name);
    xml.fragment("<d:description xml:lang=\"en\">").text(description).close("d:description")
}

fn parts<'p>(xml: &mut Writer, privileges: impl IntoIterator<Item = (&'p str, &'p str)>) {
    for (name, description) in privileges {
        supported_open(xml, name, description).close("d:supported-privilege");
    }
}

/// RFC 3744 §5.5: one entry, which no request can change.
fn acl<'x>(xml: &'x mut Writer, known: Option<&Principals>, control: Control) -> &'x mut Writer {
    xml.open("d:acl").open("d:ace").open("d:principal");
    match (control, known) {
        (Control::Server, _) => xml.empty("d:authenticated"),
        (Control::Tree(_), Some(known)) => xml.leaf("d:href", &known.owner),
        (Control::Principal, Some(known)) => xml.leaf("d:href", &known.own),
        // RFC 3744 §5.5.1: whoever the property "owner" names, without naming them.
        (_, None) => xml.open("d:property").empty("d:owner").close("d:property"),
    };
    privilege(xml.close("d:principal").open("d:grant"), if matches!(control, Control::Tree(_)) { "all" } else { "read" });
    xml.close("d:grant").empty("d:protected").close("d:ace").close("d:acl")
}
