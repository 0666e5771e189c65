//! Folders to take along: a zip that is made as it is sent, of bytes as they are. Nobody's thread waits for a slow reader:
//! each block is made when it is asked for.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use holm_core::{Access, Content, Cut, Entry, Error, Path, Transfer};
use holm_formats::date;
use holm_http::transfer::place as turn;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::content::disposition;
use super::{TAG, path};
use crate::Web;
use crate::caller::{Granted, blocking};
use crate::problem::Problem;
use crate::request::Query;

/// Files and folders in one archive: each is remembered until its end (T15).
const MOST: usize = 100_000;
/// Bytes made at a time.
const BLOCK: usize = 512 * 1024;
/// From this size on a file's entry has room for larger numbers (APPNOTE 4.5.3).
const LARGE: u64 = u32::MAX as u64;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(get_archive))
}

/// What is to be in it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// A folder's path.
    #[param(max_length = 4096, pattern = "^/", example = "/photos")]
    path: String,
    /// Only these of its members, with `/` between their names.
    #[serde(default)]
    #[param(max_length = 1000)]
    names: String,
}

/// Where the zip writes to until it is sent.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Vec<u8>>>);

impl Write for Made {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the archive's block").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Something that goes into the archive, under which name.
struct Member {
    name: String,
    path: Path,
    folder: bool,
    size: u64,
    modified: i64,
}

/// An archive on its way.
struct Archive {
    access: Access,
    /// None once it is whole.
    zip: Option<ZipWriter<StreamWriter<Made>>>,
    made: Made,
    members: std::vec::IntoIter<Member>,
    /// The file being sent, and how far.
    open: Option<(Cut, u64)>,
    /// A place among this person's downloads.
    _place: OwnedSemaphorePermit,
}

/// A name that means the same to every program that unpacks: on Windows some take `\` for a separator and what stands before `:` for a
/// disk, drop dots and spaces at the end, and write from right to left where a character says so (T15).
fn portable(name: &str) -> String {
    let steers = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String = name.chars().map(|c| if matches!(c, '\\' | ':') || c.is_control() || steers(c) { '_' } else { c }).collect();
    let kept = plain.trim_end_matches(['.', ' ']);
    format!("{kept}{}", "_".repeat(plain.len() - kept.len()))
}

fn member(name: String, path: Path, e: &Entry) -> Member {
    Member { name, path, folder: e.is_folder(), size: e.size, modified: e.modified.0 }
}

/// Everything below some members of a folder, folders before what they hold.
fn members(access: &Access, top: &Path, names: &str) -> holm_core::Result<Vec<Member>> {
    let mut found = Vec::new();
    let mut folders: Vec<(String, Path, i64)> = Vec::new();
    let folder = access.stat(top)?;
    if !folder.is_folder() {
        return Err(Error::IsFile(top.clone()));
    }
    if names.is_empty() {
        folders.push((String::new(), top.clone(), folder.id));
    }
    for name in names.split('/').filter(|name| !name.is_empty()) {
        let at = top.join(holm_core::Name::new(name)?);
        let e = access.stat(&at)?;
        found.push(member(portable(&e.name), at.clone(), &e));
        if e.is_folder() {
            folders.push((format!("{}/", portable(&e.name)), at, e.id));
        }
    }
    while let Some((prefix, at, id)) = folders.pop() {
        let mut after = String::new();
        loop {
            let page = access.list(&at, id, &after, 1_000)?;
            let Some(last) = page.last() else { break };
            after = last.key.clone();
            for e in &page {
                let (name, path) = (format!("{prefix}{}", portable(&e.name)), at.join(holm_core::Name::new(e.name.clone())?));
                if e.is_folder() {
                    folders.push((format!("{name}/"), path.clone(), e.id));
                }
                found.push(member(name, path, e));
            }
            if found.len() > MOST {
                return Err(Error::Invalid("more than 100,000 files and folders are below it; take its folders one by one".into()));
            }
        }
    }
    Ok(found)
}

impl Archive {
    /// Makes the next block; an empty one where it is whole.
    fn next(&mut self) -> std::io::Result<Vec<u8>> {
        let other = |e: Error| std::io::Error::other(e.to_string());
        while self.made.0.lock().expect("the archive's block").len() < BLOCK {
            let Some(zip) = &mut self.zip else { break };
            if let Some((cut, at)) = &mut self.open {
                let mut bytes = Vec::new();
                let size = cut.size();
                *at += self.access.read_some(cut, *at, size.min(*at + BLOCK as u64), &mut bytes).map_err(other)?;
                let done = *at >= size;
                zip.write_all(&bytes)?;
                if done {
                    self.open = None;
                }
                continue;
            }
            match self.members.next() {
                Some(member) => self.begin(member)?,
                None => _ = self.zip.take().map(ZipWriter::finish).transpose().map_err(std::io::Error::other)?,
            }
        }
        Ok(std::mem::take(&mut *self.made.0.lock().expect("the archive's block")))
    }

    fn begin(&mut self, member: Member) -> std::io::Result<()> {
        let Some(zip) = &mut self.zip else { return Ok(()) };
        let (year, month, day, hour, minute, second) = date::civil(member.modified);
        let at = DateTime::from_date_and_time(year.max(0) as u16, month, day, hour, minute, second).unwrap_or_default();
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).last_modified_time(at);
        if member.folder {
            return zip.add_directory(format!("{}/", member.name), options).map_err(std::io::Error::other);
        }
        let (entry, content) = match self.access.open(&member.path) {
            Ok(opened) => opened,
            // It went meanwhile.
            Err(Error::NotFound(_) | Error::IsFolder(_)) => return Ok(()),
            Err(e) => return Err(std::io::Error::other(e.to_string())),
        };
        zip.start_file(member.name, options.large_file(entry.size.max(member.size) >= LARGE)).map_err(std::io::Error::other)?;
        match content {
            Content::Inline(bytes) => zip.write_all(&bytes),
            Content::Chunked(cut) => {
                self.open = Some((cut, 0));
                Ok(())
            }
        }
    }
}

/// A folder with everything below it, or some of its members, as a zip
#[utoipa::path(get, path = "/files/archive", tag = TAG, security(("session" = []), ("token" = [])), params(Asked), responses(
    (status = 200, description = "A zip, of bytes as they are", body = Vec<u8>, content_type = "application/zip"),
    (status = 404, description = "Nothing is there"),
    (status = 409, description = "It is a file"),
    (status = 422, description = "That is no path, or there is too much below it")
))]
async fn get_archive(caller: Granted, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let access = caller.access().await?;
    let place = turn(&access, Transfer::Down).await?;
    let archive = blocking(move || {
        let top = path(&asked.path)?;
        let members = members(&access, &top, &asked.names)?;
        let name = match members.as_slice() {
            [one] if !asked.names.is_empty() => one.name.clone(),
            _ => top.name().map_or_else(|| "files".into(), |name| name.as_str().to_owned()),
        };
        let made = Made::default();
        let zip = Some(ZipWriter::new_stream(made.clone()));
        Ok((name, Archive { access, zip, made, members: members.into_iter(), open: None, _place: place }))
    });
    let (name, archive) = archive.await?;
    let blocks = stream::unfold(Some(archive), |archive| async move {
        let mut archive = archive?;
        let made = tokio::task::spawn_blocking(move || {
            let block = archive.next();
            (archive, block)
        });
        match made.await {
            Ok((_, Ok(block))) if block.is_empty() => None,
            Ok((archive, Ok(block))) => Some((Ok(Bytes::from(block)), Some(archive))),
            Ok((_, Err(e))) => Some((Err(e), None)),
            Err(e) => Some((Err(std::io::Error::other(e)), None)),
        }
    });
    let head = Response::builder().header(CONTENT_TYPE, "application/zip").header(CONTENT_DISPOSITION, disposition(true, &format!("{name}.zip")));
    Ok(head.body(Body::from_stream(blocks)).expect("plain headers"))
}

#[cfg(test)]
mod tests {
    use super::portable;

    #[test]
    fn t15_names_mean_the_same_to_every_program_that_unpacks() {
        for (name, packed) in [
            ("Ångström 1.txt", "Ångström 1.txt"),
            ("..\\..\\evil.txt", ".._.._evil.txt"),
            ("\\\\host\\share", "__host_share"),
            ("C:evil.txt", "C_evil.txt"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
            ("dots. .", "dots___"),
            ("...", "___"),
        ] {
            assert_eq!(portable(name), packed);
        }
    }
}
