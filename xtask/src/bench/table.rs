//! The Markdown table: a row a figure, a column a server, what holm is to reach and whether it does.

use std::fmt::Write;

use super::peers::Peer;
use super::results::{Results, Summary};

#[derive(Clone, Copy, PartialEq)]
pub enum Better {
    More,
    Less,
}

/// What holm is to reach.
pub enum Goal {
    /// This many times as good as one peer; as the best of them where none is named.
    Times(f64, Option<&'static str>),
    AtMost(f64),
}

pub struct Row {
    pub key: &'static str,
    pub label: &'static str,
    pub better: Better,
    pub goals: &'static [Goal],
}

use Better::{Less, More};
use Goal::{AtMost, Times};

const fn row(key: &'static str, label: &'static str, better: Better, goals: &'static [Goal]) -> Row {
    Row { key, label, better, goals }
}

pub const ROWS: &[Row] = &[
    row("put1k_8", "PUT 1 KiB, 8 connections (/s)", More, &[Times(0.8, None)]),
    row("put1k_64", "PUT 1 KiB, 64 connections (/s)", More, &[Times(1.0, None)]),
    row("get1k", "GET 1 KiB at random, 8 connections (/s)", More, &[Times(0.8, Some("nginx"))]),
    row("get304", "GET answered 304, 8 connections (/s)", More, &[]),
    row("propfind0", "PROPFIND of one file, 8 connections (/s)", More, &[]),
    row("lock", "LOCK, PUT, UNLOCK, 1 connection (requests/s)", More, &[]),
    row("propfind1", "PROPFIND of 10,000 entries (ms)", Less, &[Times(1.0, Some("nginx")), Times(3.0, Some("apache"))]),
    row("copy", "COPY of 1,000 files (ms)", Less, &[Times(3.0, Some("apache"))]),
    row("move", "MOVE of 1,000 files (ms)", Less, &[AtMost(5.0)]),
    row("delete1k", "DELETE of 1,000 files, one request (ms)", Less, &[Times(100.0, None)]),
    row("delete10k", "DELETE of 10,000 files, one request (ms)", Less, &[Times(100.0, None)]),
    row("delete", "DELETE one by one, 8 connections (/s)", More, &[]),
    row("put1g", "PUT 1 GiB (MiB/s)", More, &[Times(0.8, Some("nginx"))]),
    row("put1g_memory", "… memory above idle (MiB)", Less, &[AtMost(64.0)]),
    row("get1g", "GET 1 GiB (MiB/s)", More, &[Times(0.8, Some("nginx"))]),
    row("get1g_memory", "… memory above idle (MiB)", Less, &[AtMost(64.0)]),
    row("changed", "PUT of the GiB with 1 % changed: growth of the data (%)", Less, &[AtMost(3.0)]),
    row("changed_put", "… its speed (MiB/s)", More, &[]),
    row("range64k", "GET of 64 KiB ranges at random, 8 connections (/s)", More, &[Times(0.8, Some("nginx"))]),
    row("mixed", "mixed, 64 connections (/s)", More, &[Times(1.0, None)]),
    row("mixed_p99", "mixed, 99 of 100 answered within (ms)", Less, &[AtMost(50.0)]),
    row("cold", "start, until it answers with a password (ms)", Less, &[AtMost(120.0)]),
    row("idle_start", "memory, idle after the start (MiB)", Less, &[AtMost(32.0)]),
    row("idle_end", "memory, idle after all of this (MiB)", Less, &[AtMost(32.0)]),
    row("peak", "memory, highest (MiB)", Less, &[]),
    row("cpu", "CPU time for all of this (s)", Less, &[]),
];

/// Operations from which percentiles are worth telling.
const ENOUGH: usize = 100;

/// How many times as good as the other.
fn times(better: Better, holm: f64, other: f64) -> f64 {
    if better == More { holm / other } else { other / holm }
}

/// Three digits are what the measurement is worth.
pub fn show(value: f64) -> String {
    match value {
        v if v.is_nan() => "–".into(),
        v if v.abs() >= 100.0 => format!("{v:.0}"),
        v if v.abs() >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

fn cell(row: &Row, summary: Option<Summary>) -> String {
    let Some(s) = summary else { return "–".into() };
    if s.errors > 0 && s.errors == s.operations {
        return "fails".into();
    }
    let failed = if s.errors > 0 { format!(" **!{}**", s.errors) } else { String::new() };
    let latency = if row.better == More && s.operations >= ENOUGH { format!(" ({}; {})", show(s.p50), show(s.p99)) } else { String::new() };
    format!("{}{latency}{failed}", show(s.value))
}

/// The best of the peers whose answers were all right: one that fails quickly is not quick.
fn best(row: &Row, results: &Results, peers: &[&'static Peer]) -> Option<f64> {
    let values = peers.iter().filter(|p| p.name != "holm").filter_map(|p| results.summary(p.name, row.key)).filter(|s| s.errors == 0).map(|s| s.value);
    values.reduce(|a, b| if row.better == More { a.max(b) } else { a.min(b) })
}

/// The goal in words, and whether it is met: not known where the peer is absent or failed.
fn judge(row: &Row, goal: &Goal, results: &Results, peers: &[&'static Peer]) -> (String, Option<bool>) {
    let holm = results.summary("holm", row.key);
    let right = |met: bool| holm.map(|h| met && h.errors == 0);
    match goal {
        AtMost(limit) => (format!("≤ {limit}"), holm.and_then(|h| right(h.value <= *limit))),
        Times(factor, peer) => {
            let other = match peer {
                Some(name) => results.summary(name, row.key).filter(|s| s.errors == 0).map(|s| s.value),
                None => best(row, results, peers),
            };
            let met = holm.zip(other).and_then(|(h, other)| right(times(row.better, h.value, other) >= *factor));
            (format!("≥ {factor}× {}", peer.unwrap_or("best")), met)
        }
    }
}

pub fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "not known",
    }
}

/// The rows that were measured.
pub fn markdown(results: &Results, peers: &[&'static Peer]) -> String {
    let mut out = String::from("| workload |");
    for peer in peers {
        let _ = write!(out, " {} |", peer.name);
    }
    let _ = writeln!(out, " holm ÷ best | target | met |\n|{}", "---|".repeat(peers.len() + 4));
    for (property, of_holm, of_others) in
        [("syncs before it answers", "yes", "no"), ("encrypts what it keeps", "yes", "no"), ("checks a password", "yes", "yes")]
    {
        let cells = peers.iter().map(|p| format!(" {} |", if p.name == "holm" { of_holm } else { of_others })).collect::<String>();
        let _ = writeln!(out, "| {property} |{cells} | | |");
    }
    for row in ROWS {
        if !peers.iter().any(|p| results.summary(p.name, row.key).is_some()) {
            continue;
        }
        let cells = peers.iter().map(|p| format!(" {} |", cell(row, results.summary(p.name, row.key)))).collect::<String>();
        let ratio = results.summary("holm", row.key).zip(best(row, results, peers)).map_or(f64::NAN, |(h, b)| times(row.better, h.value, b));
        let judged: Vec<_> = row.goals.iter().map(|g| judge(row, g, results, peers)).collect();
        let goals = judged.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(", ");
        let met = judged.iter().map(|(_, met)| *met).reduce(|a, b| if a == Some(false) || b == Some(false) { Some(false) } else { a.and(b) });
        let _ = writeln!(out, "| {} |{cells} {} | {goals} | {} |", row.label, show(ratio), met.map_or("", verdict));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::peers::PEERS;
    use super::super::results::Figure;
    use super::*;

    fn line(key: &'static str, values: &[(&'static str, f64, usize)]) -> String {
        let mut results = Results::default();
        for (peer, value, errors) in values {
            results.add(peer, 1, vec![Figure { errors: *errors, ..Figure::new(key, *value) }]);
        }
        let peers: Vec<_> = PEERS.iter().collect();
        let text = markdown(&results, &peers);
        text.lines().last().expect("a row").to_owned()
    }

    #[test]
    fn goals_are_judged_by_more_and_by_less() {
        assert!(line("put1k_64", &[("holm", 100.0, 0), ("nginx", 90.0, 0), ("dufs", 99.0, 0)]).ends_with("| 1.01 | ≥ 1× best | yes |"));
        assert!(line("put1k_64", &[("holm", 100.0, 0), ("nginx", 101.0, 0)]).ends_with("| 0.99 | ≥ 1× best | **no** |"));
        assert!(line("delete1k", &[("holm", 1.0, 0), ("rclone", 99.0, 0)]).ends_with("| 99.0 | ≥ 100× best | **no** |"));
        assert!(line("move", &[("holm", 5.0, 0)]).ends_with("| – | ≤ 5 | yes |"));
    }

    #[test]
    fn what_failed_or_is_absent_neither_sets_nor_meets_a_goal() {
        assert!(line("put1k_64", &[("holm", 100.0, 0), ("nginx", 900.0, 3), ("dufs", 99.0, 0)]).ends_with("| 1.01 | ≥ 1× best | yes |"));
        assert!(line("put1k_64", &[("holm", 100.0, 1), ("nginx", 90.0, 0)]).ends_with("| **no** |"));
        assert!(line("get1k", &[("holm", 100.0, 0), ("dufs", 9.0, 0)]).ends_with("| ≥ 0.8× nginx | not known |"));
        assert!(line("propfind1", &[("holm", 10.0, 0), ("nginx", 9.0, 0)]).ends_with("| **no** |"), "one goal missed, the other not known");
        assert!(line("propfind1", &[("holm", 10.0, 0), ("nginx", 11.0, 0)]).ends_with("| not known |"));
    }
}
