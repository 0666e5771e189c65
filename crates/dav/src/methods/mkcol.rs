//! MKCOL (RFC 4918 §9.3) and extended MKCOL (RFC 5689).

use holm_core::{Change, MAX_VALUE, PropChange};
use holm_formats::dav::{self, DAV, PropUpdate};
use holm_formats::xml::{Element, QName, Writer};
use http::StatusCode;

use crate::multistatus::propstat;
use crate::{Answer, Call, Failure, Mount, props, status, xml_answer};

pub async fn mkcol(mut call: Call) -> Answer {
    let props = match body(&mut call).await? {
        None => Vec::new(),
        Some(root) if root.is(DAV, "mkcol") => dav::mkcol(&root)?,
        Some(_) => return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body of MKCOL is DAV:mkcol or nothing")),
    };
    let names: Vec<QName> = props.iter().map(|p| p.name().clone()).collect();
    let props = match properties(&call.mount, props)? {
        Ok(props) => props,
        Err(refused) => return Ok(refusal(&names, &refused)),
    };
    let change = Change::MakeFolder { path: call.path.clone(), props };
    call.access.commit(change, call.precondition()?).await?;
    Ok(status(StatusCode::CREATED))
}

/// An XML body; one of another type must be empty.
pub async fn body(call: &mut Call) -> Result<Option<Element>, Failure> {
    if call.header("content-type").is_none_or(|t| t.contains("xml")) {
        return call.xml().await;
    }
    match call.body.whole(crate::MAX_XML).await?.is_empty() {
        true => Ok(None),
        false => Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body of MKCOL is XML or nothing")),
    }
}

/// A property that cannot be set, and why.
pub struct Refused {
    pub name: QName,
    pub status: StatusCode,
    pub condition: Option<&'static str>,
}

fn properties(mount: &Mount, updates: Vec<PropUpdate>) -> Result<Result<Vec<PropChange>, Refused>, Failure> {
    let mut changes = Vec::new();
    for update in updates {
        let PropUpdate::Set(element) = update else { return Err(Failure::bad("DAV:mkcol sets properties, it removes none")) };
        let refused = |status, condition| Ok(Err(Refused { name: element.name.clone(), status, condition }));
        if element.is(DAV, "resourcetype") {
            let plain = element.children().all(|t| t.is(DAV, "collection"));
            if !plain {
                return Err(Failure::new(StatusCode::FORBIDDEN, "only plain collections can be made here").with("valid-resourcetype"));
            }
        } else if element.is(DAV, "displayname") {
            // A folder is called by its name here; saying another is not an error worth failing for.
        } else if props::is_protected(mount, &element.name) {
            return refused(StatusCode::FORBIDDEN, Some("d:cannot-modify-protected-property"));
        } else {
            match element.to_fragment(MAX_VALUE) {
                Some(value) => changes.push(PropChange::Set { name: element.name.clark(), value }),
                None => return refused(StatusCode::INSUFFICIENT_STORAGE, None),
            }
        }
    }
    Ok(Ok(changes))
}

/// RFC 5689 §5.2: nothing was made, because of one property.
pub fn refusal(names: &[QName], refused: &Refused) -> axum::response::Response {
    let mut xml = Writer::document("d:mkcol-response", &[("d", DAV)]);
    propstat(&mut xml, std::slice::from_ref(&refused.name), refused.status, refused.condition);
    let others: Vec<_> = names.iter().filter(|n| **n != refused.name).cloned().collect();
    if !others.is_empty() {
        propstat(&mut xml, &others, StatusCode::FAILED_DEPENDENCY, None);
    }
    xml.close("d:mkcol-response");
    xml_answer(StatusCode::FORBIDDEN, xml.take())
}
