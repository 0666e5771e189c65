//! Small files that are whole or not there, whatever happens meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::settings::Fallible;

/// What to do where a file of the name is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Present {
    Replace,
    Refuse,
}

/// Writes beside `path`, syncs, and gives the file its name; durable when this returns. The directory is made where there is none.
pub fn write(path: &Path, bytes: &[u8], mode: u32, present: Present) -> Fallible<()> {
    let at = |path: &Path| {
        let name = path.display().to_string();
        move |e: std::io::Error| format!("{name}: {e}")
    };
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| format!("{} is no name for a file", path.display()))?;
    fs::create_dir_all(dir).map_err(at(dir))?;
    let part = dir.join(format!(".{}.part", name.to_string_lossy()));
    match fs::remove_file(&part) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(at(&part)(e).into()),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part).map_err(at(&part))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&part))?;
    if present == Present::Refuse {
        // A link, because a rename would replace.
        let linked = fs::hard_link(&part, path);
        fs::remove_file(&part).map_err(at(&part))?;
        linked.map_err(at(path))?;
    } else {
        fs::rename(&part, path).map_err(at(path))?;
    }
    File::open(dir).and_then(|d| d.sync_all()).map_err(at(dir))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_rest_of_a_crash_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/f");
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/.f.part"), "half").unwrap();
        write(&path, b"one", 0o400, Present::Refuse).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o400);
        assert!(write(&path, b"two", 0o400, Present::Refuse).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"two", 0o400, Present::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path().join("sub")).unwrap().count(), 1);
    }
}
