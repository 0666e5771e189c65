//! The certainty that what was begun is undone, however this program ends.

use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A shell that does its duty as soon as this process lets go of it: also when this process is killed.
pub struct Keeper {
    shell: Child,
    held: Option<ChildStdin>,
}

impl Keeper {
    pub fn new(duty: &str, of: &str) -> std::io::Result<Keeper> {
        // A group of its own, so that an interrupt from the keyboard does not end it first.
        let mut shell = Command::new("sh").args(["-c", duty, of]).process_group(0).stdin(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let held = shell.stdin.take();
        Ok(Keeper { shell, held })
    }

    /// Lets the duty begin, without waiting for its end.
    pub fn release(&mut self) {
        drop(self.held.take());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.release();
        let _ = self.shell.wait();
    }
}
