//! Pictures of every page: light, dark, and as wide as a phone. The tests that walk through the pages take them.

use std::error::Error;
use std::process::Command;

pub const USAGE: &str = "cargo xtask screenshots DIRECTORY";

pub fn run(args: &[&str]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let [directory] = args else { return Err(USAGE.into()) };
    std::fs::create_dir_all(directory)?;
    let directory = std::fs::canonicalize(directory)?;
    let tests = ["test", "--workspace", "--test", "it", "--", "app::", "--nocapture", "--test-threads=1"];
    let status = Command::new("cargo").args(tests).env("HOLM_SHOTS", &directory).status()?;
    if status.success() { Ok(()) } else { Err("a page is not as it should be, see above".into()) }
}
