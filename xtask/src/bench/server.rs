//! A server under test: its directory, its process, and the certainty that both are gone afterwards, however the
//! bench ends.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Fallible;
use super::client::{Body, Conn, Target};
use super::peers::Peer;
use super::process;
use crate::keeper::Keeper;

const START: Duration = Duration::from_secs(30);
/// How long a server is left alone before its memory counts as idle.
const IDLE: Duration = Duration::from_secs(2);

/// Asks the process to end, insists after ten seconds, and ends what is left of its group.
const END_PROCESS: &str = r#"cat >/dev/null; kill "$0"; n=0
while kill -0 "$0" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done; kill -s KILL -- "-$0" 2>/dev/null; true"#;
/// A server that is just ending may still write.
const REMOVE_DIRECTORY: &str = r#"cat >/dev/null; for n in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$0" && break; sleep 1; done"#;

/// A temporary directory.
pub struct Directory {
    pub path: PathBuf,
    _keeper: Keeper,
}

impl Directory {
    pub fn new() -> Fallible<Directory> {
        let made = tempfile::Builder::new().prefix("holm-bench-").tempdir()?;
        let _keeper = Keeper::new(REMOVE_DIRECTORY, &made.path().display().to_string())?;
        // Apache's workers are another user. Nothing in here is a secret.
        fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Directory { path: made.keep(), _keeper })
    }

    /// Bytes on the disk below `path`.
    pub fn allocated(path: &Path) -> Fallible<u64> {
        use std::os::unix::fs::MetadataExt;
        let mut total = 0;
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            total += if meta.is_dir() { Directory::allocated(&entry.path())? } else { meta.blocks() * 512 };
        }
        Ok(total)
    }
}

/// A running process, ended with its group when dropped.
struct Process {
    child: Child,
    keeper: Option<Keeper>,
}

impl Process {
    fn start(mut command: Command, log: &Path) -> Fallible<Process> {
        let log = File::options().create(true).append(true).open(log)?;
        let child = command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let keeper = Some(Keeper::new(END_PROCESS, &child.id().to_string())?);
        Ok(Process { child, keeper })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The keeper kills; the child stays a zombie, and its pid nobody else's, until it is waited for.
        let mut keeper = self.keeper.take();
        if let Some(keeper) = &mut keeper {
            keeper.release();
        }
        let _ = self.child.wait();
    }
}

/// A server with its data. The process is ended before the directory is removed: fields are dropped in order.
pub struct Server {
    process: Option<Process>,
    pub peer: &'static Peer,
    pub target: Target,
    pub directory: Directory,
}

/// How long a start took, in milliseconds from exec, and the memory it left in use.
#[derive(Clone, Copy)]
pub struct Start {
    pub answered: f64,
    pub authenticated: f64,
    pub idle: f64,
}

impl Server {
    pub fn prepare(peer: &'static Peer) -> Fallible<Server> {
        let directory = Directory::new()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let account = (peer.prepare)(&directory.path, address)?;
        let target = Target { address, prefix: account.prefix, authorization: account.authorization };
        Ok(Server { process: None, peer, target, directory })
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, |p| p.child.id())
    }

    pub fn stop(&mut self) {
        self.process = None;
    }

    /// (Re)starts the process. It has answered when `/health` is 200 (holm) or anything at all comes back, and is up
    /// when `probe` (method and path, with the password) is answered below 500.
    pub fn start(&mut self, probe: (&str, &str)) -> Fallible<Start> {
        self.stop();
        let command = (self.peer.command)(&self.directory.path, self.target.address);
        let began = Instant::now();
        self.process = Some(Process::start(command, &self.log())?);
        let health = Target { prefix: String::new(), ..self.target.clone() };
        self.wait(began, || Conn::new(&health).send("GET", "/health", "", Body::Bytes(b"")).is_ok_and(|s| s == 200 || self.peer.name != "holm"))?;
        let answered = began.elapsed().as_secs_f64() * 1e3;
        let mut conn = Conn::new(&self.target);
        let (method, path) = probe;
        self.wait(began, || conn.send(method, path, "Depth: 0\r\n", Body::Bytes(b"")).is_ok_and(|s| s < 500))?;
        let authenticated = began.elapsed().as_secs_f64() * 1e3;
        drop(conn);
        Ok(Start { answered, authenticated, idle: self.idle() })
    }

    /// Resident memory after a rest.
    pub fn idle(&self) -> f64 {
        std::thread::sleep(IDLE);
        process::resident(&process::tree(self.pid()))
    }

    fn log(&self) -> PathBuf {
        self.directory.path.join("log")
    }

    fn wait(&self, began: Instant, mut ready: impl FnMut() -> bool) -> Fallible<()> {
        while !ready() {
            if began.elapsed() > START || process::ended(self.pid()) {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                let end: Vec<_> = log.lines().rev().take(5).collect();
                let end = end.into_iter().rev().collect::<Vec<_>>().join("\n");
                return Err(format!("{} does not answer on {}; the end of its log:\n{end}", self.peer.name, self.target.address).into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_process_takes_its_group_along_and_the_directory_goes() {
        let directory = Directory::new().expect("a directory");
        let path = directory.path.clone();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' HUP; (trap '' TERM; sleep 60) & sleep 60"]);
        let process = Process::start(command, &path.join("log")).expect("started");
        let began = Instant::now();
        let pids = loop {
            let pids = process::tree(process.child.id());
            if pids.len() >= 3 || began.elapsed() > START {
                break pids;
            }
        };
        assert!(pids.len() >= 3, "{pids:?}");
        drop(process);
        drop(directory);
        // A killed process takes a moment to go.
        while !pids.iter().all(|p| process::ended(*p)) {
            assert!(began.elapsed() < START, "{pids:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!path.exists());
    }

    #[test]
    fn what_is_allocated_is_counted_through_folders() {
        let directory = Directory::new().expect("a directory");
        fs::create_dir(directory.path.join("below")).expect("a folder");
        fs::write(directory.path.join("below/file"), vec![1; 1 << 20]).expect("a file");
        File::open(directory.path.join("below/file")).and_then(|f| f.sync_all()).expect("synced");
        let bytes = Directory::allocated(&directory.path).expect("counted");
        assert!((1 << 20..2 << 20).contains(&bytes), "{bytes}");
    }
}
