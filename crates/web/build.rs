//! Builds the pages of `web/` with Node and writes a table of their files for `app.rs` to embed. Without a Node that can do
//! it, one plain page takes their place, which says what to do.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest Node that builds the pages.
const NODE: (u32, u32) = (20, 19);
/// What the pages are made of, below `web`.
const SOURCES: [&str; 8] = ["src", "public", "index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.js"];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web").canonicalize()?;
    SOURCES.iter().for_each(|s| println!("cargo::rerun-if-changed={}", web.join(s).display()));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/without.html");
    let app = out.join("app");
    match node() {
        Ok(()) => build(&web, &app)?,
        Err(why) => {
            println!("cargo::warning={why}: holm is built without its pages; install Node {}.{} or newer and build again", NODE.0, NODE.1);
            // A file that is missing: each build looks for Node anew.
            println!("cargo::rerun-if-changed={}", app.join("none").display());
            let _ = fs::remove_dir_all(&app);
            fs::create_dir_all(&app)?;
            fs::copy("src/without.html", app.join("index.html"))?;
        }
    }
    Ok(fs::write(out.join("files.rs"), table(&app)?)?)
}

/// Whether there is a Node new enough, and npm.
fn node() -> Result<(), String> {
    let said = |program: &str| Command::new(program).arg("--version").output().ok().filter(|o| o.status.success());
    let version = said("node").ok_or("there is no Node")?;
    let version = String::from_utf8_lossy(&version.stdout).trim().trim_start_matches('v').to_owned();
    let mut numbers = version.split('.').map_while(|n| n.parse::<u32>().ok());
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < NODE {
        return Err(format!("Node {version} is too old"));
    }
    said("npm").map(|_| ()).ok_or_else(|| "there is no npm".into())
}

/// Fetches what the lockfile names, unless that is there, and builds.
fn build(web: &Path, app: &Path) -> Result<(), Box<dyn Error>> {
    let (lock, fetched) = (fs::read(web.join("package-lock.json"))?, web.join("node_modules/fetched"));
    if fs::read(&fetched).ok().as_ref() != Some(&lock) {
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(web))?;
        fs::write(fetched, lock)?;
    }
    run(Command::new("npm").args(["run", "--silent", "build", "--", "--logLevel", "warn", "--outDir"]).arg(app).current_dir(web))
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Err(format!("{command:?} in web/ failed; mend what it says, or build where no Node is on the path for a holm without pages:\n{told}").into())
}

/// One line a file: where it is served, its tag, and its bytes as they are, in Brotli and in gzip.
fn table(app: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = Vec::new();
    walk(app, &mut files)?;
    files.sort();
    let mut text = String::from("pub const FILES: &[File] = &[\n");
    for file in files.iter().filter(|f| !f.extension().is_some_and(|e| e == "br" || e == "gz")) {
        let path = file.strip_prefix(app)?.to_str().ok_or("a name that is not UTF-8")?;
        // Tells versions apart; keeps nothing safe.
        let mut hasher = DefaultHasher::new();
        fs::read(file)?.hash(&mut hasher);
        let packed = |ending: &str| {
            let packed = PathBuf::from(format!("{}{ending}", file.display()));
            if packed.exists() { format!("Some(include_bytes!({packed:?}))") } else { "None".into() }
        };
        let (tag, br, gz) = (hasher.finish(), packed(".br"), packed(".gz"));
        writeln!(text, "    File {{ path: \"/{path}\", tag: \"{tag:016x}\", plain: include_bytes!({file:?}), br: {br}, gzip: {gz} }},")?;
    }
    text.push_str("];\n");
    Ok(text)
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, found)? } else { found.push(path) }
    }
    Ok(())
}
