//! The program under test: its data directory, its process, its verbs.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{Fallible, options};
use crate::bench::client::{Conn, Target};
use crate::bench::content::base64;
use crate::keeper::Keeper;

const PERSON: &str = "ann";
/// Longest a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ends a process with its group at once.
const END: &str = r#"cat >/dev/null; kill -s KILL -- "-$0" 2>/dev/null; true"#;
/// What `holm gc` is given to let go all that may be let go.
pub const GC: &[&str] = &["--keep-all-hours", "0", "--keep-daily-days", "0", "--keep-weekly-days", "0", "--keep-trash-days", "0", "gc", "--grace", "0"];

/// A data directory and the build that serves it.
pub struct Holm {
    binary: PathBuf,
    data: PathBuf,
    key: PathBuf,
    /// Where the log lies.
    beside: PathBuf,
    /// The database of its catalogs, where they are not files.
    catalog: Option<String>,
    authorization: String,
}

/// A process that serves.
pub struct Running {
    pub target: Target,
    child: Child,
    keeper: Option<Keeper>,
    /// It goes on printing.
    _output: BufReader<ChildStdout>,
}

/// What a program printed, or all it said.
fn ended(output: Output) -> Fallible<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err((text + &String::from_utf8_lossy(&output.stderr)).into()) }
}

/// Stops every thread of a process; returns when what they had asked of the system is done.
pub fn pause(pid: u32) -> Fallible<()> {
    super::told("kill", &["-s", "STOP", &pid.to_string()])?;
    let rests = |entry: std::io::Result<fs::DirEntry>| -> std::io::Result<bool> {
        let stat = fs::read_to_string(entry?.path().join("stat"))?;
        Ok(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 'Z'])))
    };
    for _ in 0..10_000 {
        let threads = fs::read_dir(format!("/proc/{pid}/task"))?;
        if threads.map(rests).collect::<std::io::Result<Vec<_>>>()?.into_iter().all(|s| s) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("holm does not pause".into())
}

impl Holm {
    /// Makes a person's tree there, with the root key beside.
    pub fn new(binary: &Path, data: &Path, beside: &Path) -> Fallible<Holm> {
        Holm::with_key(binary, data, beside, &beside.join("root.key"))
    }

    /// The same, with the root key in a file of one's choice.
    pub fn with_key(binary: &Path, data: &Path, beside: &Path, key: &Path) -> Fallible<Holm> {
        Holm::at(binary, data, beside, key, None).inhabited()
    }

    /// The same, with catalogs in a database.
    pub fn shared(binary: &Path, data: &Path, beside: &Path, url: String) -> Fallible<Holm> {
        let holm = Holm::at(binary, data, beside, &beside.join("root.key"), Some(url));
        holm.verb(&["migrate"])?;
        holm.inhabited()
    }

    fn at(binary: &Path, data: &Path, beside: &Path, key: &Path, catalog: Option<String>) -> Holm {
        Holm { binary: binary.into(), data: data.into(), key: key.into(), beside: beside.into(), catalog, authorization: String::new() }
    }

    /// Another node over the same, with its own key file and log.
    pub fn beside(&self, beside: &Path) -> Holm {
        let Holm { binary, data, catalog, authorization, .. } = self;
        let holm = Holm::at(binary, data, beside, &beside.join("root.key"), catalog.clone());
        Holm { authorization: authorization.clone(), ..holm }
    }

    fn inhabited(mut self) -> Fallible<Holm> {
        let holm = &mut self;
        holm.verb(&["person", "add", PERSON])?;
        let secret = holm.verb(&["app-password", "add", PERSON, "--quiet"])?;
        holm.authorization = format!("Authorization: Basic {}\r\n", base64(format!("{PERSON}:{}", secret.trim()).as_bytes()));
        Ok(self)
    }

    /// Its command line, run by `wrapper` if there is one.
    pub fn command(&self, wrapper: &[String]) -> Command {
        let mut command = match wrapper.split_first() {
            Some((program, args)) => {
                let mut command = Command::new(program);
                command.args(args).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command.env_clear().env("PATH", options::path());
        command.envs(self.catalog.as_ref().map(|url| ("HOLM_CATALOG_URL", url)));
        command.arg("--data").arg(&self.data).arg("--root-key").arg(&self.key);
        command
    }

    /// The same build with other data, or another key.
    pub fn elsewhere(&self, data: &Path, key: &Path) -> Holm {
        let holm = Holm::at(&self.binary, data, &self.beside, key, self.catalog.clone());
        Holm { authorization: self.authorization.clone(), ..holm }
    }

    /// Runs a verb to its end; answers what it printed, or all it said.
    pub fn verb(&self, args: &[&str]) -> Fallible<String> {
        self.verb_under(&[], args)
    }

    /// The same, run by `wrapper`.
    pub fn verb_under(&self, wrapper: &[String], args: &[&str]) -> Fallible<String> {
        ended(self.command(wrapper).args(args).stdin(Stdio::null()).output()?)
    }

    /// The same, with something to read.
    pub fn verb_with_input(&self, args: &[&str], input: &str) -> Fallible<String> {
        let mut child = self.command(&[]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        child.stdin.take().ok_or("no input")?.write_all(input.as_bytes())?;
        ended(child.wait_with_output()?)
    }

    /// What `check --deep` finds; nothing when all is well.
    pub fn check(&self) -> Vec<String> {
        self.verb(&["check", "--deep"]).err().map(|e| format!("check --deep: {e}")).into_iter().collect()
    }

    /// What the last server said of itself.
    pub fn log(&self) -> Fallible<String> {
        Ok(fs::read_to_string(self.beside.join("log"))?)
    }

    /// What failed inside is told there, and to nobody else: where nothing may fail, that is a finding each.
    pub fn errors(&self) -> Fallible<Vec<String>> {
        Ok(self.log()?.lines().filter(|line| line.contains(" ERROR ")).map(|line| format!("its log: {line}")).collect())
    }

    /// Starts it; answers when it listens, or why it does not.
    pub fn start(&self, wrapper: &[String]) -> Fallible<Running> {
        let log = self.beside.join("log");
        let mut command = self.command(wrapper);
        command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut child = command.process_group(0).spawn()?;
        let keeper = Some(Keeper::new(END, &child.id().to_string())?);
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        output.read_line(&mut line)?;
        let address = line.split("://").nth(1).and_then(|l| l.split(',').next()).and_then(|a| a.parse().ok());
        let target = |address| Target { address, prefix: format!("/dav/files/{PERSON}"), authorization: self.authorization.clone() };
        match address {
            Some(address) => Ok(Running { target: target(address), child, keeper, _output: output }),
            None => {
                let status = child.wait()?;
                Err(format!("holm did not start ({status}): {}", self.log()?.trim()).into())
            }
        }
    }

    /// Starts it and waits for its first authenticated answer; answers the milliseconds that took.
    pub fn restart(&self) -> Fallible<(Running, f64)> {
        self.restart_under(&[])
    }

    /// The same, run by `wrapper`.
    pub fn restart_under(&self, wrapper: &[String]) -> Fallible<(Running, f64)> {
        let began = Instant::now();
        let running = self.start(wrapper)?;
        let status = Conn::new(&running.target).send_once("PROPFIND", "/", "Depth: 0\r\n", b"")?;
        if status == 207 { Ok((running, began.elapsed().as_secs_f64() * 1e3)) } else { Err(format!("a fresh start answers {status}").into()) }
    }
}

impl Running {
    /// kill -9, with all it started.
    pub fn kill(mut self) -> Fallible<()> {
        self.end()
    }

    /// The same, where others still know the server.
    pub fn end(&mut self) -> Fallible<()> {
        self.keeper.take();
        self.child.wait()?;
        Ok(())
    }

    pub fn is_running(&mut self) -> Fallible<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    fn signal(&self, name: &str) -> Fallible<()> {
        super::told("kill", &["-s", name, &self.child.id().to_string()]).map(|_| ())
    }

    /// Stops every thread; returns when what they had asked of the system is done.
    pub fn pause(&self) -> Fallible<()> {
        pause(self.child.id())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until somebody traces it.
    pub fn traced(&self) -> Fallible<()> {
        for _ in 0..5_000 {
            let threads = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
            let status = threads.map(|t| fs::read_to_string(t?.path().join("status"))).collect::<std::io::Result<Vec<_>>>()?;
            if status.iter().all(|s| !s.contains("TracerPid:\t0")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err("strace does not attach to holm".into())
    }

    pub fn resume(&self) -> Fallible<()> {
        self.signal("CONT")
    }

    /// Asks it to end and waits; answers whether it ended well.
    pub fn stop(mut self) -> Fallible<bool> {
        self.signal("TERM")?;
        self.ended()?.ok_or_else(|| "holm does not end when asked to".into())
    }

    /// Waits for its end; answers whether it ended well, or nothing if it goes on.
    pub fn ended(&mut self) -> Fallible<Option<bool>> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status.success()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(None)
    }
}
