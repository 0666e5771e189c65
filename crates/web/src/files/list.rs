//! Folders, a page at a time, in the order that is asked for.

use holm_core::{Access, Entry, Error, Order as By, Path};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Item, Place, TAG, path};
use crate::Web;
use crate::caller::Granted;
use crate::fields::Whole;
use crate::problem::Problem;
use crate::request::{Json, Query};

/// Members looked at for one page, at most: a filter that fits few of them must not read a large folder whole.
const LOOKED_AT: usize = 20_000;
/// Members read at a time.
const READ: usize = 1_000;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_folder)).routes(routes!(get_item))
}

/// By what a folder's members are put in order.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[schema(as = ItemOrder)]
#[serde(rename_all = "kebab-case")]
enum Order {
    /// As their bytes go, without regard to language.
    #[default]
    Name,
    NameFalling,
    Modified,
    ModifiedFalling,
    Size,
    SizeFalling,
}

impl From<Order> for (By, bool) {
    fn from(order: Order) -> (By, bool) {
        match order {
            Order::Name => (By::Name, false),
            Order::NameFalling => (By::Name, true),
            Order::Modified => (By::Modified, false),
            Order::ModifiedFalling => (By::Modified, true),
            Order::Size => (By::Size, false),
            Order::SizeFalling => (By::Size, true),
        }
    }
}

/// Where a page ended: a rank in the order, and a name.
struct Cursor(i64, String);

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Cursor, D::Error> {
        let text = String::deserialize(from)?;
        let parts = text.split_once('.').and_then(|(rank, key)| Some(Cursor(rank.parse().ok()?, key.to_owned())));
        // No name has a NUL, and one of the engines would not take it.
        parts.filter(|c| !c.1.contains('\0')).ok_or_else(|| D::Error::custom("`after` takes what `next` said"))
    }
}

/// How many items to answer at most.
#[derive(Clone, Copy, ToSchema)]
#[schema(minimum = 1, maximum = 5000, default = 1000)]
struct Many(i64);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Many, D::Error> {
        from.deserialize_i64(Whole(1, 5_000)).map(Many)
    }
}

/// Which part of which folder.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// A folder's path.
    #[param(max_length = 4096, pattern = "^/", example = "/photos")]
    path: String,
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// Only names that hold this text, in small letters or capitals.
    #[serde(default)]
    #[param(max_length = 255)]
    filter: String,
    /// The `next` of the page before.
    #[param(value_type = Option<String>, pattern = r"^-?[0-9]{1,18}\.[^\u0000]*$", max_length = 300)]
    after: Option<Cursor>,
    /// How many at most.
    #[param(inline)]
    limit: Option<Many>,
}

/// A part of a folder.
#[derive(Serialize, ToSchema)]
struct Folder {
    /// The folder itself.
    folder: Item,
    /// May be fewer than asked for, also none, while there are more.
    items: Vec<Item>,
    /// What to give as `after` for more; null at the end.
    next: Option<String>,
}

impl Asked {
    fn answer(self, access: &Access) -> holm_core::Result<Folder> {
        let place = path(&self.path)?;
        let folder = access.stat(&place)?;
        if !folder.is_folder() {
            return Err(Error::IsFile(place));
        }
        let (limit, order) = (self.limit.map_or(1_000, |limit| limit.0 as usize), self.order.into());
        let (items, next) = page(access, &place, &folder, order, &self.filter.to_lowercase(), self.after, limit)?;
        Ok(Folder { folder: (&folder).into(), items, next })
    }
}

fn page(
    access: &Access,
    place: &Path,
    folder: &Entry,
    order: (By, bool),
    filter: &str,
    mut after: Option<Cursor>,
    limit: usize,
) -> holm_core::Result<(Vec<Item>, Option<String>)> {
    let (mut items, mut seen) = (Vec::new(), 0);
    loop {
        let wanted = if filter.is_empty() { limit - items.len() } else { READ };
        let members = access.list_by(place, folder.id, order, after.as_ref().map(|Cursor(rank, key)| (*rank, key.as_str())), wanted)?;
        let there_is_more = members.len() == wanted;
        seen += members.len();
        for e in &members {
            if filter.is_empty() || e.name.to_lowercase().contains(filter) {
                items.push(e.into());
            }
            after = Some(Cursor(order.0.rank(e), e.key.clone()));
            if items.len() == limit {
                break;
            }
        }
        let full = items.len() == limit || seen >= LOOKED_AT;
        if full || !there_is_more {
            let next = after.filter(|_| full && (there_is_more || items.len() == limit));
            return Ok((items, next.map(|Cursor(rank, key)| format!("{rank}.{key}"))));
        }
    }
}

/// A folder and what it holds
#[utoipa::path(get, path = "/files", tag = TAG, security(("session" = []), ("token" = [])), params(Asked), responses(
    (status = 200, description = "The folder", body = Folder),
    (status = 404, description = "Nothing is there"),
    (status = 409, description = "It is a file"),
    (status = 422, description = "That is no path")
))]
async fn list_folder(caller: Granted, Query(asked): Query<Asked>) -> Result<Json<Folder>, Problem> {
    caller.with(move |access| asked.answer(access)).await.map(Json)
}

/// One file or folder
#[utoipa::path(get, path = "/files/item", tag = TAG, security(("session" = []), ("token" = [])), params(Place), responses(
    (status = 200, description = "What is there", body = Item),
    (status = 404, description = "Nothing is there"),
    (status = 422, description = "That is no path")
))]
async fn get_item(caller: Granted, Query(asked): Query<Place>) -> Result<Json<Item>, Problem> {
    caller.with(move |access| access.stat(&path(&asked.path)?).map(|e| Item::from(&e))).await.map(Json)
}
