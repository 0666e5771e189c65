//! A person who was removed: no key is left anywhere, so that copies of their files stay noise. The host's catalog is looked at
//! below SQL: every page of the file and of its log, deciphered by what `docs/format.md` says, free space included.

use std::path::Path;

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use holm_core::{Error, Gate, Host, Key, Party, RootKey, Via};

use crate::world::{World, noise, root};

const PAGE: usize = 4096;
/// At a page's end: an initialisation vector of 16 bytes and an HMAC of 64.
const RESERVED: usize = 80;
/// A wrapped key: nonce, key, tag.
const WRAPPED: usize = 12 + 32 + 16;

/// All pages of `holm.db` and its log as they are under the encryption.
pub fn pages(data: &Path, root: &RootKey) -> Vec<Vec<u8>> {
    let bytes = |name: &str| std::fs::read(data.join(name)).unwrap_or_default();
    let (file, log) = (bytes("holm.db"), bytes("holm.db-wal"));
    let mut pages: Vec<_> = file.chunks(PAGE).enumerate().map(|(n, page)| (n + 1, page)).collect();
    let frames = log.get(32..).unwrap_or_default().chunks_exact(24 + PAGE);
    pages.extend(frames.map(|f| (u32::from_be_bytes(f[..4].try_into().unwrap()) as usize, &f[24..])));
    pages.into_iter().map(|(number, page)| decipher(&root.catalog_key(), number, page)).collect()
}

pub fn decipher(key: &Key, number: usize, page: &[u8]) -> Vec<u8> {
    // The first page begins with the file's salt.
    let begin = if number == 1 { 16 } else { 0 };
    let (sealed, rest) = page[begin..].split_at(PAGE - RESERVED - begin);
    let key = UnboundCipherKey::new(&AES_256, key.bytes()).unwrap();
    let iv = FixedLength::<16>::from(<[u8; 16]>::try_from(&rest[..16]).unwrap());
    let mut plain = sealed.to_vec();
    DecryptingKey::cbc(key).unwrap().decrypt(&mut plain, DecryptionContext::Iv128(iv)).unwrap();
    plain
}

/// Every wrapped key of this person that lies anywhere in the pages.
pub fn keys(pages: &[Vec<u8>], root: &RootKey, uid: &[u8; 16]) -> Vec<Vec<u8>> {
    let windows = pages.iter().flat_map(|page| page.windows(WRAPPED));
    windows.filter(|w| root.unwrap(uid, w).is_ok()).map(<[u8]>::to_vec).collect()
}

/// Whether eight bytes of it in a row lie anywhere.
fn pieces(pages: &[Vec<u8>], of: &[u8]) -> bool {
    pages.iter().any(|page| page.windows(8).any(|w| of.windows(8).any(|piece| piece == w)))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { std::fs::copy(entry.path(), to).map(|_| ()).unwrap() }
    }
}

#[test]
fn nothing_of_a_removed_person_opens_with_the_root_key() {
    if crate::world::shared() {
        return;
    }
    let world = World::new(31, 0);
    let host = world.gate.host();
    world.put("/small", b"canary-59ab");
    world.put("/large", &noise(32, 3 << 20));
    // Others come and go and change, so that rows move about and pages are split and freed.
    for n in 0..24 {
        let id = host.add_person(&format!("p{n}"), None, 0).unwrap().id;
        host.set_password(id, &"x".repeat(30 * (n % 7))).unwrap();
    }
    for n in (0..24).step_by(3) {
        host.remove_person(&host.person(&format!("p{n}")).unwrap()).unwrap();
    }
    let ann = host.person("ann").unwrap();
    let data = world.dir.path();
    let wrapped = keys(&pages(data, &root()), &root(), &ann.uid);
    assert!(!wrapped.is_empty(), "the pages are not read as they should be: the key that is there is not found");

    // A copy that somebody made of ann's files, and a server that has the catalog open.
    let copied = tempfile::tempdir().unwrap();
    let hex: String = ann.uid.iter().map(|b| format!("{b:02x}")).collect();
    copy(&data.join("people").join(&hex), &copied.path().join("people").join(&hex));
    let beside = Host::open(data, root(), world.env()).unwrap();
    assert_eq!(beside.people().unwrap().len(), 17);
    drop(world.access());
    // Somebody has to look after the others when she is gone.
    assert!(matches!(host.remove_person(&ann), Err(Error::Forbidden(_))));
    host.set_admin(host.person("p1").unwrap().id, true).unwrap();
    assert!(host.remove_person(&ann).unwrap(), "the log is kept by nobody");

    let left = pages(data, &root());
    assert!(left.len() > 8, "{} pages are too few to say anything", left.len());
    assert_eq!(keys(&left, &root(), &ann.uid), Vec::<Vec<u8>>::new());
    for (n, wrapped) in wrapped.iter().enumerate() {
        assert!(!pieces(&left, wrapped), "a piece of wrapped key {n} is left");
    }
    assert!(!keys(&left, &root(), &host.person("p1").unwrap().uid).is_empty(), "others keep theirs");

    // The thief's view: the copy of her files beside all that is left of the host, and the root key.
    for file in ["holm.db", "holm.db-wal"] {
        std::fs::copy(data.join(file), copied.path().join(file)).unwrap();
    }
    let host = std::sync::Arc::new(Host::open(copied.path(), root(), world.env()).unwrap());
    assert!(matches!(host.person("ann"), Err(Error::NoSuchPerson(_))));
    let entered = Gate::new(host, world.env()).admit(Party::operator(ann.id).into(), Via::HERE);
    assert!(entered.is_err(), "her tree opened");
    // What is left without a key has no structure: it does not get smaller.
    let catalog = std::fs::read(copied.path().join("people").join(&hex).join("catalog.db")).unwrap();
    assert!(!catalog.windows(11).any(|w| w == b"canary-59ab"));
}
