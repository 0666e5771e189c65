//! Changes to files and folders, up to a thousand in a request, each with what would undo it.

use holm_core::{Access, Change as Done, Depth, Error, Outcome, Overwrite, Path, Seq};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Item, TAG, path};
use crate::Web;
use crate::caller::{Granted, blocking};
use crate::fields::Id;
use crate::problem::{Details, Problem};
use crate::request::{Json, Large};

/// Changes in one request.
const MOST: usize = 1_000;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(change_files))
}

/// A path that begins with `/`.
#[derive(Clone, Serialize, ToSchema)]
#[schema(max_length = 4096, pattern = "^/", example = "/photos/2026")]
struct At(String);

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<At, D::Error> {
        let text = String::deserialize(from)?;
        let right = text.starts_with('/') && text.chars().count() <= 4_096;
        if right { Ok(At(text)) } else { Err(D::Error::custom("a path begins with / and has at most 4,096 characters")) }
    }
}

/// One change. Nothing that is there is ever written over.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = FileChange)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Change {
    MakeFolder {
        #[schema(inline)]
        path: At,
    },
    /// To another folder, or another name.
    Move {
        #[schema(inline)]
        from: At,
        #[schema(inline)]
        to: At,
    },
    /// With everything below.
    Copy {
        #[schema(inline)]
        from: At,
        #[schema(inline)]
        to: At,
    },
    /// Into the trash.
    Delete {
        #[schema(inline)]
        path: At,
    },
    /// Out of the trash, to where it was, or to `to`.
    Restore {
        #[schema(inline)]
        id: Id,
        #[schema(inline)]
        to: Option<At>,
    },
    /// An earlier version of a file becomes its content; the present one becomes the newest earlier version.
    Revert {
        #[schema(inline)]
        path: At,
        #[schema(inline)]
        version: Id,
    },
}

impl Change {
    fn read(&self) -> holm_core::Result<Done> {
        let overwrite = Overwrite::No;
        Ok(match self {
            Change::MakeFolder { path: at } => Done::MakeFolder { path: path(&at.0)?, props: Vec::new() },
            Change::Move { from, to } => Done::Move { from: path(&from.0)?, to: path(&to.0)?, overwrite },
            Change::Copy { from, to } => Done::Copy { from: path(&from.0)?, to: path(&to.0)?, overwrite, depth: Depth::Infinity },
            Change::Delete { path: at } => Done::Remove { path: path(&at.0)? },
            Change::Restore { id, to } => Done::Restore { entry: id.0, to: to.as_ref().map(|to| path(&to.0)).transpose()? },
            Change::Revert { path: at, version } => Done::Revert { path: path(&at.0)?, version: Seq(version.0) },
        })
    }

    /// What undoes it; `now` is where what it made stands.
    fn undo(&self, done: &holm_core::Done, now: Option<&Path>) -> Option<Change> {
        match self {
            Change::MakeFolder { path: at } | Change::Copy { to: at, .. } if done.outcome == Outcome::Created => Some(Change::Delete { path: at.clone() }),
            Change::Restore { .. } => now.map(|at| Change::Delete { path: At(at.to_string()) }),
            Change::Move { from, to } if done.outcome == Outcome::Created => Some(Change::Move { from: to.clone(), to: from.clone() }),
            Change::Delete { .. } => done.before.as_ref().map(|gone| Change::Restore { id: Id(gone.id), to: None }),
            Change::Revert { path, .. } => done.before.as_ref().map(|old| Change::Revert { path: path.clone(), version: Id(old.version.0) }),
            _ => None,
        }
    }
}

/// What is to be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Changes {
    #[schema(min_items = 1, max_items = 1000)]
    changes: Vec<Change>,
}

/// What one change came to.
#[derive(Serialize, ToSchema)]
#[schema(as = FileChanged)]
struct Changed {
    /// Where what it made or moved stands now.
    path: Option<String>,
    item: Option<Item>,
    /// The change that undoes it; null where there is none.
    undo: Option<Change>,
    /// Why it was not made; null where it was.
    problem: Option<Details>,
}

impl Changed {
    fn of(asked: &Change, done: holm_core::Result<holm_core::Done>, access: &Access) -> Changed {
        let done = match done {
            Ok(done) => done,
            Err(e) => return Changed { path: None, item: None, undo: None, problem: Some(Problem::from(e).details()) },
        };
        let now = done.entry.as_ref().and_then(|e| access.path_of(e.id).ok().flatten());
        let undo = asked.undo(&done, now.as_ref());
        Changed { path: now.map(|at| at.to_string()), item: done.entry.as_ref().map(Item::from), undo, problem: None }
    }
}

/// What the changes came to, one answer each in their order.
#[derive(Serialize, ToSchema)]
struct Answers {
    items: Vec<Changed>,
}

/// Make changes, in their order; those that can not be made do not hold up the others
#[utoipa::path(post, path = "/files/changes", tag = TAG, security(("session" = []), ("token" = [])), request_body = Changes, responses(
    (status = 200, description = "What each came to", body = Answers)
))]
async fn change_files(caller: Granted, Large(asked): Large<Changes>) -> Result<Json<Answers>, Problem> {
    let changes = asked.changes;
    if changes.is_empty() || changes.len() > MOST {
        return Err(Error::Invalid("one to a thousand changes come in a request".into()).into());
    }
    let access = caller.access().await?;
    // One that is none is refused like one that can not be made, and the others are not held up.
    let read: Vec<_> = changes.iter().map(Change::read).collect();
    let (good, bad): (Vec<_>, Vec<_>) = read.into_iter().enumerate().partition(|(_, read)| read.is_ok());
    let (places, good): (Vec<_>, Vec<_>) = good.into_iter().filter_map(|(n, read)| Some((n, read.ok()?))).unzip();
    let mut done: Vec<_> = places.into_iter().zip(access.commit_all(good).await).collect();
    done.extend(bad.into_iter().filter_map(|(n, read)| Some((n, Err(read.err()?)))));
    done.sort_by_key(|(n, _)| *n);
    let told = move || Ok(changes.iter().zip(done).map(|(asked, (_, done))| Changed::of(asked, done, &access)).collect());
    Ok(Json(Answers { items: blocking(told).await? }))
}
