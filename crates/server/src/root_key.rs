//! The root key's file: one line, `holm-root-key 1 EPOCH HEX`, readable by its owner alone. It opens everything, so it
//! lies outside the data directory, and a copy of it belongs somewhere safe.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use holm_core::{Env, Key, RootKey};

use crate::settings::Fallible;

/// Reads the key; makes one where there is neither a key nor data. Answers whether it was made.
pub fn open(path: &Path, data: &Path, env: &Env) -> Fallible<(RootKey, bool)> {
    if std::path::absolute(path)?.starts_with(std::path::absolute(data)?) {
        return Err(format!("the root key {} would lie in the data directory, and whoever copies one has both: keep it elsewhere", path.display()).into());
    }
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let key = parse(&text).ok_or_else(|| format!("{} holds no root key", path.display()))?;
            if path.metadata().is_ok_and(|m| m.mode() & 0o077 != 0) {
                eprintln!("holm: others on this machine may read {}; mend it with chmod 400", path.display());
            }
            Ok((key, false))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if data.join("holm.db").exists() {
                return Err(format!("{} holds data, but its root key {} is missing; put the copy you kept there", data.display(), path.display()).into());
            }
            Ok((create(path, env)?, true))
        }
        Err(e) => Err(format!("{}: {e}", path.display()).into()),
    }
}

fn create(path: &Path, env: &Env) -> Fallible<RootKey> {
    let dir = match path.parent().ok_or("the root key's path has no directory")? {
        dir if dir.as_os_str().is_empty() => Path::new("."),
        dir => dir,
    };
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let key = Key::random(env);
    let hex: String = key.bytes().iter().map(|b| format!("{b:02x}")).collect();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    writeln!(file, "holm-root-key 1 1 {hex}")?;
    file.sync_all()?;
    std::fs::File::open(dir)?.sync_all()?;
    Ok(RootKey { key, epoch: 1 })
}

/// The key that a file of this text holds.
pub fn parse(text: &str) -> Option<RootKey> {
    let mut words = text.split_whitespace();
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
