//! The test vectors of `docs/format.md`, computed anew: code and document must say the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::age::Identity;
use crate::env::{Clock, Entropy, Env, Timestamp};
use crate::keys::{Key, KeyRing, PersonKey, RootKey};
use crate::store::pack::{PackReader, PackWriter, file_name};

/// Gives the same bytes to whoever asks.
struct Given(Vec<u8>);
impl Entropy for Given {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0[..bytes.len()]);
    }
}
impl Clock for Given {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

fn env(bytes: &[u8]) -> Env {
    Env { clock: Arc::new(Given(vec![])), entropy: Arc::new(Given(bytes.to_vec())) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|n| u8::from_str_radix(&text[n..n + 2], 16).expect("hex")).collect()
}

/// The names and values of the table.
fn documented() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format.md");
    let text = std::fs::read_to_string(path).unwrap();
    let block = text.split("```vectors\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(|l| l.rsplit_once(' ').unwrap()).map(|(n, v)| (n.trim().to_owned(), v.to_owned())).collect()
}

#[test]
fn the_documented_vectors_hold() {
    let table = documented();
    let given = |name: &str| unhex(&table[name]);
    let key = |name: &str| Key::from_bytes(given(name).try_into().unwrap());
    let uid: [u8; 16] = given("uid").try_into().unwrap();
    let root = RootKey { key: key("root key"), epoch: u32::from_be_bytes(given("epoch").try_into().unwrap()) };
    let person = PersonKey::from_key(key("person key"));
    let salt: [u8; 32] = given("salt").try_into().unwrap();
    let wrapped = root.wrap(&env(&given("wrap nonce")), &uid, &person);
    assert_eq!(root.unwrap(&uid, &wrapped).unwrap().catalog(), person.catalog());
    let ring = KeyRing::first(person.clone());
    let name = *blake3::keyed_hash(person.chunk_names().bytes(), &given("chunk")).as_bytes();
    let dir = tempfile::tempdir().unwrap();
    let mut pack = PackWriter::create(dir.path(), &ring, &env(&salt)).unwrap();
    let place = pack.append(&name, &given("chunk"), &mut Vec::new()).unwrap();
    pack.sync().unwrap();
    let changed = KeyRing::changed(person.clone(), 1, vec![], person.chunk_names());
    let second = tempfile::tempdir().unwrap();
    let mut marked = PackWriter::create(second.path(), &changed, &env(&salt)).unwrap();
    marked.append(&name, &given("chunk"), &mut Vec::new()).unwrap();
    let kit = Identity::from_bytes(key("kit").bytes().to_owned());
    let computed = [
        ("host catalog key", hex(root.catalog_key().bytes())),
        ("wrapped person key", hex(&wrapped)),
        ("catalog key", hex(person.catalog().bytes())),
        ("chunk name key", hex(person.chunk_names().bytes())),
        ("chunk cut", format!("{:016x}", person.chunk_cuts())),
        ("pack key", hex(person.pack(&salt).bytes())),
        ("chunk name", hex(&name)),
        ("pack", hex(&std::fs::read(dir.path().join(file_name(&salt))).unwrap())),
        ("pack mark key", hex(person.pack_marks(&salt).bytes())),
        ("pack of epoch 1", hex(&std::fs::read(second.path().join(file_name(&salt))).unwrap())),
        ("kit identity", kit.text().to_string()),
        ("kit recipient", kit.recipient().unwrap().text()),
    ];
    let told: String = computed.iter().map(|(n, v)| format!("{n:<18}{v}\n")).collect();
    for (name, value) in &computed {
        assert_eq!(table.get(*name), Some(value), "the table should say:\n{told}");
    }
    let mut read = Vec::new();
    PackReader::open(dir.path(), &ring, &salt).unwrap().verify(&name, place, &mut read).unwrap();
    assert_eq!(read, given("chunk"));
}
