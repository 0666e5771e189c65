//! A disk that can lose its power: an ext4 in a file, mounted for one check. The cut is `EXT4_IOC_SHUTDOWN` without a
//! flush of the log: what was not synced is gone, and every later call fails until the disk is mounted again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::options::path;
use super::{Fallible, told};
use crate::keeper::Keeper;

/// 0x8004587d with 2, `EXT4_GOING_FLAGS_NOLOGFLUSH`. Perl, because it is on every Debian and starts in no time.
const SHUT_DOWN: &str =
    r#"use Fcntl; sysopen(D, $ARGV[0], O_RDONLY) or die "open: $!"; my $how = pack("L", 2); ioctl(D, 0x8004587d, $how) or die "ioctl: $!";"#;
/// Whoever still holds the disk is ended with this program, a moment later at most.
const REMOVE: &str = r#"cat >/dev/null; PATH=$PATH:/usr/sbin:/sbin; n=0
while mountpoint -q "$0/disk" && ! umount "$0/disk" && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
mountpoint -q "$0/disk" && umount -l "$0/disk"; rm -rf --one-file-system "$0""#;
const FILLER: &str = "filler";

pub struct Disk {
    /// What survives the disk: its image, the root key.
    pub beside: PathBuf,
    pub mounted: PathBuf,
    up: bool,
    _keeper: Keeper,
}

impl Disk {
    pub fn new(mib: u64) -> Fallible<Disk> {
        let beside = tempfile::Builder::new().prefix("holm-prove-").tempdir()?.keep();
        let _keeper = Keeper::new(REMOVE, &beside.display().to_string())?;
        let mounted = beside.join("disk");
        fs::create_dir(&mounted)?;
        let mut disk = Disk { beside, mounted, up: false, _keeper };
        File::create(disk.image())?.set_len(mib << 20)?;
        told("mkfs.ext4", &["-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", &disk.image().display().to_string()])?;
        disk.mount()?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.beside.join("image")
    }

    fn mount(&mut self) -> Fallible<()> {
        told("mount", &["-o", "loop", &self.image().display().to_string(), &self.mounted.display().to_string()])?;
        self.up = true;
        Ok(())
    }

    /// The power goes.
    pub fn cut(&self) -> Fallible<()> {
        told("perl", &["-e", SHUT_DOWN, &self.mounted.display().to_string()]).map(|_| ())
    }

    /// The power comes back: the journal is replayed, as at any boot. Nobody may be using the disk.
    pub fn restore(&mut self) -> Fallible<()> {
        self.unmount()?;
        let checked = Command::new("e2fsck").args(["-p", &self.image().display().to_string()]).env("PATH", path()).output()?;
        // 1: something was corrected, as a journal that was replayed.
        if !matches!(checked.status.code(), Some(0 | 1)) {
            return Err(format!("e2fsck: {}", String::from_utf8_lossy(&checked.stdout)).into());
        }
        self.mount()
    }

    fn unmount(&mut self) -> Fallible<()> {
        let mut done = told("umount", &[&self.mounted.display().to_string()]);
        // A process that was killed takes a moment to let go.
        for _ in 0..100 {
            if done.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
            done = told("umount", &[&self.mounted.display().to_string()]);
        }
        done?;
        self.up = false;
        Ok(())
    }

    /// Leaves no block free.
    pub fn fill(&self) -> Fallible<()> {
        let mut file = File::create(self.mounted.join(FILLER))?;
        for size in [1 << 20, 64 << 10, 4 << 10] {
            let block = vec![1; size];
            while file.write_all(&block).is_ok() {}
        }
        // Blocks that were only promised are taken now.
        let _ = file.sync_all();
        Ok(())
    }

    pub fn free(&self) -> Fallible<()> {
        Ok(fs::remove_file(self.mounted.join(FILLER))?)
    }

    /// How much of it is taken, in percent.
    pub fn used(&self) -> Fallible<u64> {
        let text = told("df", &["--output=pcent", &self.mounted.display().to_string()])?;
        Ok(text.lines().last().unwrap_or_default().trim().trim_end_matches('%').parse()?)
    }

    pub fn data(&self) -> PathBuf {
        self.mounted.join("data")
    }

    pub fn key(&self) -> &Path {
        &self.beside
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The keeper does the same, and the rest, a little later and slower.
        if self.up {
            let _ = self.unmount();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Check;
    use super::*;

    #[test]
    fn a_cut_takes_what_was_not_synced_and_nothing_else() {
        if let Some(missing) = Check::Power.missing() {
            return eprintln!("SKIPPED: needs {missing}");
        }
        let mut disk = Disk::new(32).expect("a disk");
        let at = disk.mounted.clone();
        fs::write(at.join("synced"), "1").and_then(|()| File::open(at.join("synced"))?.sync_all()).expect("synced");
        fs::write(at.join("not synced"), "2").expect("written");
        disk.cut().expect("cut");
        assert!(fs::write(at.join("late"), "3").is_err());
        disk.restore().expect("back");
        assert_eq!(fs::read_to_string(at.join("synced")).expect("there"), "1");
        assert!(!at.join("not synced").exists());
        disk.fill().expect("filled");
        assert_eq!(disk.used().expect("df"), 100);
        disk.free().expect("freed");
        let beside = disk.beside.clone();
        drop(disk);
        assert!(!beside.exists());
    }
}
