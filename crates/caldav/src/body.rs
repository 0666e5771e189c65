//! The bodies of the reports (RFC 4791 §9, RFC 6352 §10): what is asked, and for what.

use holm_dav::Failure;
use holm_formats::dav::{CALDAV, CARDDAV, DAV, Propfind, prop_names};
use holm_formats::xml::{Element, Refused};
use holm_pim::card::Version;
use holm_pim::data::{Comp, Wanted};
use holm_pim::filter::{CardFilter, Collation, CompFilter, MatchType, ParamFilter, PropFilter, TextMatch};
use holm_pim::instances::Range;
use holm_pim::time::{MAX, MIN, When};
use http::StatusCode;

/// Conditions in one filter.
const MAX_FILTERS: usize = 256;

/// What is to be shown of each object.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// All but the data.
    pub props: Vec<holm_formats::xml::QName>,
    pub all: bool,
    pub data: Option<Data>,
}

/// How the data is to be shown.
#[derive(Clone, Debug)]
pub enum Data {
    Calendar(Wanted),
    /// In a version, and with which properties; None: all, as it is.
    Card(Option<Version>, Option<Vec<(String, bool)>>),
}

impl Shown {
    pub fn from_xml(root: &Element) -> Result<Shown, Failure> {
        let Some(prop) = root.child(DAV, "prop") else {
            return Ok(Shown { all: root.child(DAV, "allprop").is_some(), ..Shown::default() });
        };
        let is_data = |e: &&Element| e.is(CALDAV, "calendar-data") || e.is(CARDDAV, "address-data");
        let data = match prop.children().find(is_data) {
            Some(e) if e.is(CALDAV, "calendar-data") => Some(Data::Calendar(wanted(e)?)),
            Some(e) => Some(card(e)?),
            None => None,
        };
        let mut props = prop_names(prop)?;
        props.retain(|n| !(&*n.ns == CALDAV && n.local == "calendar-data" || &*n.ns == CARDDAV && n.local == "address-data"));
        Ok(Shown { props, all: false, data })
    }

    pub fn propfind(&self) -> Propfind {
        if self.all { Propfind::AllProp { include: Vec::new() } } else { Propfind::Prop(self.props.clone()) }
    }
}

fn attribute<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    element.attributes.iter().find(|(n, _)| n.ns.is_empty() && n.local == name).map(|(_, value)| value.as_str())
}

fn invalid(text: &str) -> Failure {
    Failure::from(Refused(text.into()))
}

fn filter_refused(text: &str) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, text).with("cal:valid-filter")
}

/// A time-range; both ends may be open, where `whole` does not forbid that.
pub fn range(element: &Element, whole: bool) -> Result<Range, Failure> {
    let end = |name: &str| match attribute(element, name) {
        None => Ok(None),
        Some(text) => When::parse(text).map(|when| Some(when.local)).ok_or_else(|| filter_refused("a time range is given in UTC, as 20260131T120000Z")),
    };
    let (from, to) = (end("start")?, end("end")?);
    if from.is_none() && to.is_none() || whole && (from.is_none() || to.is_none()) {
        return Err(filter_refused("a time range needs a start and an end, or for a filter one of them"));
    }
    let range = Range { from: from.unwrap_or(MIN), to: to.unwrap_or(MAX) };
    if range.from < range.to { Ok(range) } else { Err(filter_refused("a time range ends after it starts")) }
}

fn wanted(data: &Element) -> Result<Wanted, Failure> {
    if attribute(data, "content-type").is_some_and(|t| !t.eq_ignore_ascii_case("text/calendar")) {
        return Err(Failure::new(StatusCode::FORBIDDEN, "calendar data is text/calendar 2.0").with("cal:supported-calendar-data"));
    }
    let ranged = |name: &str| data.child(CALDAV, name).map(|e| range(e, true)).transpose();
    let comp = data.child(CALDAV, "comp").map(|e| comp(e, 0)).transpose()?;
    Ok(Wanted { comp, expand: ranged("expand")?, limit_recurrences: ranged("limit-recurrence-set")?, limit_free_busy: ranged("limit-freebusy-set")? })
}

fn named(element: &Element) -> Result<String, Failure> {
    attribute(element, "name").map(str::to_ascii_uppercase).ok_or_else(|| invalid("an element has no name"))
}

/// Properties, and whether only the name is wanted.
fn shown_props(element: &Element, ns: &str) -> Result<Vec<(String, bool)>, Failure> {
    let prop = |e: &Element| Ok((named(e)?, attribute(e, "novalue") == Some("yes")));
    element.children().filter(|e| e.is(ns, "prop")).map(prop).collect()
}

fn comp(element: &Element, depth: usize) -> Result<Comp, Failure> {
    if depth > 4 {
        return Err(invalid("components are not nested that deep"));
    }
    Ok(Comp {
        name: named(element)?,
        all_props: element.child(CALDAV, "allprop").is_some(),
        props: shown_props(element, CALDAV)?,
        all_comps: element.child(CALDAV, "allcomp").is_some(),
        comps: element.children().filter(|e| e.is(CALDAV, "comp")).map(|e| comp(e, depth + 1)).collect::<Result<_, _>>()?,
    })
}

fn card(data: &Element) -> Result<Data, Failure> {
    let unsupported = || Failure::new(StatusCode::FORBIDDEN, "vCards are text/vcard 3.0 and 4.0").with("card:supported-address-data");
    let kind = attribute(data, "content-type").unwrap_or("text/vcard");
    if !["text/vcard", "text/x-vcard", "text/directory"].iter().any(|k| kind.eq_ignore_ascii_case(k)) {
        return Err(unsupported());
    }
    let version = attribute(data, "version").map(|v| Version::parse(v).ok_or_else(unsupported)).transpose()?;
    let props = shown_props(data, CARDDAV)?;
    Ok(Data::Card(version, if props.is_empty() || data.child(CARDDAV, "allprop").is_some() { None } else { Some(props) }))
}

/// Reads filters, not more than a request may have.
struct Filters {
    ns: &'static str,
    left: usize,
}

pub fn calendar_filter(filter: &Element) -> Result<CompFilter, Failure> {
    let root = filter.child(CALDAV, "comp-filter").ok_or_else(|| filter_refused("a filter begins with a comp-filter of VCALENDAR"))?;
    let read = Filters { ns: CALDAV, left: MAX_FILTERS }.comp(root)?;
    if read.name == "VCALENDAR" { Ok(read) } else { Err(filter_refused("a filter begins with a comp-filter of VCALENDAR")) }
}

pub fn card_filter(filter: &Element) -> Result<CardFilter, Failure> {
    let mut filters = Filters { ns: CARDDAV, left: MAX_FILTERS };
    let props = filter.children().filter(|e| e.is(CARDDAV, "prop-filter")).map(|e| filters.prop(e)).collect::<Result<_, _>>()?;
    Ok(CardFilter { props, any: attribute(filter, "test") != Some("allof") })
}

impl Filters {
    fn count(&mut self) -> Result<(), Failure> {
        self.left = self.left.checked_sub(1).ok_or_else(|| filter_refused("a filter has at most 256 conditions"))?;
        Ok(())
    }

    fn comp(&mut self, element: &Element) -> Result<CompFilter, Failure> {
        self.count()?;
        let absent = element.child(self.ns, "is-not-defined").is_some();
        let range = element.child(self.ns, "time-range").map(|e| range(e, false)).transpose()?;
        let props = element.children().filter(|e| e.is(self.ns, "prop-filter")).map(|e| self.prop(e)).collect::<Result<_, _>>()?;
        let comps = element.children().filter(|e| e.is(self.ns, "comp-filter")).map(|e| self.comp(e)).collect::<Result<_, _>>()?;
        Ok(CompFilter { name: named(element)?, absent, range, props, comps })
    }

    fn prop(&mut self, element: &Element) -> Result<PropFilter, Failure> {
        self.count()?;
        let texts = element.children().filter(|e| e.is(self.ns, "text-match")).map(|e| self.text(e)).collect::<Result<_, _>>()?;
        let params = element.children().filter(|e| e.is(self.ns, "param-filter")).map(|e| self.param(e)).collect::<Result<_, _>>()?;
        Ok(PropFilter {
            name: named(element)?,
            absent: element.child(self.ns, "is-not-defined").is_some(),
            range: element.child(self.ns, "time-range").map(|e| range(e, false)).transpose()?,
            texts,
            params,
            // RFC 4791 knows no choice: all must hold. RFC 6352 begins with any.
            any: self.ns == CARDDAV && attribute(element, "test") != Some("allof"),
        })
    }

    fn param(&mut self, element: &Element) -> Result<ParamFilter, Failure> {
        self.count()?;
        let text = element.child(self.ns, "text-match").map(|e| self.text(e)).transpose()?;
        Ok(ParamFilter { name: named(element)?, absent: element.child(self.ns, "is-not-defined").is_some(), text })
    }

    fn text(&mut self, element: &Element) -> Result<TextMatch, Failure> {
        self.count()?;
        let of_cards = self.ns == CARDDAV;
        let collation = match attribute(element, "collation") {
            None if of_cards => Collation::UnicodeCasemap,
            None | Some("default") => Collation::AsciiCasemap,
            Some("i;ascii-casemap") => Collation::AsciiCasemap,
            Some("i;octet") => Collation::Octet,
            Some("i;unicode-casemap") => Collation::UnicodeCasemap,
            Some(_) => {
                let condition = if of_cards { "card:supported-collation" } else { "cal:supported-collation" };
                return Err(Failure::new(StatusCode::FORBIDDEN, "the collations are i;ascii-casemap, i;octet and i;unicode-casemap").with(condition));
            }
        };
        let kind = match attribute(element, "match-type") {
            Some("equals") => MatchType::Equals,
            Some("starts-with") => MatchType::StartsWith,
            Some("ends-with") => MatchType::EndsWith,
            _ => MatchType::Contains,
        };
        Ok(TextMatch { text: element.text(), collation, kind, negate: attribute(element, "negate-condition") == Some("yes") })
    }
}

/// RFC 6352 §10.6: at most so many.
pub fn limit(root: &Element) -> Result<Option<usize>, Failure> {
    let Some(n) = root.child(CARDDAV, "limit").and_then(|l| l.child(CARDDAV, "nresults")) else { return Ok(None) };
    n.text().trim().parse().map(Some).map_err(|_| invalid("CARDDAV:nresults is no number"))
}
