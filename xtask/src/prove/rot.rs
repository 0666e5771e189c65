//! bit-rot: one bit of a server's files is flipped, while it is stopped or, in every other round, while it serves.
//! Whatever is then read is right or an error, and `check --deep` tells of every flip that reading can notice.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::examine;
use super::flow;
use super::holm::{Holm, Running};
use super::load::{Client, Faults, together};
use super::options::Options;
use super::{Fallible, Outcome};
use crate::bench::client::Conn;
use crate::bench::content::Random;

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let beside = tempfile::Builder::new().prefix("holm-prove-").tempdir()?;
    let data = beside.path().join("data");
    let holm = Holm::new(binary, &data, beside.path())?;
    let mut random = Random::new(options.seed);
    let mut clients = vec![Client::new(0, random.next()), Client::new(1, random.next())];
    let (running, _) = holm.restart()?;
    clients.iter().try_for_each(|c| c.settle(&running.target))?;
    together(&mut clients[..1], &running.target, Faults::Ends, |_| {
        std::thread::sleep(std::time::Duration::from_secs(1));
        Ok(())
    })?;
    flow::run(&mut clients[1], &running.target, flow::changes(random.next()));
    if !running.stop()? {
        return Err("holm did not end well when asked to".into());
    }
    let unexplained = clients.iter_mut().flat_map(Client::unexplained).collect();
    let mut outcome = Outcome { findings: unexplained, acknowledged: clients.iter().map(|c| c.acknowledged).sum(), ..Outcome::default() };
    let mut files = Vec::new();
    list(&data, &mut files)?;
    let whole = beside.path().join("whole");
    super::told("cp", &["-a", &data.display().to_string(), &whole.display().to_string()])?;
    for round in 1..=options.rounds {
        outcome.rounds = round;
        // Each file equally often: most bits lie in packs.
        let file = &files[random.below(files.len() as u64) as usize];
        let bit = random.below(fs::metadata(file)?.len() * 8);
        let serving = if random.below(2) == 0 { None } else { Some(holm.restart()?.0) };
        flip(file, bit)?;
        let findings = look(&holm, serving, &clients, &mut outcome)?;
        let place = format!("bit {} of byte {} of {}", bit % 8, bit / 8, file.strip_prefix(&data)?.display());
        outcome.findings.extend(findings.into_iter().map(|f| format!("{place}: {f}")));
        // Everything as it was: a server that reads may also write.
        fs::remove_dir_all(&data)?;
        super::told("cp", &["-a", &whole.display().to_string(), &data.display().to_string()])?;
    }
    let noticed = outcome.counts.get("noticed").copied().unwrap_or_default();
    if noticed * 2 < options.rounds {
        return Err(format!("only {noticed} of {} flips were noticed: this proves nothing", options.rounds).into());
    }
    Ok(outcome)
}

/// Every file with a byte in it.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> Fallible<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.metadata()?.len() > 0 {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn flip(file: &Path, bit: u64) -> Fallible<()> {
    let file = fs::File::options().read(true).write(true).open(file)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8)?;
    byte[0] ^= 1 << (bit % 8);
    Ok(file.write_all_at(&byte, bit / 8)?)
}

fn look(holm: &Holm, serving: Option<Running>, clients: &[Client], outcome: &mut Outcome) -> Fallible<Vec<String>> {
    // Before anything else has opened the files and may have changed them.
    let told = !holm.check().is_empty();
    let (mut findings, mut noticed) = (Vec::new(), told);
    outcome.count("while it served", u64::from(serving.is_some()));
    match serving.map_or_else(|| holm.start(&[]), Ok) {
        Ok(running) => {
            // A host that cannot open its people's records lets nobody in: an error, too.
            let admitted = Conn::new(&running.target).send_once("PROPFIND", "/", "Depth: 0\r\n", b"").is_ok_and(|s| s == 207);
            noticed |= !admitted;
            if admitted {
                findings = examine::reads(&running, clients, false)?;
                let errors = !examine::reads(&running, clients, true)?.is_empty();
                noticed |= errors;
                if errors && !told {
                    findings.push("reading fails, but check --deep found nothing".into());
                }
            }
            running.kill()?;
        }
        Err(_) => noticed = true,
    }
    if noticed && !told {
        findings.push("a start or a read noticed it, but check --deep found nothing".into());
    }
    outcome.count(if noticed { "noticed" } else { "without consequence" }, 1);
    Ok(findings)
}
