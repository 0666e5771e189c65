//! What a client does and what its folder then holds. One client works in one folder, one request at a time, so that at
//! a fault at most one of its requests has an unknown end: its folder must be as before that request or as after it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use crate::bench::content::Random;

const FILES: u64 = 10;
const FOLDERS: u64 = 4;

/// A file's bytes: noise that follows from a seed, where it is known.
#[derive(Clone, Debug)]
pub struct File {
    pub seed: Option<u64>,
    pub length: usize,
    pub hash: u64,
    /// As the server told it; nothing where it did not say.
    pub etag: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Node {
    Folder,
    File(File),
}

/// Paths below the client's folder, like `/d1/f3`.
pub type State = BTreeMap<String, Node>;

#[derive(Clone, Debug)]
pub enum Op {
    Put { path: String, file: File, if_match: Option<String> },
    Mkcol { path: String },
    Delete { path: String },
    Move { from: String, to: String },
    Copy { from: String, to: String },
}

pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

impl File {
    pub fn new(seed: u64, length: usize) -> File {
        let mut file = File { seed: Some(seed), length, hash: 0, etag: None };
        file.hash = hash(&file.bytes());
        file
    }

    /// Empty where nobody knows them.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(seed) = self.seed {
            bytes.resize(self.length, 0);
            Random::new(seed).fill(&mut bytes);
        }
        bytes
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Op::Put { path, file, if_match: None } => write!(f, "PUT {path} of {} bytes", file.length),
            Op::Put { path, file, if_match: Some(etag) } => write!(f, "PUT {path} of {} bytes over {etag}", file.length),
            Op::Mkcol { path } => write!(f, "MKCOL {path}"),
            Op::Delete { path } => write!(f, "DELETE {path}"),
            Op::Move { from, to } => write!(f, "MOVE {from} to {to}"),
            Op::Copy { from, to } => write!(f, "COPY {from} to {to}"),
        }
    }
}

/// Around every size where holm does something else: nothing, whole in the catalog, one chunk, several; or, to be told
/// more often that a write is safe, small ones only.
fn length(random: &mut Random, small: bool) -> usize {
    (match random.below(if small { 45 } else { 100 }) {
        0..3 => 0,
        3..45 => random.below(2_000),
        45..70 => random.below(65_536),
        70..75 => 65_535 + random.below(3),
        75..97 => 65_537 + random.below(400_000),
        _ => 1_000_000 + random.below(2_000_000),
    }) as usize
}

fn place(random: &mut Random, state: &State) -> String {
    let folder = format!("/d{}", random.below(FOLDERS));
    let name = format!("/f{}", random.below(FILES));
    if random.below(2) == 0 && state.contains_key(&folder) { folder + &name } else { name }
}

fn put(random: &mut Random, state: &State, small: bool) -> Op {
    let path = place(random, state);
    let there: Vec<&File> = state.values().filter_map(|n| if let Node::File(f) = n { f.seed.map(|_| f) } else { None }).collect();
    let file = match random.below(10) {
        // Content that is there already: only references to it are new.
        0 if !there.is_empty() => {
            let like = there[random.below(there.len() as u64) as usize];
            File { etag: None, ..like.clone() }
        }
        _ => File::new(random.next(), length(random, small)),
    };
    let if_match = match state.get(&path) {
        Some(Node::File(File { etag: Some(etag), .. })) if random.below(2) == 0 => Some(etag.clone()),
        _ => None,
    };
    Op::Put { path, file, if_match }
}

impl Op {
    /// Something that a correct server accepts; with `small` contents only, or of any size.
    pub fn choose(random: &mut Random, state: &State, small: bool) -> Op {
        let kind = random.below(100);
        let known: Vec<&String> = state.keys().collect();
        if known.is_empty() || kind < 50 {
            return put(random, state, small);
        }
        let some = known[random.below(known.len() as u64) as usize].clone();
        let folder = format!("/d{}", random.below(FOLDERS));
        let to = if matches!(state[&some], Node::Folder) { folder.clone() } else { place(random, state) };
        match kind {
            50..62 if !state.contains_key(&folder) => Op::Mkcol { path: folder },
            62..75 => Op::Delete { path: some },
            75..88 if to != some => Op::Move { from: some, to },
            88.. if to != some => Op::Copy { from: some, to },
            _ => put(random, state, small),
        }
    }

    /// What the folder holds once this is done.
    pub fn apply(&self, state: &mut State) {
        match self {
            Op::Put { path, file, .. } => _ = state.insert(path.clone(), Node::File(file.clone())),
            Op::Mkcol { path } => _ = state.insert(path.clone(), Node::Folder),
            Op::Delete { path } => _ = take(state, path),
            Op::Move { from, to } => {
                let moved = take(state, from);
                put_at(state, to, moved);
            }
            Op::Copy { from, to } => {
                let copied = take(&mut state.clone(), from);
                put_at(state, to, copied);
            }
        }
    }
}

/// Removes what is at a path and below it; answers it by the rest of its path.
fn take(state: &mut State, path: &str) -> State {
    let below = format!("{path}/");
    let paths: Vec<String> = state.keys().filter(|p| *p == path || p.starts_with(&below)).cloned().collect();
    paths.into_iter().filter_map(|p| Some((p[path.len()..].to_owned(), state.remove(&p)?))).collect()
}

fn put_at(state: &mut State, to: &str, nodes: State) {
    take(state, to);
    for (rest, mut node) in nodes {
        // Which tag a file has in a new place is the server's to say.
        if let Node::File(file) = &mut node {
            file.etag = None;
        }
        state.insert(format!("{to}{rest}"), node);
    }
}

/// How what is there differs from what should be; nothing where it does not.
pub fn differences(expected: &State, there: &State) -> Vec<String> {
    let mut found = Vec::new();
    for (path, node) in expected {
        match (node, there.get(path)) {
            (Node::Folder, Some(Node::Folder)) => {}
            (Node::File(e), Some(Node::File(t))) if e.hash != t.hash || e.length != t.length => {
                found.push(format!("{path} has other bytes ({} of them) than the {} acknowledged", t.length, e.length));
            }
            (Node::File(e), Some(Node::File(t))) if e.etag.is_some() && e.etag != t.etag => {
                found.push(format!("{path} has the ETag {:?}, not {:?} as acknowledged", t.etag, e.etag));
            }
            (Node::File(_), Some(Node::File(_))) => {}
            (_, Some(_)) => found.push(format!("{path} is of another kind than acknowledged")),
            (_, None) => found.push(format!("{path} was acknowledged and is gone")),
        }
    }
    let back = there.keys().filter(|p| !expected.contains_key(*p));
    found.extend(back.map(|p| format!("{p} is there, but nobody was told so")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(state: &State) -> Vec<&str> {
        state.keys().map(String::as_str).collect()
    }

    #[test]
    fn a_folder_goes_with_what_is_in_it_and_every_difference_is_told() {
        let mut state = State::new();
        let file = File { etag: Some("\"1\"".into()), ..File::new(1, 10) };
        Op::Mkcol { path: "/d1".into() }.apply(&mut state);
        Op::Put { path: "/d1/f1".into(), file, if_match: None }.apply(&mut state);
        let before = state.clone();
        Op::Copy { from: "/d1".into(), to: "/d2".into() }.apply(&mut state);
        assert_eq!(paths(&state), ["/d1", "/d1/f1", "/d2", "/d2/f1"]);
        assert!(matches!(&state["/d2/f1"], Node::File(File { etag: None, length: 10, .. })));
        Op::Move { from: "/d1".into(), to: "/d2".into() }.apply(&mut state);
        assert_eq!(paths(&state), ["/d2", "/d2/f1"]);
        assert_eq!(differences(&before, &state).len(), 4);
        Op::Put { path: "/d2/f1".into(), file: File::new(2, 10), if_match: None }.apply(&mut state);
        let mut wrong = state.clone();
        Op::Put { path: "/d2/f1".into(), file: File::new(3, 10), if_match: None }.apply(&mut wrong);
        assert_eq!(differences(&state, &wrong).len(), 1);
        assert!(differences(&state, &state).is_empty());
        Op::Delete { path: "/d2".into() }.apply(&mut state);
        assert!(state.is_empty());
    }

    #[test]
    fn what_is_chosen_can_be_done() {
        let (mut random, mut state) = (Random::new(3), State::new());
        let mut kinds = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let op = Op::choose(&mut random, &state, false);
            kinds.insert(op.to_string().split(' ').next().map(str::to_owned));
            if let Op::Move { from, .. } | Op::Copy { from, .. } | Op::Delete { path: from } = &op {
                assert!(state.contains_key(from), "{op}");
            }
            op.apply(&mut state);
            for path in state.keys() {
                let parent = path.rsplit_once('/').map(|p| p.0).unwrap_or_default();
                assert!(parent.is_empty() || matches!(state.get(parent), Some(Node::Folder)), "{op}: {path}");
            }
        }
        assert_eq!(kinds.len(), 5);
    }
}
