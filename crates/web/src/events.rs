//! What changes, as it changes: server-sent events from the journal (WHATWG HTML §9.2), of what the asker may read. The id of
//! an event is the journal's number, so that whoever was away goes on where they were.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use holm_core::{Ability, Access, Difference, Error, Path, PersonId, Seq};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::{Caller, blocking};
use crate::fields::Id;
use crate::files::Item;
use crate::problem::Problem;
use crate::request::Query;

/// Streams that one session may have open.
const STREAMS: usize = 8;
/// How often it is looked whether the asker may still ask; changes of this process wake a stream at once.
const TICK: Duration = Duration::from_millis(250);
/// How often the journal is looked at for changes that another process made.
const LOOK: Duration = Duration::from_millis(750);
/// How often something is sent, so that whoever is gone is noticed.
const PULSE: Duration = Duration::from_secs(15);
/// Journal records in one event.
const TOGETHER: usize = 500;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(get_events))
}

/// The streams that are open.
#[derive(Clone)]
pub struct Live {
    open: Arc<Mutex<HashMap<(PersonId, i64), usize>>>,
    /// Turns true when the server is about to stop.
    closing: watch::Receiver<bool>,
}

impl Live {
    pub fn new(closing: watch::Receiver<bool>) -> Live {
        Live { open: Arc::default(), closing }
    }

    fn place(&self, session: (PersonId, i64)) -> Option<Held> {
        let mut open = self.open.lock().expect("open streams");
        let theirs = open.entry(session).or_insert(0);
        if *theirs >= STREAMS {
            return None;
        }
        *theirs += 1;
        Some(Held(self.open.clone(), session))
    }
}

/// One of a session's streams.
struct Held(Arc<Mutex<HashMap<(PersonId, i64), usize>>>, (PersonId, i64));

impl Drop for Held {
    fn drop(&mut self) {
        if let Slot::Occupied(mut theirs) = self.0.lock().expect("open streams").entry(self.1) {
            *theirs.get_mut() -= 1;
            if *theirs.get() == 0 {
                theirs.remove();
            }
        }
    }
}

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// What came after this event; the header `Last-Event-ID` counts for more. Without either: what comes from now on.
    #[param(inline)]
    since: Option<Id>,
}

/// A place where something changed, and what is there now: nothing, where it is gone.
#[derive(Serialize)]
struct Change {
    path: String,
    item: Option<Item>,
}

impl From<&Difference> for Change {
    fn from(d: &Difference) -> Change {
        Change { path: d.path.to_string(), item: d.entry.as_ref().map(Item::from) }
    }
}

fn event(id: Seq, changes: &[Difference]) -> String {
    let changes: Vec<Change> = changes.iter().map(Change::from).collect();
    let data = serde_json::to_string(&changes).expect("plain fields");
    format!("id: {}\ndata: {data}\n\n", id.0)
}

struct Stream {
    access: Access,
    wake: watch::Receiver<Seq>,
    closing: watch::Receiver<bool>,
    at: Seq,
    looked: Instant,
    sent: Instant,
    /// There is more than was told.
    more: bool,
    /// Ends when it has told all there is.
    once: bool,
    _held: Held,
}

impl Stream {
    /// What changed since the last time, as an event; nothing, where nothing did.
    async fn news(&mut self) -> Result<String, Problem> {
        let (access, since) = (self.access.clone(), self.at);
        let found = blocking(move || Ok(access.changes(since, TOGETHER)?)).await?;
        self.looked = Instant::now();
        if found.until == since {
            return Ok(String::new());
        }
        (self.at, self.sent, self.more) = (found.until, self.looked, !found.complete);
        Ok(event(found.until, &found.changed))
    }

    /// The next piece; None at its end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if *self.closing.borrow() || !self.may() {
                return None;
            }
            if self.once || self.more || self.looked.elapsed() >= LOOK {
                self.more = false;
                // Storage that fails is told of by what changes; the asker comes again.
                let text = self.news().await.ok()?;
                if !text.is_empty() {
                    return Some(text);
                }
                if self.once {
                    return None;
                }
            }
            if self.sent.elapsed() >= PULSE {
                self.sent = Instant::now();
                return Some(":\n\n".into());
            }
            self.more |= timeout(TICK, self.wake.changed()).await.is_ok();
        }
    }

    /// Whether the asker is still let in; what they may read of it is asked with each change.
    fn may(&self) -> bool {
        !matches!(self.access.allows(Ability::Read, &Path::root()), Err(Error::Forbidden(_)))
    }
}

/// What changes in files and folders, as it changes. Each event is a list of places with what is there now. Who does not ask for
/// `text/event-stream` by name gets what there is, and the answer ends
#[utoipa::path(get, path = "/events", tag = "files", params(Asked), responses(
    (status = 200, description = "Events, each with the number of its last change as its id", body = serde_json::Value, content_type = "text/event-stream"),
    (status = 429, description = "This session has eight streams open")
))]
async fn get_events(caller: Caller, Query(asked): Query<Asked>, headers: HeaderMap) -> Result<Response, Problem> {
    let session = (caller.session.party.person, caller.session.party.credential);
    let many = || Problem::wait(1, "this session has eight streams open; close one, or ask again");
    let held = caller.web.live.place(session).ok_or_else(many)?;
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let last = header("last-event-id").and_then(|id| id.parse().ok()).filter(|id| (0..=Id::MAX).contains(id));
    let once = !header(ACCEPT.as_str()).unwrap_or_default().contains("text/event-stream");
    let access = caller.access().await?;
    // Watched before it is asked what is newest, so that nothing falls between.
    let wake = access.watch();
    let newest = access.clone();
    let newest = blocking(move || Ok(newest.seq()?)).await?;
    let at = Seq(last.or(asked.since.map(|id| id.0)).unwrap_or(newest.0)).min(newest);
    let (looked, sent) = (Instant::now(), Instant::now());
    let stream = Stream { access, wake, closing: caller.web.live.closing.clone(), at, looked, sent, more: false, once, _held: held };
    // The first tells where it begins, for whoever comes back.
    let first = format!("retry: 1000\nid: {}\ndata: []\n\n", at.0);
    let told = stream::unfold((stream, Some(first)), |(mut stream, first)| async move {
        let text = match first {
            Some(first) => first,
            None => stream.next().await?,
        };
        Some((Ok::<_, std::io::Error>(Bytes::from(text)), (stream, None)))
    });
    // Proxies are not to gather what is to come at once.
    let head = Response::builder().header(CONTENT_TYPE, "text/event-stream").header("X-Accel-Buffering", "no");
    Ok(head.body(Body::from_stream(told)).expect("plain headers"))
}
