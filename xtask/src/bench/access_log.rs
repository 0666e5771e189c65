//! The access log at a million records: filled through the core with its usual settings, then asked "who read or changed what,
//! through what, in the last week" for a file, a party, everything, cold and warm; and what it takes to forget it all.

use std::collections::HashSet;
use std::path::{Path as FsPath, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use holm_core::{
    Abilities, Access, Change, Clock, Entropy, Env, Gate, Host, Key, NewContent, Page, Party, PartyId, PartyKind, Path, PersonId, Precondition, RecordFilter,
    RootKey, Rules, Scope, Timestamp, Via,
};

use super::content::Random;
use super::options::Options;
use super::server::Directory;
use super::{Fallible, machine};

const RECORDS: u64 = 1_000_000;
const QUICK_RECORDS: u64 = 20_000;
/// What the log spans: as long as it is kept where nobody says otherwise.
const DAYS: i64 = 90;
const FILES: u64 = 20_000;
const FOLDER: u64 = 1_000;
const PARTIES: u64 = 24;
/// Records between two writes of what waits, less than an hour's: what waits together is one row. A server writes each second.
const WRITTEN: u64 = 200;
/// Things done at one moment, so that the clock need not be looked at anew for each.
const AT_ONCE: u64 = 8;
/// Rows of an answer at most: as many as `holm log` reads at a time.
const PAGE: usize = 1_000;
const WARM: usize = 1_000;
const COLD: usize = 50;
const COMMANDS: usize = 20;
/// What an answer may take at worst, in milliseconds.
const TARGET: f64 = 100.0;

/// A clock that stands where it was put.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Dice(Mutex<Random>);

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("dice").fill(bytes);
    }
}

/// A host with a person, her devices and her files.
struct World {
    data: PathBuf,
    clock: Arc<Hands>,
    env: Env,
    gate: Gate,
    person: PersonId,
    parties: Vec<Arc<Party>>,
}

fn root() -> RootKey {
    RootKey { key: Key::from_bytes([7; 32]), epoch: 1 }
}

fn file(n: u64) -> Fallible<Path> {
    Ok(Path::parse(&format!("/d{}/f{}", n / FOLDER, n % FOLDER))?)
}

/// Read by everybody each hour.
const HOT: u64 = 0;

impl World {
    fn new(directory: &FsPath) -> Fallible<World> {
        let data = directory.join("data");
        // When holm log asks, the newest record must be of its last week.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as i64;
        let clock = Arc::new(Hands(AtomicI64::new(now - DAYS * Timestamp::DAY)));
        let env = Env { clock: clock.clone(), entropy: Arc::new(Dice(Mutex::new(Random::new(1)))) };
        let host = Arc::new(Host::open(&*data, root(), env.clone())?);
        let person = host.add_person("ann", None, 0)?.id;
        let gate = Gate::new(host, env.clone());
        let access = gate.admit(Party::operator(person).into(), Via::HERE)?;
        for n in 0..FILES {
            if n % FOLDER == 0 {
                let path = Path::parse(&format!("/d{}", n / FOLDER))?;
                access.commit_blocking(Change::MakeFolder { path, props: Vec::new() }, Precondition::default())?;
            }
            put(&access, file(n)?)?;
        }
        for n in 0..PARTIES {
            access.connect(PartyKind::Device, &format!("device {n}"), Scope::everything(), Abilities::READ, &[n as u8; 32])?;
        }
        let known = access.parties(Page::ALL)?.into_iter().zip(1..);
        let parties = known.map(|(p, credential)| Arc::new(Party { person, id: p.id, credential, label: p.name, limits: None })).collect();
        Ok(World { data, clock, env, gate, person, parties })
    }

    fn access(&self) -> Fallible<Access> {
        Ok(self.gate.admit(Party::operator(self.person).into(), Via::HERE)?)
    }

    /// The same data, opened anew, with nothing of it in memory.
    fn opened_anew(self) -> Fallible<World> {
        let World { data, clock, env, gate, person, parties } = self;
        gate.settle()?;
        drop(gate);
        forget(&data)?;
        let gate = Gate::new(Arc::new(Host::open(&*data, root(), env.clone())?), env.clone());
        Ok(World { data, clock, env, gate, person, parties })
    }

    fn pass(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Leaves so many rows, evenly over the days: each hour everybody reads one file; of the rest half is one device's; and
    /// one in twenty is refused.
    fn fill(&self, records: u64) -> Fallible<()> {
        let doors = |p: (usize, &Arc<Party>)| {
            let via = Via { protocol: "webdav", address: Some([192, 0, 2, p.0 as u8].into()) };
            Ok(self.gate.admit(p.1.clone(), via)?)
        };
        let doors: Vec<Access> = self.parties.iter().enumerate().map(doors).collect::<Fallible<_>>()?;
        let (mut random, step) = (Random::new(2), DAYS * Timestamp::DAY / records as i64);
        let hour = (Timestamp::HOUR / step) as u64 + 2 * AT_ONCE;
        // What happens twice within an hour is one row.
        let (mut this, mut last) = (HashSet::new(), HashSet::new());
        for n in 0..records {
            if n % hour == 0 {
                last = std::mem::take(&mut this);
            }
            if n % AT_ONCE == 0 {
                self.pass(step * AT_ONCE as i64);
            }
            let of_all = n % hour;
            let (party, number) = loop {
                let party = if random.below(2) == 0 { 0 } else { random.below(PARTIES) };
                let deed = if of_all < PARTIES && hour > 2 * PARTIES { (of_all, HOT) } else { (party, 1 + random.below(FILES - 1)) };
                if deed.1 == HOT || !last.contains(&deed) && this.insert(deed) {
                    break deed;
                }
            };
            if number != HOT && n % 20 == 0 {
                let refused = doors[party as usize].may_add(&file(number)?);
                assert!(refused.is_err(), "a device that reads may write");
            } else {
                doors[party as usize].open(&file(number)?)?;
            }
            if n % WRITTEN == 0 {
                self.gate.write_logs()?;
            }
        }
        Ok(self.gate.write_logs()?)
    }

    /// What a person may come to ask, and what it asks of the log.
    fn questions(&self) -> Fallible<Vec<(&'static str, RecordFilter)>> {
        let since = self.env.now().plus(-7 * Timestamp::DAY);
        let entry = |n: u64| -> Fallible<_> { Ok(Some(self.access()?.stat(&file(n)?)?.id)) };
        let (busy, quiet): (PartyId, PartyId) = (self.parties[0].id, self.parties[PARTIES as usize - 1].id);
        let ask = |entry, party| RecordFilter { entry, party, since, ..RecordFilter::default() };
        Ok(vec![
            ("a file", ask(entry(FILES / 2)?, None)),
            ("the file that all read each hour", ask(entry(HOT)?, None)),
            ("the same, by one device", ask(entry(HOT)?, Some(quiet))),
            ("a device", ask(None, Some(quiet))),
            ("the busiest device", ask(None, Some(busy))),
            ("everything", ask(None, None)),
        ])
    }
}

fn put(access: &Access, path: Path) -> Fallible<()> {
    let change = Change::Put { path, content: NewContent::Inline(b"x".to_vec()), media_type: None, modified: None };
    access.commit_blocking(change, Precondition::default())?;
    Ok(())
}

/// Takes the catalogs out of the system's memory.
fn forget(data: &FsPath) -> Fallible<()> {
    let person = std::fs::read_dir(data.join("people"))?.next().ok_or("no person")??.path();
    for file in [data.join("holm.db"), person.join("catalog.db")] {
        // Of no bytes, but with the flag that lets go of the file's pages.
        let of = format!("of={}", file.display());
        let done = Command::new("dd").args([&of, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"]).stderr(Stdio::null()).status()?;
        if !done.success() {
            return Err("dd can not take a file out of memory".into());
        }
    }
    Ok(())
}

/// A row of the table; answers whether the worst was within what is asked.
fn print(what: &str, rows: &str, mut millis: Vec<f64>) -> bool {
    millis.sort_by(f64::total_cmp);
    let worst = millis[millis.len() - 1];
    let at = |share: f64| millis[((millis.len() - 1) as f64 * share) as usize];
    println!("| {what} | {rows} | {} | {:.2} | {:.2} | {worst:.2} |", millis.len(), at(0.5), at(0.99));
    worst < TARGET
}

fn timed<T>(work: impl FnOnce() -> Fallible<T>) -> Fallible<(f64, T)> {
    let began = Instant::now();
    let out = work()?;
    Ok((began.elapsed().as_secs_f64() * 1e3, out))
}

pub fn run(options: &Options) -> Fallible<()> {
    let records = if options.quick { QUICK_RECORDS } else { RECORDS };
    let directory = Directory::new()?;
    let mut world = World::new(&directory.path)?;
    world.gate.settle()?;
    let before = Directory::allocated(&world.data)?;
    let (took, ()) = timed(|| world.fill(records))?;
    world.gate.settle()?;
    let each = Directory::allocated(&world.data)?.saturating_sub(before) / records;
    println!(
        "{records} records of {DAYS} days, {PARTIES} devices, {FILES} files: {:.0} µs each to leave, {each} bytes each on the disk.\n",
        took * 1e3 / records as f64
    );
    println!("| the last week of | rows | asked | median (ms) | 99 of 100 within | worst |\n|---|---:|---:|---:|---:|---:|");
    let mut met = true;
    for (what, filter) in world.questions()? {
        let mut cold = Vec::new();
        for _ in 0..COLD {
            world = world.opened_anew()?;
            let access = world.access()?;
            cold.push(timed(|| Ok(access.records(&filter, PAGE)?))?.0);
        }
        let access = world.access()?;
        let rows = access.records(&filter, PAGE)?.len().to_string();
        let warm = (0..WARM).map(|_| Ok(timed(|| Ok(access.records(&filter, PAGE)?))?.0)).collect::<Fallible<Vec<_>>>()?;
        met &= print(&format!("{what}, cold"), &rows, cold) & print(&format!("{what}, warm"), &rows, warm);
    }
    met &= by_command(&world, &directory.path)?;
    forgotten(&world)?;
    println!("\n{}.", machine());
    if met { Ok(()) } else { Err(format!("an answer took more than {TARGET} ms").into()) }
}

/// The whole of `holm log`, from its start to its end.
fn by_command(world: &World, directory: &FsPath) -> Fallible<bool> {
    let key = directory.join("root.key");
    std::fs::write(&key, format!("holm-root-key 1 1 {}\n", "07".repeat(32)))?;
    world.gate.settle()?;
    let holm = std::env::current_exe()?.with_file_name("holm");
    let path = file(HOT)?.to_string();
    let party = world.parties[0].id.0.to_string();
    let mut met = true;
    for (what, args) in [("--path", &["--path", &path][..]), ("--party", &["--party", &party]), ("of everything", &[])] {
        let (mut millis, mut rows) = (Vec::new(), 0);
        for _ in 0..COMMANDS {
            forget(&world.data)?;
            let (took, output) =
                timed(|| Ok(Command::new(&holm).arg("--data").arg(&world.data).arg("--root-key").arg(&key).args(["log", "ann"]).args(args).output()?))?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
            rows = output.stdout.iter().filter(|b| **b == b'\n').count();
            millis.push(took);
        }
        met &= print(&format!("`holm log` {what}, cold"), &rows.to_string(), millis);
    }
    Ok(met)
}

/// Upkeep forgets what is too old: of one day, as it does daily; then everything. Meanwhile somebody writes.
fn forgotten(world: &World) -> Fallible<()> {
    let rules = Rules { clock_is_right: true, ..Rules::default() };
    println!("\n| upkeep forgets | took (s) | writes meanwhile: median (ms) | 99 of 100 within | worst |\n|---|---:|---:|---:|---:|");
    for (what, days) in [("nothing", 0), ("the records of a day", 1), ("all records", DAYS + 1)] {
        world.pass(days * Timestamp::DAY);
        let (done, access) = (AtomicBool::new(false), world.access()?);
        let (took, mut writes) = std::thread::scope(|scope| -> Fallible<_> {
            let writing = scope.spawn(|| -> Fallible<Vec<f64>> {
                let mut millis = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    millis.push(timed(|| put(&access, Path::parse("/written")?))?.0);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                Ok(millis)
            });
            let kept_up = timed(|| Ok(world.gate.keep_up(world.person, &rules)?));
            done.store(true, Ordering::SeqCst);
            let writes = writing.join().map_err(|_| "a writer failed")??;
            Ok((kept_up?.0, writes))
        })?;
        writes.sort_by(f64::total_cmp);
        let at = |share: f64| writes[((writes.len() - 1) as f64 * share) as usize];
        println!("| {what} | {:.2} | {:.2} | {:.2} | {:.2} |", took / 1e3, at(0.5), at(0.99), at(1.0));
    }
    Ok(())
}
