//! A PostgreSQL of a check's own, in a directory of its own, that may be stopped and killed as wanted.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Fallible, options};

pub struct Cluster {
    dir: PathBuf,
    bin: PathBuf,
    port: u16,
}

/// Where Debian and others put the programs of a server: the newest there is.
pub fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|e| e.path().join("bin"));
    versions.filter(|bin| bin.join("initdb").exists()).max()
}

impl Cluster {
    /// Makes one below `beside`, and starts it.
    pub fn new(beside: &Path) -> Fallible<Cluster> {
        let bin = programs().ok_or("PostgreSQL is not installed")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Cluster { dir: beside.join("postgres"), bin, port };
        std::fs::create_dir(&cluster.dir)?;
        // It does not run as root.
        super::told("chmod", &["755", &beside.display().to_string()])?;
        super::told("chown", &["postgres", &cluster.dir.display().to_string()])?;
        let data = cluster.data();
        cluster.run("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale", "C"])?;
        cluster.start()?;
        Ok(cluster)
    }

    fn data(&self) -> String {
        self.dir.join("data").display().to_string()
    }

    fn run(&self, program: &str, args: &[&str]) -> Fallible<()> {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(self.bin.join(program)).args(args).env("PATH", options::path());
        // What it starts goes on, and would keep a pipe open.
        let done = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if done.success() { Ok(()) } else { Err(format!("{program} {} failed", args.join(" ")).into()) }
    }

    pub fn start(&self) -> Fallible<()> {
        let options = format!("-p {} -k {} -c listen_addresses=127.0.0.1", self.port, self.dir.display());
        let log = self.dir.join("log").display().to_string();
        self.run("pg_ctl", &["-D", &self.data(), "-l", &log, "-w", "-t", "60", "-o", &options, "start"])
    }

    /// Ends it as a crash would: what it acknowledged is in its log, and nothing else.
    pub fn crash(&self) -> Fallible<()> {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"])
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.crash();
    }
}
