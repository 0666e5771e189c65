//! Every figure of every round: medians, and one JSON line each for whoever wants to reckon on.

use std::fmt::Write;

use super::load::Load;

/// One measured value. Latencies are in milliseconds, memory in MiB.
#[derive(Clone, Debug)]
pub struct Figure {
    pub key: &'static str,
    pub value: f64,
    pub p50: f64,
    pub p99: f64,
    pub operations: usize,
    pub errors: usize,
    pub first_error: Option<String>,
    pub cpu: f64,
    pub peak: f64,
}

impl Figure {
    pub fn new(key: &'static str, value: f64) -> Figure {
        Figure { key, value, p50: f64::NAN, p99: f64::NAN, operations: 0, errors: 0, first_error: None, cpu: f64::NAN, peak: f64::NAN }
    }

    /// The load that it comes from.
    pub fn of(self, load: &Load, cpu: f64, peak: f64) -> Figure {
        let (p50, p99) = (load.quantile(0.5), load.quantile(0.99));
        let first_error = load.first_error.clone();
        Figure { p50, p99, operations: load.latencies.len(), errors: load.errors, first_error, cpu, peak, ..self }
    }
}

pub struct Sample {
    pub peer: &'static str,
    pub round: usize,
    pub figure: Figure,
}

/// A figure over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub value: f64,
    pub p50: f64,
    pub p99: f64,
    pub operations: usize,
    pub errors: usize,
}

#[derive(Default)]
pub struct Results(pub Vec<Sample>);

impl Results {
    pub fn add(&mut self, peer: &'static str, round: usize, figures: Vec<Figure>) {
        for figure in &figures {
            if let Some(e) = &figure.first_error {
                eprintln!("{peer}, {}: {} of {} failed; the first: {e}", figure.key, figure.errors, figure.operations);
            }
        }
        self.0.extend(figures.into_iter().map(|figure| Sample { peer, round, figure }));
    }

    pub fn summary(&self, peer: &str, key: &str) -> Option<Summary> {
        let found: Vec<_> = self.0.iter().filter(|s| s.peer == peer && s.figure.key == key).map(|s| &s.figure).collect();
        let of = |part: fn(&Figure) -> f64| median(found.iter().map(|f| part(f)).collect());
        let sum = |part: fn(&Figure) -> usize| found.iter().map(|f| part(f)).sum();
        let latency = |part| of(part).unwrap_or(f64::NAN);
        Some(Summary {
            value: of(|f| f.value)?,
            p50: latency(|f| f.p50),
            p99: latency(|f| f.p99),
            operations: sum(|f| f.operations),
            errors: sum(|f| f.errors),
        })
    }

    /// One JSON object a line.
    pub fn json(&self) -> String {
        let number = |n: f64| if n.is_finite() { format!("{n:.4}") } else { "null".into() };
        let mut out = String::new();
        for Sample { peer, round, figure: f } in &self.0 {
            let [value, p50, p99, cpu, peak] = [f.value, f.p50, f.p99, f.cpu, f.peak].map(number);
            let _ = writeln!(
                out,
                r#"{{"peer":"{peer}","round":{round},"figure":"{}","value":{value},"p50_ms":{p50},"p99_ms":{p99},"n":{},"errors":{},"cpu_s":{cpu},"peak_mib":{peak}}}"#,
                f.key, f.operations, f.errors
            );
        }
        out
    }
}

/// The middle one, or the mean of the middle two.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|v| !v.is_nan());
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, f64::NAN, 100.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn json_has_no_nan() {
        let mut results = Results::default();
        results.add("holm", 1, vec![Figure::new("idle", 20.5)]);
        let line = r#"{"peer":"holm","round":1,"figure":"idle","value":20.5000,"p50_ms":null,"p99_ms":null,"n":0,"errors":0,"cpu_s":null,"peak_mib":null}"#;
        assert_eq!(results.json().trim(), line);
    }
}
