//! power-in-rotation: the power goes, or the process, while the root key or a person's key is changed or a person is
//! removed, and perhaps again while that is gone on with. The root key's file lies on the disk that loses its power. After each
//! fault what a user would have opens everything, that file and the recovery kit; the same command then completes the change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::examine;
use super::faults::moment;
use super::holm::{GC, Holm, pause};
use super::load::{Client, Faults, together};
use super::options::Options;
use super::{Fallible, Outcome};
use crate::bench::client::{Conn, Target};
use crate::bench::content::{Random, base64, noise};

const CLIENTS: u64 = 4;
const DISK_MIB: u64 = 512;
/// A disk this full, in percent, is exchanged: a change of a person's key needs room for a second catalog and some packs.
const FULL: u64 = 50;
/// Of so many rounds, at least half must have struck before the change was complete.
const ENOUGH: u64 = 10;
const STRUCK: &str = "struck in the midst";
/// Who is removed.
const GUEST: &str = "bob";

/// What is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Root,
    Person,
    /// What is there already is left to upkeep.
    Later,
    Remove,
}

impl Act {
    const ALL: [Act; 4] = [Act::Root, Act::Person, Act::Later, Act::Remove];

    fn args(self) -> &'static [&'static str] {
        match self {
            Act::Root => &["key", "rotate", "root"],
            Act::Person => &["key", "rotate", "person", "ann"],
            Act::Later => &["key", "rotate", "person", "ann", "--later"],
            Act::Remove => &["person", "remove", GUEST, "--yes"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Act::Root => "changes of the root key",
            Act::Person => "changes of a person's key",
            Act::Later => "changes left to upkeep",
            Act::Remove => "removals",
        }
    }
}

struct Scene {
    disk: Disk,
    holm: Holm,
    /// Of the recovery kit.
    words: String,
    clients: Vec<Client>,
    /// How long each act took when it was last left alone.
    took: [Duration; Act::ALL.len()],
}

fn key(disk: &Disk) -> PathBuf {
    disk.mounted.join("root.key")
}

impl Scene {
    fn new(binary: &Path, seed: u64) -> Fallible<Scene> {
        let disk = Disk::new(DISK_MIB)?;
        let holm = Holm::with_key(binary, &disk.data(), disk.key(), &key(&disk))?;
        let made = holm.verb(&["--json", "kit", "make"])?;
        let words = made.split_once("\"words\":[").ok_or("no words")?.1.replace(['"', ',', ']', '}'], " ");
        let (running, _) = holm.restart()?;
        let clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, seed)).collect();
        clients.iter().try_for_each(|c| c.settle(&running.target))?;
        running.kill()?;
        Ok(Scene { disk, holm, words, clients, took: [Duration::from_millis(60); Act::ALL.len()] })
    }
}

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let mut random = Random::new(options.seed);
    let mut scene = Scene::new(binary, random.next())?;
    let mut outcome = Outcome::default();
    for round in 1..=options.rounds {
        if scene.disk.used()? > FULL {
            scene = Scene::new(binary, random.next())?;
        }
        outcome.rounds = round;
        let act = Act::ALL[round as usize % Act::ALL.len()];
        let findings = self::round(&mut scene, act, &mut random, &mut outcome).map_err(|e| format!("round {round} (--seed {}): {e}", options.seed))?;
        if !findings.is_empty() {
            outcome.findings = findings.into_iter().map(|f| format!("round {round}, {}: {f}", act.name())).collect();
            return Ok(outcome);
        }
    }
    let struck = outcome.counts.get(STRUCK).copied().unwrap_or_default();
    if options.rounds >= ENOUGH && struck * 2 < options.rounds || outcome.acknowledged < options.rounds {
        return Err(
            format!("{struck} faults in the midst and {} acknowledged in {} rounds: too few to prove anything", outcome.acknowledged, options.rounds).into()
        );
    }
    Ok(outcome)
}

fn round(scene: &mut Scene, act: Act, random: &mut Random, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    outcome.count(act.name(), 1);
    work(scene, act, random, outcome)?;
    let before = fs::read_to_string(key(&scene.disk))?;
    let mut findings = Vec::new();
    for _ in 0..=random.below(2) {
        let most = scene.took[act as usize].as_millis() as u64;
        let (wait, cuts) = (moment(random, most + most / 4 + 5), random.below(4) > 0);
        let struck = strike(scene, act, wait, cuts)?;
        outcome.count(if cuts { "cuts" } else { "kills" }, 1);
        outcome.count(if struck.whole { "struck after the end" } else { STRUCK }, 1);
        findings.extend(struck.finding);
        findings.extend(look(scene, act, struck.whole, &before)?);
        // Whoever is gone can not be removed again.
        if !findings.is_empty() || struck.whole || act == Act::Remove && !lives(&scene.holm, GUEST)? {
            break;
        }
    }
    if findings.is_empty() {
        findings.extend(complete(scene, act, &before)?);
    }
    if !findings.is_empty() {
        return Ok(findings);
    }
    let (running, took) = match scene.holm.restart() {
        Ok(started) => started,
        Err(e) => return Ok(vec![format!("afterwards: {e}")]),
    };
    outcome.restarts.push(took);
    findings.extend(examine::everything(&scene.holm, &running, &mut scene.clients, Instant::now())?);
    running.kill()?;
    Ok(findings)
}

/// Clients work until the server ends, by a kill as often as when asked to; whoever is to be removed gets something to lose.
fn work(scene: &mut Scene, act: Act, random: &mut Random, outcome: &mut Outcome) -> Fallible<()> {
    let (mut running, _) = scene.holm.restart()?;
    if act == Act::Remove {
        scene.holm.verb(&["person", "add", GUEST])?;
        let secret = scene.holm.verb(&["app-password", "add", GUEST, "--quiet"])?;
        let authorization = format!("Authorization: Basic {}\r\n", base64(format!("{GUEST}:{}", secret.trim()).as_bytes()));
        let mut conn = Conn::new(&Target { address: running.target.address, prefix: format!("/dav/files/{GUEST}"), authorization });
        for (path, length) in [("/small", 1_000), ("/large", 3_000_000)] {
            let status = conn.send_once("PUT", path, "", &noise(random.next(), length))?;
            if status != 201 {
                return Err(format!("PUT {path} of {GUEST} is answered {status}").into());
            }
        }
    }
    let acknowledged = |scene: &Scene| scene.clients.iter().map(|c| c.acknowledged).sum::<u64>();
    let (before, wait, asks) = (acknowledged(scene), Duration::from_millis(20) + moment(random, 400), random.below(2) == 0);
    let target = running.target.clone();
    scene.clients.iter_mut().for_each(|c| c.small = random.below(2) == 0);
    together(&mut scene.clients, &target, Faults::Ends, |_| {
        std::thread::sleep(wait);
        if asks { running.stop().map(|_| ()) } else { running.end() }
    })?;
    outcome.acknowledged += acknowledged(scene) - before;
    Ok(())
}

/// What came of an act that was struck.
struct Struck {
    /// It had ended well before.
    whole: bool,
    /// It had ended, but not well.
    finding: Option<String>,
}

/// Begins the act, and ends its process, its disk too if `cuts`. What it says until it is stopped it must keep; a system whose
/// power goes says no more.
fn strike(scene: &mut Scene, act: Act, wait: Duration, cuts: bool) -> Fallible<Struck> {
    let mut child = scene.holm.command(&[]).args(act.args()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    std::thread::sleep(wait);
    if cuts {
        pause(child.id())?;
        scene.disk.cut()?;
    }
    let ended = child.try_wait()?;
    child.kill()?;
    let said = child.wait_with_output()?.stderr;
    if cuts {
        scene.disk.restore()?;
    }
    let failed = ended.is_some_and(|status| !status.success());
    let finding = failed.then(|| format!("it failed by itself: {}", String::from_utf8_lossy(&said).trim()));
    Ok(Struck { whole: ended.is_some() && !failed, finding })
}

/// Lives here, as far as somebody can tell who has the key.
fn lives(holm: &Holm, name: &str) -> Fallible<bool> {
    Ok(holm.verb(&["person", "list"])?.lines().any(|line| line.split('\t').next() == Some(name)))
}

/// Whether all is there that must be after a fault, and nothing that must not be.
fn look(scene: &Scene, act: Act, whole: bool, before: &str) -> Fallible<Vec<String>> {
    let (holm, disk) = (&scene.holm, &scene.disk);
    let mut findings = Vec::new();
    findings.extend(holm.verb(&["ls", "ann", "/"]).err().map(|e| format!("what is in the root key's file does not open it: {e}")));
    findings.extend(by_kit(scene).err().map(|e| format!("the kit does not open it: {e}")));
    if act == Act::Remove && findings.is_empty() {
        let lives = match lives(holm, GUEST) {
            Ok(lives) => lives,
            // Somebody who lives here has a tree.
            Err(e) => return Ok(vec![format!("half of it is gone: {e}")]),
        };
        if whole && lives {
            findings.push("it was removed, and is there again".into());
        }
        if lives {
            findings.extend(holm.verb(&["cat", GUEST, "/large"]).err().map(|e| format!("half of it is gone: {e}")));
        }
    }
    let now = fs::read_to_string(key(disk))?;
    if act == Act::Root && whole && (now.lines().count() != 1 || now == before) {
        findings.push(format!("the root key was changed, and its file holds {} keys", now.lines().count()));
    }
    Ok(findings)
}

/// The catalogs, without the root key's file, and the words.
fn by_kit(scene: &Scene) -> Fallible<()> {
    let copy = tempfile::Builder::new().prefix("holm-prove-").tempdir()?;
    let data = copy.path().join("data");
    let of = scene.disk.data();
    fs::create_dir_all(data.join("people"))?;
    for name in ["holm.db", "holm.db-wal", "root.key.age"] {
        if of.join(name).exists() {
            fs::copy(of.join(name), data.join(name))?;
        }
    }
    for person in fs::read_dir(of.join("people"))? {
        let from = person?.path();
        let to = data.join("people").join(from.file_name().unwrap_or_default());
        fs::create_dir(&to)?;
        for name in ["catalog.db", "catalog.db-wal"].iter().filter(|name| from.join(name).exists()) {
            fs::copy(from.join(name), to.join(name))?;
        }
    }
    let recovered = scene.holm.elsewhere(&data, &copy.path().join("root.key"));
    recovered.verb_with_input(&["recover"], &scene.words)?;
    recovered.verb(&["ls", "ann", "/"]).map(|_| ())
}

/// The same command once more, to its end; then nothing of an interruption may be left, and an old root key opens nothing.
fn complete(scene: &mut Scene, act: Act, before: &str) -> Fallible<Vec<String>> {
    let (began, mut findings) = (Instant::now(), Vec::new());
    match scene.holm.verb(act.args()) {
        Ok(_) => scene.took[act as usize] = began.elapsed(),
        Err(e) if act == Act::Remove && !lives(&scene.holm, GUEST)? && e.to_string().contains(GUEST) => {}
        Err(e) => return Ok(vec![format!("it can not be gone on with: {e}")]),
    }
    if matches!(act, Act::Later | Act::Remove) {
        findings.extend(scene.holm.verb(GC).err().map(|e| format!("gc: {e}")));
    }
    findings.extend(rest(&scene.disk)?);
    if act == Act::Root {
        let now = fs::read_to_string(key(&scene.disk))?;
        let old = tempfile::NamedTempFile::new()?;
        fs::write(old.path(), before.lines().next().unwrap_or_default())?;
        if now.lines().count() != 1 || now == before || scene.holm.elsewhere(&scene.disk.data(), old.path()).verb(&["ls", "ann", "/"]).is_ok() {
            findings.push("the old root key is still of use".into());
        }
    }
    Ok(findings)
}

/// Files that no complete change leaves: of somebody who is gone, of a change that was cut off, packs under an old key.
fn rest(disk: &Disk) -> Fallible<Vec<String>> {
    let mut findings = Vec::new();
    let names = |dir: &Path| -> Fallible<Vec<PathBuf>> { Ok(fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?) };
    let people = names(&disk.data().join("people"))?;
    if people.len() != 1 {
        findings.push(format!("{} people's directories, and one lives here", people.len()));
    }
    let mut all = [names(&disk.data())?, names(&disk.mounted)?].concat();
    for person in &people {
        all.extend(names(person)?);
        let epochs = names(&person.join("packs"))?.iter().map(|pack| Ok(fs::read(pack)?.get(EPOCH).copied())).collect::<Fallible<Vec<_>>>()?;
        if epochs.iter().any(|epoch| *epoch != epochs[0]) {
            findings.push("packs under several keys".into());
        }
    }
    let parts = all.iter().filter(|p| p.to_string_lossy().ends_with(".new") || p.to_string_lossy().ends_with(".part"));
    findings.extend(parts.map(|p| format!("{} is left", p.display())));
    Ok(findings)
}

/// Where a pack tells which key it is under (docs/format.md).
const EPOCH: usize = 40;
