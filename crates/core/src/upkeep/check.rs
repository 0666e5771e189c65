//! Whether catalog, packs, journal and quota agree. Looks at one consistent view, changes nothing, and runs beside
//! everything else.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::{affected, audit};
use crate::error::{Error, Result};
use crate::ledger;
use crate::name::Name;
use crate::store::catalog::Tx;
use crate::store::content::{Store, bytes32};
use crate::store::pack::{HEADER, PackReader, Place, record_len};
use crate::tree::apply::Head;
use crate::tree::entry::{self, Entry, Kind, ROOT, TRASH};
use crate::tree::upload;

/// Problems told one by one; more are only counted.
const TOLD: usize = 1_000;

/// What a check saw and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub problems: Vec<String>,
    /// All problems, the ones not told included.
    pub problem_count: u64,
    pub entries: u64,
    pub versions: u64,
    pub contents: u64,
    pub chunks: u64,
    pub packs: u64,
    pub changes: u64,
    /// Pack files that no row refers to, left by interrupted uploads: upkeep deletes them.
    pub orphans: u64,
    /// Bytes read and authenticated, by a deep check.
    pub bytes: u64,
    /// What a person would miss, by its path: files, earlier versions, things in the trash.
    pub affected: Vec<String>,
}

/// Content that can not be had whole.
#[derive(Default)]
pub(super) struct Damage {
    pub contents: HashSet<i64>,
    pub chunks: HashSet<i64>,
}

impl Report {
    pub(super) fn problem(&mut self, text: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < TOLD {
            self.problems.push(text.into());
        }
    }
}

/// What `content` rows say: size and tag, by id.
type Contents = HashMap<i64, (u64, i64)>;

/// Checks everything of one person; `deep` reads and authenticates every byte too.
pub fn run(store: &Store, deep: bool) -> Result<Report> {
    let mut report = Report::default();
    for text in store.catalog.verify()? {
        report.problem(format!("the catalog's file: {text}"));
    }
    match store.catalog.reading(|tx| look(tx, store, deep, &mut report)) {
        Err(Error::Corrupt(why)) => report.problem(why),
        other => other?,
    }
    Ok(report)
}

fn look(tx: &dyn Tx, store: &Store, deep: bool, report: &mut Report) -> Result<()> {
    let head = Head::load(tx, store.person)?;
    let mut damage = Damage::default();
    let contents = contents(tx, store, deep, &mut damage, report)?;
    let entries = entries(tx, store, &head, &contents, report)?;
    let versions = versions(tx, store, &contents, &entries, report)?;
    trash(tx, store, &entries, report)?;
    audit::journal(tx, store.person, &head, &entries.places, report)?;
    ledger::verify(tx, store.person, &mut |text| report.problem(text))?;
    let sql = "SELECT COALESCE(SUM(OCTET_LENGTH(value)), 0) FROM prop WHERE person = ?1";
    let props = tx.first(sql, &[store.person.0.into()], |row| row.int(0))?.unwrap_or(0) as u64;
    let used = entries.bytes + versions + props + upload::charged(tx, store.person)?;
    if used != head.used {
        report.problem(format!("quota: {} bytes are counted, {used} are kept", head.used));
    }
    packs(tx, store, deep, &mut damage, report)?;
    report.affected = affected::paths(tx, store.person, &damage, TOLD)?;
    Ok(())
}

/// Contents against their parts, and with `deep` against their hashes. What still grows has its hash with its last piece.
fn contents(tx: &dyn Tx, store: &Store, deep: bool, damage: &mut Damage, report: &mut Report) -> Result<Contents> {
    let mut found = Contents::new();
    let mut cut: HashMap<i64, (u64, [u8; 32])> = HashMap::new();
    // Inline bytes are read only where their hash is to be checked: they are most of the catalog.
    let sql = if deep {
        "SELECT id, size, hash, bytes IS NULL, bytes FROM content WHERE person = ?1"
    } else {
        "SELECT id, size, hash, bytes IS NULL FROM content WHERE person = ?1"
    };
    tx.query(sql, &[store.person.0.into()], &mut |row| {
        let (id, size, hash) = (row.int(0)?, row.int(1)? as u64, bytes32(row.blob(2)?)?);
        report.contents += 1;
        found.insert(id, (size, i64::from_le_bytes(hash[..8].try_into().expect("eight bytes"))));
        if row.int(3)? != 0 {
            cut.insert(id, (size, hash));
        } else if deep {
            let bytes = store.open_content(id, row.blob(4)?);
            report.bytes += size;
            if !bytes.is_ok_and(|bytes| bytes.len() as u64 == size && store.hash(&bytes) == hash) {
                damage.contents.insert(id);
                report.problem(format!("content {id}: its bytes are not those that were written"));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let sql = "SELECT p.content, p.pos, p.length, c.name, c.length FROM part p LEFT JOIN chunk c ON c.person = p.person AND c.id = p.chunk
        WHERE p.person = ?1 ORDER BY p.content, p.pos";
    let growing = upload::growing(tx, store.person)?;
    let mut parts: Vec<([u8; 32], u32)> = Vec::new();
    let (mut at, mut length) = (0, 0);
    let mut close = |content: i64, length: u64, parts: &mut Vec<([u8; 32], u32)>, report: &mut Report| {
        match cut.remove(&content) {
            None if content == 0 => {}
            None => report.problem(format!("content {content} has parts but no row")),
            Some((size, _)) if size != length => report.problem(format!("content {content} is {size} bytes, its parts are {length}")),
            Some(_) if growing.contains(&content) => {}
            Some((_, hash)) if store.manifest_hash(parts.iter().map(|(n, l)| (n, *l))) != hash => {
                report.problem(format!("content {content}: its parts are not those that were written"));
            }
            Some(_) => {}
        }
        parts.clear();
    };
    tx.query(sql, &[store.person.0.into()], &mut |row| {
        let content = row.int(0)?;
        if content != at {
            close(at, length, &mut parts, report);
            (at, length) = (content, 0);
        }
        let (pos, bytes) = (row.int(1)? as u64, row.int(2)? as u64);
        if pos != length {
            report.problem(format!("content {content} has no part at {length}"));
        }
        match row.opt_blob(3)? {
            Some(name) if row.int(4)? as u64 == bytes => parts.push((bytes32(name)?, bytes as u32)),
            Some(_) => report.problem(format!("content {content}: the part at {pos} is not as long as its chunk")),
            None => {
                damage.contents.insert(content);
                report.problem(format!("content {content}: the chunk of the part at {pos} is not in the catalog"));
            }
        }
        length += bytes;
        Ok(ControlFlow::Continue(()))
    })?;
    close(at, length, &mut parts, report);
    for (id, (size, _)) in cut {
        report.problem(format!("content {id} of {size} bytes has no parts"));
    }
    Ok(found)
}

/// What the entries told.
struct Entries {
    /// Hash of (parent, key) → id.
    places: HashMap<u128, i64>,
    /// Every entry: is it a folder?
    kinds: HashMap<i64, bool>,
    in_trash: HashSet<i64>,
    bytes: u64,
}

fn entries(tx: &dyn Tx, store: &Store, head: &Head, contents: &Contents, report: &mut Report) -> Result<Entries> {
    let mut all = Entries { places: HashMap::new(), kinds: HashMap::new(), in_trash: HashSet::new(), bytes: 0 };
    let mut parents: HashMap<i64, (i64, i64)> = HashMap::new();
    entry::every(tx, store.person, &mut |e| {
        report.entries += 1;
        let id = e.id;
        all.bytes += e.size;
        all.kinds.insert(id, e.is_folder());
        all.places.insert(audit::place(e.parent, &e.key), id);
        parents.insert(id, (e.parent, e.seq.0));
        if e.parent == TRASH {
            all.in_trash.insert(id);
        }
        one(e, head, contents, report);
        Ok(ControlFlow::Continue(()))
    })?;
    for top in [ROOT, TRASH] {
        if all.kinds.get(&top) != Some(&true) {
            report.problem(format!("entry {top}, a top of the tree, is missing"));
        }
    }
    for (id, (parent, seq)) in &parents {
        if *id == ROOT || *id == TRASH {
            continue;
        }
        match parents.get(parent) {
            Some((_, above)) if all.kinds[parent] => {
                if *parent != TRASH && above < seq {
                    report.problem(format!("folder {parent} says its newest change is {above}, but {id} in it says {seq}"));
                }
            }
            Some(_) => report.problem(format!("entry {id} lies in {parent}, which is a file")),
            None => report.problem(format!("entry {id} lies in {parent}, which is not there")),
        }
    }
    reach(&parents, report);
    Ok(all)
}

/// One entry against its content and the head.
fn one(e: &Entry, head: &Head, contents: &Contents, report: &mut Report) {
    let id = e.id;
    if e.seq > head.seq || e.version > head.seq || id >= head.next_id {
        report.problem(format!("entry {id} is newer than the catalog's head"));
    }
    let top = id == ROOT || id == TRASH || e.parent == TRASH;
    if !top && !Name::new(e.name.clone()).is_ok_and(|n| n.key() == e.key) {
        report.problem(format!("entry {id} is kept under another name than its own"));
    }
    match (e.kind, contents.get(&e.content)) {
        (Kind::Folder, _) if e.size == 0 && e.content == 0 => {}
        (Kind::Folder, _) => report.problem(format!("folder {id} has content")),
        (Kind::File, Some(content)) if *content == (e.size, e.tag) => {}
        (Kind::File, Some(_)) => report.problem(format!("file {id} and its content {} disagree on size or tag", e.content)),
        (Kind::File, None) => report.problem(format!("file {id}: its content {} is not in the catalog", e.content)),
    }
}

/// Every entry must hang below a top: a loop of folders would not.
fn reach(parents: &HashMap<i64, (i64, i64)>, report: &mut Report) {
    let mut good: HashSet<i64> = HashSet::from([0, ROOT, TRASH]);
    for id in parents.keys() {
        let mut way = Vec::new();
        let mut at = *id;
        while !good.contains(&at) {
            way.push(at);
            match parents.get(&at) {
                Some((parent, _)) if way.len() <= parents.len() => at = *parent,
                Some(_) => {
                    report.problem(format!("entry {id} lies below itself"));
                    break;
                }
                // Told already, as a missing parent.
                None => break,
            }
        }
        good.extend(way);
    }
}

/// Answers the bytes that versions own.
fn versions(tx: &dyn Tx, store: &Store, contents: &Contents, entries: &Entries, report: &mut Report) -> Result<u64> {
    let mut bytes = 0;
    tx.query("SELECT entry, seq, content, tag, size FROM version WHERE person = ?1", &[store.person.0.into()], &mut |row| {
        let (entry, seq, content, tag, size) = (row.int(0)?, row.int(1)?, row.int(2)?, row.int(3)?, row.int(4)? as u64);
        report.versions += 1;
        bytes += size;
        if entries.kinds.get(&entry) != Some(&false) {
            report.problem(format!("version {seq} belongs to {entry}, which is no file here"));
        }
        if contents.get(&content) != Some(&(size, tag)) {
            report.problem(format!("version {seq} of {entry}: its content {content} is missing or another"));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(bytes)
}

/// Every row of the trash has its entry there. (Entries there without a row are condemned: upkeep erases them.)
fn trash(tx: &dyn Tx, store: &Store, entries: &Entries, report: &mut Report) -> Result<()> {
    tx.query("SELECT entry, place FROM trash WHERE person = ?1", &[store.person.0.into()], &mut |row| {
        if !entries.in_trash.contains(&row.int(0)?) {
            report.problem(format!("the trash lists {}, but does not hold it", row.text(1)?));
        }
        Ok(ControlFlow::Continue(()))
    })
}

struct Record {
    chunk: i64,
    place: Place,
}

/// Chunks against pack files: every record inside its file, none overlapping, no record number twice.
fn packs(tx: &dyn Tx, store: &Store, deep: bool, damage: &mut Damage, report: &mut Report) -> Result<()> {
    let person = store.person.0;
    let mut known = HashSet::new();
    let rows = tx.all("SELECT id, salt FROM pack WHERE person = ?1 ORDER BY id", &[person.into()], |row| Ok((row.int(0)?, bytes32(row.blob(1)?)?)))?;
    let mut seen = 0;
    for (pack, salt) in rows {
        report.packs += 1;
        known.insert(salt);
        let sql = "SELECT id, pos, record, length FROM chunk WHERE person = ?1 AND pack = ?2 ORDER BY pos";
        let records = tx.all(sql, &[person.into(), pack.into()], |row| {
            let place = Place { pos: row.int(1)? as u64, record: row.int(2)? as u64, length: row.int(3)? as u32 };
            Ok(Record { chunk: row.int(0)?, place })
        })?;
        seen += records.len() as u64;
        let Some(file) = store.pack_file(&salt)? else {
            // Upkeep may have compacted it since this view began.
            if still_in(store, pack)? {
                damage.chunks.extend(records.iter().map(|r| r.chunk));
                report.problem(format!("pack {pack} is in the catalog, but its file is gone"));
            }
            continue;
        };
        let (mut end, mut number) = (HEADER, None);
        for Record { chunk, place } in &records {
            let numbered = number.is_none_or(|before| place.record > before);
            if place.pos < end || !numbered || place.pos + record_len(place.length) > file.bytes {
                damage.chunks.insert(*chunk);
                report.problem(format!("chunk {chunk}: pack {pack} has no whole record of its own for it"));
            }
            (end, number) = (place.pos + record_len(place.length), Some(place.record));
        }
        if deep {
            match store.open_pack(&salt) {
                Ok(reader) => read(tx, store, &reader, pack, &records, damage, report)?,
                Err(_) if !still_in(store, pack)? => {}
                Err(e) => {
                    damage.chunks.extend(records.iter().map(|r| r.chunk));
                    report.problem(format!("pack {pack}: {e}"));
                }
            }
        }
    }
    report.chunks = tx.first("SELECT COUNT(*) FROM chunk WHERE person = ?1", &[person.into()], |row| row.int(0))?.unwrap_or(0) as u64;
    if report.chunks != seen {
        report.problem(format!("{} chunks lie in packs that the catalog does not know", report.chunks - seen));
    }
    report.orphans = store.pack_files()?.iter().filter(|f| !known.contains(&f.salt)).count() as u64;
    Ok(())
}

fn still_in(store: &Store, pack: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM pack WHERE person = ?1 AND id = ?2";
    store.catalog.reading(|tx| Ok(tx.first(sql, &[store.person.0.into(), pack.into()], |_| Ok(()))?.is_some()))
}

/// Reads every record of a pack whole: header, seals, and the bytes against the chunk's name.
fn read(tx: &dyn Tx, store: &Store, reader: &PackReader, pack: i64, records: &[Record], damage: &mut Damage, report: &mut Report) -> Result<()> {
    let mut bytes = Vec::new();
    for Record { chunk, place } in records {
        let sql = "SELECT name FROM chunk WHERE person = ?1 AND id = ?2";
        let name = tx.first(sql, &[store.person.0.into(), (*chunk).into()], |row| bytes32(row.blob(0)?))?;
        let Some(name) = name else { continue };
        bytes.clear();
        let why = match reader.verify(&name, *place, &mut bytes) {
            Ok(()) if store.hash(&bytes) == name => {
                report.bytes += bytes.len() as u64;
                continue;
            }
            Ok(()) => "its bytes are not those that its name tells".to_owned(),
            Err(Error::Corrupt(why)) => why,
            Err(e) => format!("it can not be read: {e}"),
        };
        damage.chunks.insert(*chunk);
        report.problem(format!("chunk {chunk} in pack {pack}: {why}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::env::Env;
    use crate::tree::change::{Change, Overwrite};
    use crate::{Access, Gate, Host, Key, Party, Path, Precondition, RootKey};

    fn change(access: &Access, change: Change) {
        access.commit_blocking(change, Precondition::default()).unwrap();
    }

    fn put(access: &Access, path: &str, byte: u8, size: usize) {
        let path = Path::parse(path).unwrap();
        let mut writer = access.upload(&path, None).unwrap();
        writer.write(&vec![byte; size]).unwrap();
        change(access, Change::Put { path, content: writer.finish().unwrap(), media_type: None, modified: None });
    }

    /// A tree with one of each: folders, small and large files, versions, trash, a moved folder, a copy.
    fn small_tree(dir: &std::path::Path) -> Arc<Store> {
        let env = Env::fixed();
        let host = Arc::new(Host::open(dir, RootKey { key: Key::from_bytes([7; 32]), epoch: 1 }, env.clone()).unwrap());
        let person = host.add_person("ann", None, 0).unwrap().id;
        let gate = Gate::new(host.clone(), env);
        let access = gate.admit(Party::operator(person).into(), crate::Via::HERE).unwrap();
        let path = |p: &str| Path::parse(p).unwrap();
        change(&access, Change::MakeFolder { path: path("/a"), props: vec![] });
        put(&access, "/a/f", 1, 10);
        put(&access, "/a/f", 2, 20);
        put(&access, "/a/large", 3, 300_000);
        put(&access, "/gone", 4, 10);
        change(&access, Change::Remove { path: path("/gone") });
        change(&access, Change::Move { from: path("/a"), to: path("/b"), overwrite: Overwrite::No });
        access.connect(crate::PartyKind::Device, "phone", crate::Scope::everything(), crate::Abilities::READ, &[1; 32]).unwrap();
        let store = gate.host().open_store(person).unwrap();
        assert_eq!(run(&store, true).unwrap().problems, Vec::<String>::new());
        store
    }

    /// Breaks the catalog with one statement, checks, and undoes it.
    fn problems(store: &Store, sql: &'static str) -> Vec<String> {
        let mut report = Report::default();
        let undone = store.catalog.writing(|tx| -> Result<()> {
            assert!(tx.execute(sql, &[])? > 0, "{sql} changed nothing");
            look(tx, store, true, &mut report)?;
            Err(Error::Busy)
        });
        assert!(matches!(undone, Err(Error::Busy)), "{undone:?}");
        report.problems
    }

    #[test]
    fn each_kind_of_damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = small_tree(dir.path());
        for (sql, told) in [
            ("UPDATE head SET used = used + 1", "quota"),
            ("UPDATE ledger SET body = REPLACE(body, 'read', 'read,write') WHERE number = 2", "not what was written"),
            ("UPDATE ledger SET at = at + 1 WHERE number = 1", "not what was written"),
            ("DELETE FROM ledger WHERE number = 1", "lacks number 1"),
            ("DELETE FROM ledger WHERE number = 2", "the grants are not those"),
            ("UPDATE granted SET abilities = 'read,write'", "the grants are not those"),
            ("UPDATE party SET kind = 'everyone'", "the parties are not those"),
            ("UPDATE head SET seq = seq - 1", "journal ends"),
            ("UPDATE head SET next_id = 17", "newer than"),
            ("DELETE FROM journal WHERE seq = 2", "journal goes"),
            ("UPDATE journal SET op = 3 WHERE seq = 4", "removed what was"),
            ("UPDATE journal SET entry = 99 WHERE seq = 4", "is there"),
            ("DELETE FROM entry WHERE key = 'large'", "is not there"),
            ("DELETE FROM entry WHERE key = 'b'", "which is not there"),
            ("DELETE FROM entry WHERE id = 2", "a top of the tree"),
            ("UPDATE entry SET parent = id WHERE key = 'b'", "below itself"),
            ("UPDATE entry SET kind = 1 WHERE key = 'b'", "which is a file"),
            ("UPDATE entry SET seq = 1 WHERE key = 'b'", "newest change"),
            ("UPDATE entry SET name = 'other' WHERE key = 'f'", "another name"),
            ("UPDATE entry SET size = size + 1 WHERE key = 'f'", "disagree"),
            ("UPDATE entry SET tag = tag + 1 WHERE key = 'f'", "disagree"),
            ("DELETE FROM content WHERE bytes IS NULL", "is not in the catalog"),
            ("UPDATE content SET bytes = x'00' WHERE size = 20", "its bytes are not"),
            ("UPDATE content SET size = size + 1 WHERE bytes IS NULL", "its parts are"),
            ("UPDATE part SET pos = pos + 1", "has no part at 0"),
            ("DELETE FROM part", "has no parts"),
            ("UPDATE part SET length = length - 1", "not as long as its chunk"),
            ("DELETE FROM chunk", "is not in the catalog"),
            ("UPDATE chunk SET name = x'0000000000000000000000000000000000000000000000000000000000000000' WHERE record = 0", "not those that were written"),
            ("UPDATE chunk SET pos = pos + 1", "record"),
            ("UPDATE chunk SET record = 7", "authenticate"),
            ("UPDATE chunk SET pack = pack + 1", "packs that the catalog does not know"),
            ("UPDATE pack SET salt = x'0000000000000000000000000000000000000000000000000000000000000000'", "its file is gone"),
            ("DELETE FROM version WHERE size = 10", "quota"),
            ("UPDATE version SET content = 99", "missing or another"),
            ("UPDATE version SET entry = 1", "no file here"),
            ("UPDATE trash SET entry = 99", "does not hold it"),
        ] {
            let found = problems(&store, sql);
            assert!(found.iter().any(|p| p.contains(told)), "{sql}: expected \"{told}\" in {found:#?}");
        }
        assert_eq!(run(&store, true).unwrap().problems, Vec::<String>::new(), "what was broken is undone");
    }
}
