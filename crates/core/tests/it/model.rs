//! Random operations against a model that is too simple to be wrong (D18): results, tree, contents, histories, trash,
//! quota and journal are compared after each.

use std::collections::BTreeMap;

use holm_core::{Access, Change, Content, Depth, Error, NewContent, Outcome, Overwrite, Path, Precondition, Seq, Tags};

use crate::world::{Dice, World};

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Folder,
    /// Content, and earlier contents in no order.
    File(Vec<u8>, Vec<Vec<u8>>),
}

impl Node {
    fn size(&self) -> usize {
        match self {
            Node::Folder => 0,
            Node::File(now, before) => now.len() + before.iter().map(Vec::len).sum::<usize>(),
        }
    }
}

type Tree = BTreeMap<String, Node>;

#[derive(Default, Debug)]
struct Model {
    tree: Tree,
    trash: Vec<(String, Tree)>,
    changes: i64,
    quota: usize,
}

#[derive(Clone, Debug)]
enum Op {
    Put(String, Vec<u8>, Option<bool>),
    MakeFolder(String),
    Remove(String),
    PutDocument(String, Vec<u8>, Option<bool>),
    RemoveDocument(String),
    Move(String, String, bool),
    Copy(String, String, bool, bool),
    Restore(usize, String),
    Purge(usize),
    Revert(String, usize),
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(p, _)| p)
}

fn within(path: &str, of: &str) -> bool {
    path == of || path.starts_with(&format!("{of}/"))
}

impl Model {
    fn used(&self) -> usize {
        let trash = self.trash.iter().flat_map(|(_, t)| t.values());
        self.tree.values().chain(trash).map(Node::size).sum()
    }

    fn take(&mut self, path: &str) -> Tree {
        let names: Vec<_> = self.tree.keys().filter(|k| within(k, path)).cloned().collect();
        names.into_iter().map(|k| (k[path.len()..].to_owned(), self.tree.remove(&k).unwrap())).collect()
    }

    fn plant(&mut self, path: &str, tree: Tree) {
        self.tree.extend(tree.into_iter().map(|(k, n)| (format!("{path}{k}"), n)));
    }

    fn holds(&self, folder: &str) -> bool {
        folder.is_empty() || self.tree.get(folder) == Some(&Node::Folder)
    }

    fn fits(&self, more: usize) -> Result<(), &'static str> {
        if self.quota > 0 && self.used() + more > self.quota { Err("quota") } else { Ok(()) }
    }

    /// What the operation must come to; the model is changed only by a success.
    fn apply(&mut self, op: &Op) -> Result<(), &'static str> {
        let done = match op.clone() {
            Op::Put(path, bytes, exists) => self.put(path, bytes, exists),
            Op::MakeFolder(path) => {
                if self.tree.contains_key(&path) {
                    return Err("exists");
                }
                self.holds(parent(&path)).then_some(()).ok_or("parent")?;
                self.tree.insert(path, Node::Folder);
                Ok(())
            }
            Op::Remove(path) => {
                self.tree.get(&path).ok_or("missing")?;
                let tree = self.take(&path);
                self.trash.push((path, tree));
                Ok(())
            }
            Op::PutDocument(path, bytes, exists) => self.put_document(path, bytes, exists),
            Op::RemoveDocument(path) => self.remove_document(path),
            Op::Move(from, to, overwrite) => self.transfer(&from, &to, overwrite, None),
            Op::Copy(from, to, overwrite, deep) => self.transfer(&from, &to, overwrite, Some(deep)),
            Op::Restore(n, to) => {
                if n >= self.trash.len() {
                    return Err("invalid");
                }
                if self.tree.contains_key(&to) {
                    return Err("exists");
                }
                self.holds(parent(&to)).then_some(()).ok_or("parent")?;
                let (_, tree) = self.trash.remove(n);
                self.plant(&to, tree);
                Ok(())
            }
            Op::Purge(n) => {
                if n >= self.trash.len() {
                    return Err("invalid");
                }
                self.trash.remove(n);
                Ok(())
            }
            Op::Revert(..) => unreachable!("applied where the version is known"),
        };
        self.changes += i64::from(done.is_ok());
        done
    }

    fn put(&mut self, path: String, bytes: Vec<u8>, exists: Option<bool>) -> Result<(), &'static str> {
        let old = self.tree.get(&path).cloned();
        if old == Some(Node::Folder) {
            return Err("folder");
        }
        self.holds(parent(&path)).then_some(()).ok_or("parent")?;
        if exists.is_some_and(|e| e != old.is_some()) {
            return Err("condition");
        }
        self.fits(bytes.len())?;
        self.tree.insert(path, Node::File(bytes, history(old)));
        Ok(())
    }

    fn put_document(&mut self, path: String, bytes: Vec<u8>, exists: Option<bool>) -> Result<(), &'static str> {
        let above: Vec<_> = path.match_indices('/').filter(|(at, _)| *at > 0).map(|(at, _)| path[..at].to_owned()).collect();
        if above.iter().any(|folder| matches!(self.tree.get(folder), Some(Node::File(..)))) {
            return Err("file");
        }
        let made: Vec<_> = above.into_iter().filter(|folder| self.tree.insert(folder.clone(), Node::Folder).is_none()).collect();
        let done = self.put(path, bytes, exists);
        match done {
            Ok(()) => self.changes += made.len() as i64,
            Err(_) => made.iter().for_each(|folder| drop(self.tree.remove(folder))),
        }
        done
    }

    fn remove_document(&mut self, path: String) -> Result<(), &'static str> {
        if !matches!(self.tree.get(&path), Some(Node::File(..))) {
            return Err("missing");
        }
        let tree = self.take(&path);
        let mut folder = parent(&path).to_owned();
        // What stands at the root stays.
        while folder.matches('/').count() > 1 && !self.tree.keys().any(|k| k.starts_with(&format!("{folder}/"))) {
            self.tree.remove(&folder);
            self.changes += 1;
            folder = parent(&folder).to_owned();
        }
        self.trash.push((path, tree));
        Ok(())
    }

    /// A move, or with `copy` a copy of a folder alone or with all it holds.
    fn transfer(&mut self, from: &str, to: &str, overwrite: bool, copy: Option<bool>) -> Result<(), &'static str> {
        let source = self.tree.get(from).cloned().ok_or("missing")?;
        if within(from, to) || within(to, from) {
            return Err("forbidden");
        }
        self.holds(parent(to)).then_some(()).ok_or("parent")?;
        let target = self.tree.get(to).cloned();
        if target.is_some() && !overwrite {
            return Err("condition");
        }
        let mut tree: Tree = match copy {
            None => self.take(from),
            Some(deep) => {
                let all = self.tree.iter().filter(|(k, _)| *k == from || (deep && within(k, from)));
                let plain = |n: &Node| match n {
                    Node::File(bytes, _) => Node::File(bytes.clone(), vec![]),
                    Node::Folder => Node::Folder,
                };
                all.map(|(k, n)| (k[from.len()..].to_owned(), plain(n))).collect()
            }
        };
        if copy.is_some() {
            self.fits(tree.values().map(Node::size).sum())?;
        }
        match (source, target) {
            (Node::File(..), old @ Some(Node::File(..))) => {
                if let Some(Node::File(_, before)) = tree.get_mut("") {
                    before.extend(history(old));
                }
            }
            (_, Some(_)) => {
                let gone = self.take(to);
                self.trash.push((to.to_owned(), gone));
            }
            _ => {}
        }
        self.plant(to, tree);
        Ok(())
    }
}

fn history(old: Option<Node>) -> Vec<Vec<u8>> {
    match old {
        Some(Node::File(bytes, mut before)) => {
            // An empty file leaves no version.
            if !bytes.is_empty() {
                before.push(bytes);
            }
            before
        }
        _ => vec![],
    }
}

fn kind(e: &Error) -> &'static str {
    match e {
        Error::NotFound(_) => "missing",
        Error::ParentMissing(_) => "parent",
        Error::Exists(_) => "exists",
        Error::IsFolder(_) => "folder",
        Error::IsFile(_) => "file",
        Error::ConditionFailed(_) => "condition",
        Error::Forbidden(_) => "forbidden",
        Error::QuotaExceeded { .. } => "quota",
        Error::Invalid(_) => "invalid",
        other => panic!("{other}"),
    }
}

/// The operation for people: contents by their length.
fn told(op: &Op) -> String {
    match op {
        Op::Put(path, bytes, exists) => format!("Put({path:?}, {} bytes, {exists:?})", bytes.len()),
        Op::PutDocument(path, bytes, exists) => format!("PutDocument({path:?}, {} bytes, {exists:?})", bytes.len()),
        op => format!("{op:?}"),
    }
}

/// Mostly places that mean something: what is there, or a free name in a folder that is.
fn any_path(dice: &Dice, model: &Model) -> String {
    let name = ["a", "b", "c", "ü", "e", "f"][dice.below(6)];
    let there = |folders: bool| model.tree.iter().filter(|(_, n)| !folders || **n == Node::Folder).map(|(k, _)| k.clone()).collect::<Vec<_>>();
    let folders = there(true);
    match dice.below(8) {
        0..3 if !model.tree.is_empty() => there(false)[dice.below(model.tree.len())].clone(),
        3..6 if !folders.is_empty() => format!("{}/{name}", folders[dice.below(folders.len())]),
        6 => format!("/{name}/b/c"),
        _ => format!("/{name}"),
    }
}

fn any_op(dice: &Dice, model: &Model) -> Op {
    let size = match dice.below(20) {
        0 => 0,
        1 => 200_000 + dice.below(10_000),
        _ => dice.below(3_000),
    };
    let bytes = (0..size).map(|_| dice.next() as u8).collect();
    match dice.below(20) {
        0..4 => Op::Put(any_path(dice, model), bytes, [None, None, Some(true), Some(false)][dice.below(4)]),
        4..6 => Op::PutDocument(any_path(dice, model), bytes, [None, None, Some(true), Some(false)][dice.below(4)]),
        6..9 => Op::MakeFolder(any_path(dice, model)),
        9..11 => Op::RemoveDocument(any_path(dice, model)),
        11 => Op::Remove(any_path(dice, model)),
        12..15 => Op::Move(any_path(dice, model), any_path(dice, model), dice.below(2) == 0),
        15..17 if model.tree.len() < 150 => Op::Copy(any_path(dice, model), any_path(dice, model), dice.below(2) == 0, dice.below(3) > 0),
        17 => Op::Restore(dice.below(model.trash.len() + 1), any_path(dice, model)),
        18 => Op::Purge(dice.below(model.trash.len() + 1)),
        19 => Op::Revert(any_path(dice, model), dice.below(3)),
        _ => Op::Remove(any_path(dice, model)),
    }
}

fn read(access: &Access, content: Content) -> Vec<u8> {
    match content {
        Content::Inline(bytes) => bytes,
        Content::Chunked(cut) => {
            let mut out = Vec::new();
            while (out.len() as u64) < cut.size() {
                access.read_some(&cut, out.len() as u64, cut.size(), &mut out).unwrap();
            }
            out
        }
    }
}

fn p(path: &str) -> Path {
    Path::parse(path).unwrap()
}

/// Does the operation for real; answers how it went. Reverting is decided here, as versions have numbers only here.
fn perform(access: &Access, model: &mut Model, op: &Op) -> (Result<(), &'static str>, Result<(), &'static str>) {
    let expected = if let Op::Revert(path, n) = op { revert(access, model, path, *n) } else { Ok(None) };
    let trash = access.trash().unwrap();
    // The model's trash is oldest first.
    let trashed = |n: usize| trash.len().checked_sub(n + 1).map_or(999_999, |n| trash[n].entry);
    let mut precondition = Precondition::default();
    let overwrite = |yes: &bool| if *yes { Overwrite::Yes } else { Overwrite::No };
    let change = match op {
        Op::Put(path, bytes, exists) | Op::PutDocument(path, bytes, exists) => {
            match exists {
                Some(true) => precondition.if_match = Some(Tags::Any),
                Some(false) => precondition.if_none_match = Some(Tags::Any),
                None => {}
            }
            let mut writer = access.upload(&p(path), None).unwrap();
            bytes.chunks(70_000).for_each(|b| writer.write(b).unwrap());
            let (path, content) = (p(path), writer.finish().unwrap());
            match op {
                Op::PutDocument(..) => Change::PutDocument { path, content, media_type: "a/b".into() },
                _ => Change::Put { path, content, media_type: None, modified: None },
            }
        }
        Op::RemoveDocument(path) => Change::RemoveDocument { path: p(path) },
        Op::MakeFolder(path) => Change::MakeFolder { path: p(path), props: vec![] },
        Op::Remove(path) => Change::Remove { path: p(path) },
        Op::Move(from, to, o) => Change::Move { from: p(from), to: p(to), overwrite: overwrite(o) },
        Op::Copy(from, to, o, deep) => {
            let depth = if *deep { Depth::Infinity } else { Depth::Zero };
            Change::Copy { from: p(from), to: p(to), overwrite: overwrite(o), depth }
        }
        Op::Restore(n, to) => Change::Restore { entry: trashed(*n), to: Some(p(to)) },
        Op::Purge(n) => Change::Purge { entry: trashed(*n) },
        Op::Revert(path, _) => Change::Revert { path: p(path), version: expected.ok().flatten().unwrap_or(Seq(-1)) },
    };
    let existed = match &change {
        Change::Put { path, .. } | Change::PutDocument { path, .. } => Some(access.stat(path).is_ok()),
        _ => None,
    };
    let got = access.commit_blocking(change, precondition);
    if let (Ok(done), Some(existed)) = (&got, existed) {
        assert_eq!(done.outcome == Outcome::Replaced, existed);
    }
    let expected = if matches!(op, Op::Revert(..)) { expected.map(|_| ()) } else { model.apply(op) };
    (got.map(|_| ()).map_err(|e| kind(&e)), expected)
}

fn revert(access: &Access, model: &mut Model, path: &str, n: usize) -> Result<Option<Seq>, &'static str> {
    let versions = access.versions(&p(path)).map_err(|_| "missing")?;
    let version = versions.get(n).ok_or("missing")?;
    model.fits(version.size as usize)?;
    let Some(Node::File(now, before)) = model.tree.get(path).cloned() else { return Err("missing") };
    // Which of the model's earlier contents this is, is told by its size: contents are random.
    let wanted = before.iter().find(|b| b.len() as u64 == version.size).expect("a version of that size").clone();
    let before = history(Some(Node::File(now, before)));
    model.tree.insert(path.to_owned(), Node::File(wanted, before));
    model.changes += 1;
    Ok(Some(version.seq))
}

fn compare(access: &Access, model: &Model, contents: bool) {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), 1)];
    while let Some((folder, id)) = folders.pop() {
        for entry in access.list(&p(&folder), id, "", 1_000).unwrap() {
            let path = format!("{folder}/{}", entry.name);
            if entry.is_folder() {
                folders.push((path.clone(), entry.id));
            }
            if contents && let Some(Node::File(bytes, before)) = model.tree.get(&path) {
                let (_, content) = access.open(&p(&path)).unwrap();
                assert!(read(access, content) == *bytes, "{path}");
                let mut sizes: Vec<_> = access.versions(&p(&path)).unwrap().iter().map(|v| v.size as usize).collect();
                let mut want: Vec<_> = before.iter().map(Vec::len).collect();
                sizes.sort_unstable();
                want.sort_unstable();
                assert_eq!(sizes, want, "history of {path}");
            }
            found.push((path, entry.is_folder(), entry.size as usize));
        }
    }
    found.sort();
    let size = |n: &Node| if let Node::File(b, _) = n { b.len() } else { 0 };
    let want: Vec<_> = model.tree.iter().map(|(k, n)| (k.clone(), *n == Node::Folder, size(n))).collect();
    assert_eq!(found, want);
    assert_eq!(access.usage().unwrap().used as usize, model.used());
    assert_eq!(access.seq().unwrap(), Seq(model.changes), "one number a change");
    let trash: Vec<_> = access.trash().unwrap().into_iter().rev().map(|t| t.place).collect();
    assert_eq!(trash, model.trash.iter().map(|(place, _)| place.clone()).collect::<Vec<_>>());
}

#[test]
fn d18_ten_thousand_random_operations_match_the_model() {
    for seed in 1..=10 {
        let dice = Dice::new(seed);
        let quota = if seed % 3 == 0 { 400_000 } else { 0 };
        let mut world = World::new(seed, quota as u64);
        let mut model = Model { quota, ..Model::default() };
        for n in 0..1_000 {
            if n == 500 {
                world = world.reopened();
            }
            if n % 100 == 99 {
                // Nothing is old enough for the policy, so upkeep must not be seen, however little grace it gives.
                world.keep_up(0);
            }
            let access = world.access();
            let op = any_op(&dice, &model);
            let (got, expected) = perform(&access, &mut model, &op);
            assert_eq!(got, expected, "seed {seed}, operation {n}: {}", told(&op));
            compare(&access, &model, n % 50 == 49);
        }
        let journal = world.access().journal(Seq(0), 10_000).unwrap();
        assert!(journal.iter().map(|r| r.seq.0).eq(1..=model.changes), "one record a change, without gaps");
        assert!(model.changes > 300, "too few of the operations did anything: {}", model.changes);
    }
}

#[test]
fn a_batch_undoes_only_what_failed() {
    let world = World::new(1, 0);
    let access = world.access();
    let put = |n: usize| Change::Put { path: p(&format!("/f{}", n / 2)), content: NewContent::Inline(vec![n as u8]), media_type: None, modified: None };
    let once = Precondition { if_none_match: Some(Tags::Any), ..Precondition::default() };
    let made: usize = std::thread::scope(|s| {
        let threads: Vec<_> =
            (0..64).map(|n| (n, &access, &once)).map(|(n, a, once)| s.spawn(move || a.commit_blocking(put(n), once.clone()).is_ok())).collect();
        threads.into_iter().map(|t| usize::from(t.join().unwrap())).sum()
    });
    assert_eq!((made, access.usage().unwrap().used, access.seq().unwrap()), (32, 32, Seq(32)));
}
