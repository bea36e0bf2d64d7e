//! The results of all stages, with the time that each took.

use anyhow::{Error, Result};
use std::fmt;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Report {
    lines: Vec<(&'static str, Option<Error>, Duration)>,
}

impl Report {
    pub(super) fn add(&mut self, stage: &'static str, result: Result<()>, took: Duration) {
        self.lines.push((stage, result.err(), took));
    }

    pub(super) fn all_passed(&self) -> bool {
        self.lines.iter().all(|(_, error, _)| error.is_none())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stage    result   time")?;
        for (stage, error, took) in &self.lines {
            let result = if error.is_none() { "passed" } else { "FAILED" };
            writeln!(f, "{stage:<8} {result:<8} {}", minutes(*took))?;
        }
        write!(f, "total             {}", minutes(self.lines.iter().map(|l| l.2).sum()))?;
        // The errors are repeated at the end, where they are seen: their first place is far above.
        self.lines.iter().try_for_each(|(stage, error, _)| match error {
            Some(error) => write!(f, "\n{stage} failed: {error:#}"),
            None => Ok(()),
        })
    }
}

/// Formats as `1 min 05 s`.
pub(super) fn minutes(d: Duration) -> String {
    let s = d.as_secs();
    if s < 60 { format!("{s} s") } else { format!("{} min {:02} s", s / 60, s % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn one_failure_fails_the_whole_and_is_named_last() {
        let mut r = Report::default();
        r.add("lint", Ok(()), Duration::from_secs(65));
        assert!(r.all_passed());
        r.add("unit", Err(anyhow!("no").context("tests")), Duration::from_secs(5));
        assert!(!r.all_passed());
        assert_eq!(
            r.to_string(),
            "stage    result   time\nlint     passed   1 min 05 s\nunit     FAILED   5 s\ntotal             1 min 10 s\nunit failed: tests: no"
        );
    }
}
