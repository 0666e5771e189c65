//! Trees as file systems: davfs2 here, rclone in its own file, and what each must keep.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::server::{Server, skip, tool};

/// A mount that ends with the test, however that ends.
pub struct Mounted {
    at: PathBuf,
    child: Option<Child>,
}

fn is_mounted(at: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().any(|l| l.split(' ').nth(1) == at.to_str())
}

fn umount(at: &Path, options: &[&str]) -> bool {
    Command::new("timeout").arg("60").arg("umount").args(options).arg(at).stdout(Stdio::null()).status().unwrap().success()
}

impl Mounted {
    /// By a program that stays in front until it is unmounted.
    pub fn by_child(at: &Path, command: &mut Command) -> Mounted {
        let mounted = Mounted { at: at.to_owned(), child: Some(command.spawn().unwrap()) };
        for _ in 0..100 {
            if is_mounted(at) {
                return mounted;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{command:?} did not mount within 10 s");
    }

    #[track_caller]
    fn unmount(mut self) {
        assert!(umount(&self.at, &[]), "{} does not unmount", self.at.display());
        if let Some(mut child) = self.child.take() {
            assert!(child.wait().unwrap().success());
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if is_mounted(&self.at) && !umount(&self.at, &[]) {
            umount(&self.at, &["-i", "-l"]);
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether this process may mount by FUSE. A kernel without it is the one lack that nothing here could mend.
pub fn mountable(test: &str) -> bool {
    let Err(e) = fs::File::options().read(true).write(true).open("/dev/fuse") else { return true };
    let kernel_has_it = fs::read_to_string("/proc/filesystems").unwrap_or_default().lines().any(|l| l.ends_with("\tfuse"));
    if kernel_has_it {
        skip(test, &format!("/dev/fuse does not open ({e}); it takes root and the device"));
    } else {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: this kernel has no FUSE");
    }
    false
}

pub fn noise(size: usize) -> Vec<u8> {
    (0..size.div_ceil(4) as u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(size).collect()
}

pub fn write_tree(at: &Path) {
    fs::create_dir_all(at.join("a b/ü#%+")).unwrap();
    fs::create_dir_all(at.join("hollow")).unwrap();
    fs::write(at.join("a b/ü#%+/x?.txt"), "small").unwrap();
    fs::write(at.join("a b/100% & \"more\""), noise(70_000)).unwrap();
    fs::write(at.join("empty"), "").unwrap();
    fs::write(at.join("big"), noise(5_000_000)).unwrap();
}

/// Every place below, with the content of files.
pub fn snapshot(at: &Path) -> BTreeMap<PathBuf, Option<Content>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![at.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(at).unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
                found.insert(name, None);
            } else {
                found.insert(name, Some(Content(fs::read(&path).unwrap())));
            }
        }
    }
    found
}

/// Compared whole, shown by its length.
#[derive(PartialEq)]
pub struct Content(Vec<u8>);

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What people do in a folder: rename, replace, append, overwrite a part, cut, delete, add.
fn work_in(at: &Path, cuts: bool) {
    fs::rename(at.join("a b"), at.join("c")).unwrap();
    fs::rename(at.join("big"), at.join("c/bigger")).unwrap();
    fs::remove_file(at.join("empty")).unwrap();
    fs::remove_dir(at.join("hollow")).unwrap();
    fs::File::options().append(true).open(at.join("c/ü#%+/x?.txt")).unwrap().write_all(b" and more").unwrap();
    let mut file = fs::File::options().write(true).open(at.join("c/bigger")).unwrap();
    file.seek(SeekFrom::Start(2_500_000)).unwrap();
    file.write_all(&[0; 100]).unwrap();
    drop(file);
    if cuts {
        fs::File::options().write(true).open(at.join("c/100% & \"more\"")).unwrap().set_len(1_000).unwrap();
    }
    // As editors save.
    fs::write(at.join("new.tmp"), "saved").unwrap();
    fs::rename(at.join("new.tmp"), at.join("c/ü#%+/new")).unwrap();
    fs::create_dir_all(at.join("d/e")).unwrap();
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for (name, content) in snapshot(from) {
        match content {
            None => fs::create_dir(to.join(name)).unwrap(),
            Some(content) => fs::write(to.join(name), content.0).unwrap(),
        }
    }
}

/// A tree goes in, comes back after each new mount, and takes every kind of change. `sent` waits until the server has
/// what the local tree holds; `cuts` is false for a client that cannot cut a file.
pub fn keeps_a_tree(s: &Server, cuts: bool, mount: impl Fn(&Path) -> Mounted, sent: impl Fn(&Path) -> Result<(), String>) {
    let dir = tempfile::tempdir().unwrap();
    let (at, local) = (dir.path().join("mount"), dir.path().join("local"));
    fs::create_dir(&at).unwrap();
    let tree = at.join("tree");
    write_tree(&local);

    let mounted = mount(&at);
    copy_tree(&local, &tree);
    sent(&local).expect("the copy comes to the server");
    mounted.unmount();
    assert!(snapshot(&at).is_empty(), "nothing is read while nothing is mounted");

    let mounted = mount(&at);
    assert_eq!(snapshot(&tree), snapshot(&local));
    work_in(&local, cuts);
    work_in(&tree, cuts);
    sent(&local).expect("the changes come to the server");
    mounted.unmount();

    let mounted = mount(&at);
    assert_eq!(snapshot(&tree), snapshot(&local));
    // And by another client.
    assert_eq!(s.send("GET", "/tree/c/%C3%BC%23%25%2B/new", &[], "").expect(200).body, b"saved");
    fs::remove_dir_all(&tree).unwrap();
    mounted.unmount();
    s.send("HEAD", "/tree", &[], "").expect(404);
}

#[test]
fn davfs2_keeps_a_tree() {
    const TEST: &str = "davfs2_keeps_a_tree";
    if tool("mount.davfs", TEST).is_none() || !mountable(TEST) {
        return;
    }
    let s = Server::start();
    let private = tempfile::tempdir().unwrap();
    let mount = |at: &Path| {
        // A cache of its own each time: what is read then comes from the server.
        let cache = tempfile::tempdir_in(private.path()).unwrap().keep();
        let conf = cache.join("conf");
        // It works there as its own user.
        for dir in [private.path(), &cache] {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
        }
        // From 6.16 on, Linux reads folders in blocks that the buffer davfs2 has by default does not hold.
        fs::write(&conf, format!("cache_dir {}\nask_auth 1\nbuf_size 64\n", cache.display())).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "davfs", "-o", &format!("conf={}", conf.display())]).arg(s.url()).arg(at);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("ann\n{}\n", s.secret).as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{command:?}");
        Mounted { at: at.to_owned(), child: None }
    };
    // Unmounting davfs2 waits until all is sent.
    keeps_a_tree(&s, true, mount, |_| Ok(()));
}
