//! What a server's process tree uses, from /proc: nginx and Apache are several processes, so everything is a sum.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Linux tells CPU time in hundredths of a second, whatever its timer does.
const TICKS: f64 = 100.0;
const SAMPLE: Duration = Duration::from_millis(20);

/// The fields of /proc/PID/stat after the name, which may hold spaces and brackets.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    // The first of them is the state, a letter; all others are numbers.
    Some(rest.split_whitespace().skip(1).map(|f| f.parse().unwrap_or(0)).collect())
}

/// The process and all its descendants.
pub fn tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids {
        if let Some(parent) = stat(pid).and_then(|f| f.first().copied()) {
            children.entry(parent as u32).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.get(pid).into_iter().flatten().copied().collect::<Vec<_>>());
        next += 1;
    }
    found
}

/// Gone, or only waiting to be reaped.
pub fn ended(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |s| s.contains(") Z "))
}

/// User and system seconds, with those of children that have ended.
pub fn cpu(pids: &[u32]) -> f64 {
    pids.iter().filter_map(|pid| stat(*pid)).map(|f| f.get(10..14).unwrap_or_default().iter().sum::<u64>() as f64).sum::<f64>() / TICKS
}

/// A line of /proc/PID/status in MiB.
fn memory(pids: &[u32], field: &str) -> f64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
        line.trim().trim_end_matches(" kB").parse::<f64>().ok()
    };
    pids.iter().filter_map(of).sum::<f64>() / 1024.0
}

pub fn resident(pids: &[u32]) -> f64 {
    memory(pids, "VmRSS")
}

/// The highest resident memory of each since it began.
pub fn peak(pids: &[u32]) -> f64 {
    memory(pids, "VmHWM")
}

/// CPU seconds and the highest resident memory (MiB) between start and stop.
pub struct Watch {
    root: u32,
    cpu: f64,
    stop: Arc<AtomicBool>,
    highest: Arc<AtomicU64>,
    sampler: Option<JoinHandle<()>>,
}

impl Watch {
    pub fn start(root: u32) -> Watch {
        let (stop, highest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (until, max) = (stop.clone(), highest.clone());
        let sampler = std::thread::spawn(move || {
            let mut pids = tree(root);
            for n in 1u32.. {
                max.fetch_max((resident(&pids) * 1024.0) as u64, Ordering::Relaxed);
                if until.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::sleep(SAMPLE);
                // New workers are noticed once a second.
                if n.is_multiple_of(50) {
                    pids = tree(root);
                }
            }
        });
        Watch { root, cpu: cpu(&tree(root)), stop, highest, sampler: Some(sampler) }
    }

    pub fn stop(mut self) -> (f64, f64) {
        self.stop.store(true, Ordering::Relaxed);
        let used = cpu(&tree(self.root)) - self.cpu;
        let _ = self.sampler.take().map(JoinHandle::join);
        (used, self.highest.load(Ordering::Relaxed) as f64 / 1024.0)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_children_memory_and_time() {
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 60 & while :; do :; done"]).spawn().expect("a shell");
        let (root, began) = (child.id(), std::time::Instant::now());
        let watch = Watch::start(root);
        while (cpu(&[root]) - watch.cpu < 0.05 || tree(root).len() < 2) && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let (pids, peak) = (tree(root), peak(&tree(root)));
        let (used, highest) = watch.stop();
        child.kill().and_then(|()| child.wait()).expect("ended");
        for pid in &pids[1..] {
            std::process::Command::new("kill").arg(pid.to_string()).status().expect("kill");
        }
        assert!(pids.len() == 2 && pids[0] == root, "{pids:?}");
        assert!(used >= 0.05, "{used}");
        assert!(highest > 0.3 && peak > 0.3, "{highest} {peak}");
        assert!(ended(root));
    }
}
