//! What a person keeps: folders, files, their content and versions, the trash. The same tree that WebDAV shows, asked for in
//! the way that pages need it.

mod archive;
mod changes;
mod content;
mod list;
mod trash;
mod versions;

use holm_core::{Entry, Error, Kind as EntryKind, Path, Result};
use holm_formats::media;
use holm_http::transfer::download::content_type;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::Web;
use crate::fields::{Id, Time};

const TAG: &str = "files";

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .merge(list::routes())
        .merge(content::routes())
        .merge(archive::routes())
        .merge(versions::routes())
        .merge(changes::routes())
        .merge(trash::routes())
}

/// What stands there.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ItemKind)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Folder,
    File,
}

impl From<EntryKind> for Kind {
    fn from(kind: EntryKind) -> Kind {
        if kind == EntryKind::Folder { Kind::Folder } else { Kind::File }
    }
}

/// A file or folder.
#[derive(Serialize, ToSchema)]
pub struct Item {
    /// Outlives renames and moves.
    id: Id,
    /// Empty for the root.
    name: String,
    kind: Kind,
    /// Of a file, in bytes.
    #[schema(minimum = 0)]
    size: u64,
    modified: Time,
    /// Changes with a file's content; a folder's with anything below it.
    etag: String,
    /// A file's media type.
    r#type: Option<String>,
}

impl From<&Entry> for Item {
    fn from(e: &Entry) -> Item {
        let (kind, r#type) = (e.kind.into(), (!e.is_folder()).then(|| typed(e).to_owned()));
        Item { id: Id(e.id), name: e.name.clone(), kind, size: e.size, modified: Time(e.modified), etag: e.etag(), r#type }
    }
}

/// A file's media type; where a client only said that it is bytes, what its name says.
fn typed(e: &Entry) -> &str {
    match content_type(e) {
        "application/octet-stream" => media::by_name(&e.name),
        told => told,
    }
}

/// A place in the tree.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Place {
    /// A path that begins with `/`.
    #[param(max_length = 4096, pattern = "^/", example = "/photos/a.jpg")]
    path: String,
}

/// The path that a text is.
///
/// # Errors
/// [`Error::Invalid`] where it does not begin with `/`, or has a name that is none.
pub fn path(text: &str) -> Result<Path> {
    if text.starts_with('/') { Path::parse(text) } else { Err(Error::Invalid("a path begins with /".into())) }
}
