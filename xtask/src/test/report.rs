//! What was run, how it went and how long it took.

use std::fmt;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Report {
    lines: Vec<(&'static str, bool, Duration)>,
}

impl Report {
    pub(super) fn add(&mut self, stage: &'static str, passed: bool, took: Duration) {
        self.lines.push((stage, passed, took));
    }

    pub(super) fn all_passed(&self) -> bool {
        self.lines.iter().all(|(_, passed, _)| *passed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stage   result   time")?;
        for (stage, passed, took) in &self.lines {
            writeln!(f, "{stage:<7} {:<8} {}", if *passed { "passed" } else { "FAILED" }, minutes(*took))?;
        }
        write!(f, "total            {}", minutes(self.lines.iter().map(|l| l.2).sum()))
    }
}

/// `1 min 05 s`
pub(super) fn minutes(d: Duration) -> String {
    let s = d.as_secs();
    if s < 60 { format!("{s} s") } else { format!("{} min {:02} s", s / 60, s % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_whole() {
        let mut r = Report::default();
        r.add("lint", true, Duration::from_secs(65));
        assert!(r.all_passed());
        r.add("unit", false, Duration::from_secs(5));
        assert!(!r.all_passed());
        assert_eq!(
            r.to_string(),
            "stage   result   time\nlint    passed   1 min 05 s\nunit    FAILED   5 s\ntotal            1 min 10 s"
        );
    }
}
