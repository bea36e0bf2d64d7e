//! Files of a bench, line by line: results as JSON, and the ends of logs.

use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// A file with one result as JSON on each line; nothing is written if none was asked for.
pub(super) struct Results(Option<File>);

impl Results {
    pub(super) fn create(path: Option<&Path>) -> Result<Self> {
        Ok(Self(path.map(File::create).transpose().context("cannot write the JSON file")?))
    }

    /// Writes a line at once, so that an interrupted bench leaves what it has measured.
    pub(super) fn keep(&mut self, line: &Value) -> Result<()> {
        match &mut self.0 {
            Some(file) => writeln!(file, "{line}").context("cannot write the JSON file"),
            None => Ok(()),
        }
    }
}

/// The last lines of a log, below its path.
pub(super) fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    format!("{}:\n{}\n", log.display(), all[all.len().saturating_sub(lines)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn results_are_lines_and_the_last_ones_can_be_shown() {
        let file = std::env::temp_dir().join(format!("xtask-results-{}", std::process::id()));
        let mut results = Results::create(Some(&file)).unwrap();

        for round in 1..=3 {
            results.keep(&json!({"round": round})).unwrap();
        }

        let shown = tail(&file, 2);
        fs::remove_file(&file).unwrap();
        assert_eq!(shown, format!("{}:\n{{\"round\":2}}\n{{\"round\":3}}\n", file.display()));
        assert!(Results::create(None).unwrap().keep(&json!({})).is_ok());
    }
}
