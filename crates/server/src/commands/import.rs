//! `holm import`: calendars and contacts from files that other programs exported.

use std::path::{Path as FilePath, PathBuf};

use clap::Args;
use holm_core::{Access, Change, Error, Name, NewContent, Path, Precondition, PropChange};
use holm_pim::lines::text;
use holm_pim::split::{Export, Object, split};
use holm_pim::{Kind, Zone};
use serde_json::json;
use tokio::task::JoinSet;

use super::Opened;
use crate::settings::Fallible;

/// Objects on their way at a time: the writer takes them together.
const AT_ONCE: usize = 256;
/// How often a long import says how far it is, in objects.
const TOLD: usize = 1_000;

#[derive(Args)]
pub struct Import {
    person: String,
    /// Files of calendars (.ics) or contacts (.vcf), of any size
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The calendar or address book to put everything into; else the file's own name for it
    #[arg(long)]
    into: Option<String>,
}

/// What became of a file.
#[derive(Default)]
struct Done {
    new: u64,
    changed: u64,
    same: u64,
    /// What was not understood, and why.
    left: Vec<String>,
}

impl Import {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let access = opened.access(&self.person)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        for file in &self.files {
            let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
            let text = text(&bytes).map_err(|e| format!("{}: {e}; save it as UTF-8", file.display()))?;
            let export = split(&text);
            let shown = file.display();
            if export.objects.is_empty() && export.left.is_empty() {
                return Err(format!("{shown} holds no events, tasks or contacts").into());
            }
            let done = runtime.block_on(take(opened, &access, file, self.into.as_deref(), export))?;
            let summary = format!("{shown}: {} new, {} changed, {} there already, {} not understood", done.new, done.changed, done.same, done.left.len());
            opened.say(summary, json!({ "file": shown.to_string(), "new": done.new, "changed": done.changed, "same": done.same, "not_understood": done.left }));
            if !opened.json {
                done.left.iter().for_each(|line| opened.print(format!("  {line}")));
            }
        }
        Ok(())
    }
}

/// Puts all of a file into the person's tree. What was not understood is kept there too, as it came.
async fn take(opened: &Opened, access: &Access, file: &FilePath, into: Option<&str>, export: Export) -> Fallible<Done> {
    let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let called = into.map(str::to_owned).or(export.name).unwrap_or_else(|| stem.clone());
    let mut done = Done::default();
    if !export.left.is_empty() {
        done.left = keep_left(access, &stem, &export.left).await?;
    }
    let total = export.objects.len();
    let mut waiting = JoinSet::new();
    let mut folders: Vec<(Path, i64)> = Vec::new();
    for (n, object) in export.objects.into_iter().enumerate() {
        let path = collection(&object, &called)?;
        let folder = match folders.iter().find(|(known, _)| *known == path) {
            Some((_, id)) => *id,
            None => {
                let id = ready(access, &path, &called, object.facts.kind, export.zone.as_deref()).await?;
                folders.push((path.clone(), id));
                id
            }
        };
        if waiting.len() == AT_ONCE {
            count(&mut done, waiting.join_next().await)?;
        }
        let access = access.clone();
        waiting.spawn(async move { put(&access, path, folder, object).await });
        if !opened.json && total > TOLD && (n + 1) % TOLD == 0 {
            eprintln!("{} of {total}", n + 1);
        }
    }
    while let Some(answer) = waiting.join_next().await {
        count(&mut done, Some(answer))?;
    }
    Ok(done)
}

/// What putting one object came to.
enum Put {
    New,
    Changed,
    Same,
}

fn count(done: &mut Done, answer: Option<Result<Result<Put, Error>, tokio::task::JoinError>>) -> Fallible<()> {
    match answer.transpose()? {
        Some(Ok(Put::New)) => done.new += 1,
        Some(Ok(Put::Changed)) => done.changed += 1,
        Some(Ok(Put::Same)) => done.same += 1,
        Some(Err(e)) => return Err(e.into()),
        None => {}
    }
    Ok(())
}

/// Where an object belongs: tasks have a list of their own beside a calendar.
fn collection(object: &Object, called: &str) -> Fallible<Path> {
    let (home, name) = match object.facts.kind {
        Kind::Card => ("contacts", called.to_owned()),
        Kind::Todo => ("calendars", format!("{called} tasks")),
        _ => ("calendars", called.to_owned()),
    };
    Ok(Path::root().join(Name::new(home)?).join(Name::new(clean(&name, 200))?))
}

/// A name that a file may have.
fn clean(text: &str, most: usize) -> String {
    let mut name: String = text.chars().map(|c| if c == '/' || c.is_control() { '-' } else { c }).collect();
    while name.len() > most {
        name.pop();
    }
    let name = name.trim();
    if name.is_empty() || name.chars().all(|c| c == '.') { "imported".into() } else { name.to_owned() }
}

/// Makes a calendar or address book, where it is not there; answers its id.
async fn ready(access: &Access, path: &Path, called: &str, kind: Kind, zone: Option<&str>) -> Fallible<i64> {
    let parent = path.parent().unwrap_or_default();
    if let Err(Error::NotFound(_)) = access.stat(&parent) {
        holm_caldav::furnish(access).await?;
    }
    if let Err(Error::NotFound(_)) = access.stat(path) {
        let mut props = Vec::new();
        match kind {
            Kind::Card => {}
            Kind::Todo => props.push(holm_caldav::component_set(["VTODO"].into_iter())),
            _ => props.push(holm_caldav::component_set(["VEVENT", "VJOURNAL", "VFREEBUSY"].into_iter())),
        }
        if let Some(zone) = zone.filter(|z| kind != Kind::Card && Zone::named(z).is_some()) {
            props.push(holm_caldav::property("urn:ietf:params:xml:ns:caldav", "calendar-timezone-id", zone));
        }
        let shown = if kind == Kind::Todo { format!("{called} tasks") } else { called.to_owned() };
        props.push(holm_caldav::property("DAV:", "displayname", &shown));
        let change = Change::MakeFolder { path: path.clone(), props: props.into_iter().collect::<Vec<PropChange>>() };
        access.commit(change, Precondition::default()).await?;
    }
    Ok(access.stat(path)?.id)
}

async fn put(access: &Access, folder: Path, id: i64, object: Object) -> Result<Put, Error> {
    let (bytes, card) = (object.text.into_bytes(), object.facts.kind == Kind::Card);
    let (name, there) = match access.with_uid(&folder, id, &object.facts.uid)? {
        Some(entry) => (entry.name, true),
        None => (format!("{}.{}", clean(&object.facts.uid, 200), if card { "vcf" } else { "ics" }), false),
    };
    let path = folder.join(Name::new(name)?);
    if there && access.open(&path).is_ok_and(|(_, content)| matches!(content, holm_core::Content::Inline(b) if b == bytes)) {
        return Ok(Put::Same);
    }
    let content = match bytes.len() <= holm_core::INLINE_MAX {
        true => NewContent::Inline(bytes),
        false => {
            let mut writer = access.upload(&path, Some(bytes.len() as u64))?;
            writer.write(&bytes)?;
            writer.finish()?
        }
    };
    let media_type = Some(if card { "text/vcard; charset=utf-8" } else { "text/calendar; charset=utf-8" }.to_owned());
    access.commit(Change::PutItem { path, content, media_type, facts: object.facts }, Precondition::default()).await?;
    Ok(if there { Put::Changed } else { Put::New })
}

/// Keeps what was not understood in a file of the tree; answers a line for each piece.
async fn keep_left(access: &Access, stem: &str, left: &[(String, String)]) -> Fallible<Vec<String>> {
    let folder = Path::root().join(Name::new("imported")?);
    if let Err(Error::NotFound(_)) = access.stat(&folder) {
        access.commit(Change::MakeFolder { path: folder.clone(), props: Vec::new() }, Precondition::default()).await?;
    }
    let text: String = left.iter().map(|(text, _)| text.as_str()).collect();
    let path = folder.join(Name::new(format!("{} not understood.txt", clean(stem, 200)))?);
    let mut writer = access.upload(&path, Some(text.len() as u64))?;
    writer.write(text.as_bytes())?;
    let change = Change::Put { path: path.clone(), content: writer.finish()?, media_type: Some("text/plain; charset=utf-8".into()), modified: None };
    access.commit(change, Precondition::default()).await?;
    let line = |(text, why): &(String, String)| {
        let shown = text.lines().find(|l| l.starts_with("SUMMARY") || l.starts_with("FN") || l.starts_with("UID")).or(text.lines().next());
        format!("{}: {why}; it is kept in {path}", shown.unwrap_or_default().chars().take(80).collect::<String>())
    };
    Ok(left.iter().map(line).collect())
}
