//! `holm export`: a person's tree as plain files with their times. What is there already, with the same size and time,
//! is not written again; each file appears whole or not at all.

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::{Path as FsPath, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use holm_core::{Access, Content, Entry, Path, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

/// What a file is called while it is being written: no name in a tree holds a control character.
const PART: &str = ".holm-export\u{1}";

#[derive(Args)]
pub struct Export {
    person: String,
    /// The directory to write to; made where there is none
    dir: PathBuf,
    /// Only what lies at and below this folder
    #[arg(long, default_value = "/")]
    path: String,
    /// Go on with an earlier export, or bring it up to date: files that differ are written anew
    #[arg(long)]
    again: bool,
}

/// One export under way.
struct Walk<'a> {
    access: &'a Access,
    top: &'a FsPath,
    bar: ProgressBar,
    files: u64,
    folders: u64,
    bytes: u64,
    /// Files that were there already.
    kept: u64,
    /// Files that can not be read whole, and why.
    damaged: Vec<String>,
}

fn at(path: &FsPath) -> impl Fn(std::io::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let path = path.display().to_string();
    move |e| format!("{path}: {e}").into()
}

fn system_time(t: Timestamp) -> SystemTime {
    let span = Duration::from_millis(t.0.unsigned_abs());
    if t.0 < 0 { UNIX_EPOCH - span } else { UNIX_EPOCH + span }
}

impl Export {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let access = opened.access(&self.person)?;
        let path = Path::parse(&self.path)?;
        let top = access.stat(&path)?;
        if !top.is_folder() {
            return Err(format!("{path} is a file; holm cat writes one file").into());
        }
        fs::create_dir_all(&self.dir).map_err(at(&self.dir))?;
        if !self.again && fs::read_dir(&self.dir).map_err(at(&self.dir))?.next().is_some() {
            return Err(format!("{} is not empty: give --again to go on with an export in it, or an empty directory", self.dir.display()).into());
        }
        let bar = if opened.json || !std::io::stderr().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new(access.usage()?.used) };
        bar.set_style(ProgressStyle::with_template("{bar:30} {bytes} of at most {total_bytes}, {bytes_per_sec}  {wide_msg}")?);
        let mut walk = Walk { access: &access, top: &self.dir, bar, files: 0, folders: 0, bytes: 0, kept: 0, damaged: Vec::new() };
        walk.folder(&path, &top, &self.dir)?;
        walk.bar.finish_and_clear();
        // One sync for all of it: the files are said to be written, so they must be.
        rustix::fs::syncfs(File::open(&self.dir).map_err(at(&self.dir))?).map_err(|e| format!("syncing {}: {e}", self.dir.display()))?;
        let text = format!(
            "{} files and {} folders are in {} ({} bytes written, {} files were there already).",
            walk.files,
            walk.folders,
            self.dir.display(),
            walk.bytes,
            walk.kept
        );
        opened.say(
            text,
            json!({ "person": self.person, "files": walk.files, "folders": walk.folders, "bytes": walk.bytes, "kept": walk.kept, "damaged": walk.damaged }),
        );
        if walk.damaged.is_empty() {
            return Ok(());
        }
        walk.damaged.iter().filter(|_| !opened.json).for_each(|d| opened.print(format!("DAMAGED  {d}")));
        Err(format!("{} files are damaged and were left out; all others are there", walk.damaged.len()).into())
    }
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path, folder: &Entry, dir: &FsPath) -> Fallible<()> {
        let mut open = vec![(path.clone(), folder.clone(), dir.to_owned())];
        let mut done = Vec::new();
        while let Some((path, folder, dir)) = open.pop() {
            let mut after = String::new();
            loop {
                let page = self.access.list(&path, folder.id, &after, 1_000)?;
                let Some(last) = page.last() else { break };
                after = last.key.clone();
                for member in page {
                    let (path, place) = (path.join(holm_core::Name::new(member.name.clone())?), dir.join(&member.name));
                    if member.is_folder() {
                        make_dir(&place)?;
                        self.folders += 1;
                        open.push((path, member, place));
                    } else {
                        self.file(&path, &place)?;
                    }
                }
            }
            done.push((dir, folder.modified));
        }
        // Last, because writing into a folder changes its time; deepest first.
        for (dir, modified) in done.iter().rev() {
            File::open(dir).and_then(|d| d.set_modified(system_time(*modified))).map_err(at(dir))?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, place: &FsPath) -> Fallible<()> {
        // Opened first: entry and content must be of one moment.
        let (entry, content) = match self.access.open(path) {
            Err(holm_core::Error::NotFound(_)) => return Ok(()),
            other => other?,
        };
        self.files += 1;
        let modified = system_time(entry.modified);
        match fs::symlink_metadata(place) {
            Ok(there) if there.is_file() && there.len() == entry.size && there.modified().is_ok_and(|t| t == modified) => {
                self.kept += 1;
                self.bar.inc(entry.size);
                return Ok(());
            }
            Ok(there) if !there.is_file() => return Err(format!("{} is there already and is no file; export to an empty directory", place.display()).into()),
            _ => {}
        }
        self.bar.set_message(path.to_string());
        let part = self.top.join(PART);
        let mut file = File::create(&part).map_err(at(&part))?;
        match self.write(&mut file, content) {
            Err(e) if e.downcast_ref::<holm_core::Error>().is_some() => {
                self.files -= 1;
                self.damaged.push(format!("{path}: {e}"));
                return fs::remove_file(&part).map_err(at(&part));
            }
            other => other.map_err(|e| format!("{path}: {e}"))?,
        }
        file.set_modified(modified).map_err(at(&part))?;
        drop(file);
        fs::rename(&part, place).map_err(at(place))?;
        self.bytes += entry.size;
        Ok(())
    }

    fn write(&mut self, file: &mut File, content: Content) -> Fallible<()> {
        match content {
            Content::Inline(bytes) => {
                file.write_all(&bytes)?;
                self.bar.inc(bytes.len() as u64);
            }
            Content::Chunked(cut) => {
                let (mut at, mut block) = (0, Vec::new());
                while at < cut.size() {
                    block.clear();
                    at += self.access.read_some(&cut, at, cut.size(), &mut block)?;
                    file.write_all(&block)?;
                    self.bar.inc(block.len() as u64);
                }
            }
        }
        Ok(())
    }
}

fn make_dir(place: &FsPath) -> Fallible<()> {
    match fs::create_dir(place) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && fs::symlink_metadata(place).is_ok_and(|m| m.is_dir()) => Ok(()),
        other => other.map_err(at(place)),
    }
}
