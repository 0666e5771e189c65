//! The root key's file: a line `holm-root-key 1 EPOCH HEX`, readable by its owner alone; two lines while a new key takes
//! the place of an old one. It opens everything, so it lies outside the data directory, and a copy belongs somewhere safe.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use holm_core::{Env, Key, RootKey};
use zeroize::Zeroizing;

use crate::durable::{self, Present};
use crate::settings::Fallible;

/// Whoever copies the data directory must not have the key with it.
pub fn outside(path: &Path, data: &Path) -> Fallible<()> {
    if std::path::absolute(path)?.starts_with(std::path::absolute(data)?) {
        return Err(format!("the root key {} would lie in the data directory, and whoever copies one has both: keep it elsewhere", path.display()).into());
    }
    Ok(())
}

/// The keys of the file, oldest first; none where there is no file.
pub fn read(path: &Path) -> Fallible<Vec<RootKey>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(parse(&Zeroizing::new(text)).ok_or_else(|| format!("{} holds no root key", path.display()))?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(format!("{}: {e}", path.display()).into()),
    }
}

/// Reads the keys; makes one where there is neither a key nor data, as `kept` tells. Answers whether it was made.
pub fn open(path: &Path, data: &Path, kept: bool, env: &Env) -> Fallible<(Vec<RootKey>, bool)> {
    outside(path, data)?;
    let keys = read(path)?;
    if !keys.is_empty() {
        if path.metadata().is_ok_and(|m| m.mode() & 0o077 != 0) {
            eprintln!("holm: others on this machine may read {}; mend it with chmod 400", path.display());
        }
        return Ok((keys, false));
    }
    if kept {
        let (data, path) = (data.display(), path.display());
        return Err(format!("{data} holds data, but its root key {path} is missing: put the copy you kept there, or run holm recover").into());
    }
    let keys = vec![RootKey { key: Key::random(env), epoch: 1 }];
    write(path, &keys, Present::Refuse)?;
    announce(path);
    Ok((keys, true))
}

/// Tells of a new key, on standard error.
pub fn announce(path: &Path) {
    eprintln!("A new root key is in {}. Everything here is encrypted under it:", path.display());
    eprintln!("copy it somewhere safe, apart from the data. Data and key together restore everything; data alone is noise.\n");
}

pub fn write(path: &Path, keys: &[RootKey], present: Present) -> Fallible<()> {
    durable::write(path, text(keys).as_bytes(), 0o400, present)
}

/// What the file says.
pub fn text(keys: &[RootKey]) -> String {
    let hex = |key: &RootKey| key.key.bytes().iter().map(|b| format!("{b:02x}")).collect::<String>();
    keys.iter().map(|key| format!("holm-root-key 1 {} {}\n", key.epoch, hex(key))).collect()
}

/// One key or more; None if any line is something else.
pub fn parse(text: &str) -> Option<Vec<RootKey>> {
    let keys: Vec<RootKey> = text.lines().filter(|line| !line.trim().is_empty()).map(parse_line).collect::<Option<_>>()?;
    (!keys.is_empty()).then_some(keys)
}

fn parse_line(line: &str) -> Option<RootKey> {
    let mut words = line.split_whitespace();
    if (words.next()?, words.next()?) != ("holm-root-key", "1") {
        return None;
    }
    let epoch = words.next()?.parse().ok()?;
    let hex = words.next().filter(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let mut bytes = [0; 32];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(RootKey { key: Key::from_bytes(bytes), epoch })
}
