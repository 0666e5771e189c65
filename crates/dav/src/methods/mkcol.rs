//! MKCOL (RFC 4918 §9.3) and extended MKCOL (RFC 5689).

use holm_core::{Change, PropChange};
use holm_formats::dav::{self, DAV, PropUpdate};
use http::StatusCode;

use crate::{Answer, Call, Failure, props, status};

pub async fn mkcol(mut call: Call) -> Answer {
    let xml_type = call.header("content-type").is_some_and(|t| t.contains("xml"));
    let body = if call.header("content-type").is_some() && !xml_type { unknown_body(&mut call).await? } else { call.xml().await };
    let props = match body {
        Ok(None) => Vec::new(),
        Ok(Some(root)) if root.is(DAV, "mkcol") => properties(dav::mkcol(&root)?)?,
        Ok(Some(_)) => return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body of MKCOL is DAV:mkcol or nothing")),
        Err(failure) => return Err(failure),
    };
    let change = Change::MakeFolder { path: call.path.clone(), props };
    call.access.commit(change, call.precondition()?).await.map_err(|e| call.failure(e))?;
    Ok(status(StatusCode::CREATED))
}

/// A body of a type that MKCOL does not know: none at all is fine.
async fn unknown_body(call: &mut Call) -> Result<Result<Option<holm_formats::xml::Element>, Failure>, Failure> {
    match holm_http::body::whole(&mut call.body, crate::MAX_XML).await?.is_empty() {
        true => Ok(Ok(None)),
        false => Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body of MKCOL is XML or nothing")),
    }
}

fn properties(updates: Vec<PropUpdate>) -> Result<Vec<PropChange>, Failure> {
    let mut changes = Vec::new();
    for update in updates {
        let PropUpdate::Set(element) = update else { return Err(Failure::bad("DAV:mkcol sets properties, it removes none")) };
        if element.is(DAV, "resourcetype") {
            let plain = element.children().all(|t| t.is(DAV, "collection"));
            if !plain {
                return Err(Failure::new(StatusCode::FORBIDDEN, "only plain collections can be made here").with("valid-resourcetype", None));
            }
        } else if element.is(DAV, "displayname") {
            // A folder is called by its name here; saying another is not an error worth failing for.
        } else if props::is_protected(&element.name) {
            return Err(Failure::new(StatusCode::FORBIDDEN, "a protected property").with("cannot-modify-protected-property", None));
        } else {
            changes.push(PropChange::Set { name: element.name.clark(), value: element.to_fragment() });
        }
    }
    Ok(changes)
}
