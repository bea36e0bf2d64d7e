//! Text for people: colours, ages, durations and tables.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// The meaning of a piece of text, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Waiting,
    Bad,
    Faint,
    Strong,
    /// One of several things of a kind, told apart by colour.
    Nth(usize),
}

/// Colours text, or leaves it plain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

/// Colours that can be told apart on light and on dark backgrounds.
const NTH: [&str; 6] = ["36", "35", "34", "33", "32", "96"];

impl Paint {
    /// Colours on a terminal, unless `--no-color` or `NO_COLOR` (<https://no-color.org>) says otherwise.
    pub(crate) fn choose(no_color: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(!no_color && !refused && !dumb && is_terminal())
    }

    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Waiting => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
            Tone::Strong => "1",
            Tone::Nth(n) => NTH[n % NTH.len()],
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
impl Paint {
    pub(crate) const NEVER: Self = Self(false);
    pub(crate) const ALWAYS: Self = Self(true);
}

/// True if standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Prints. Ends the process quietly if the reader has gone, as in `kubectl chat status | head -1`.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        std::process::exit(if error.kind() == ErrorKind::BrokenPipe { 0 } else { 3 });
    }
}

/// The time since an event, as kubectl formats it: two units while both matter, then one.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let seconds = (now.as_second() - since.as_second()).max(0);
    let two = |large: i64, l: &str, small: i64, s: &str| match seconds % large / small {
        0 => format!("{}{l}", seconds / large),
        rest => format!("{}{l}{rest}{s}", seconds / large),
    };
    match seconds {
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => two(MINUTE, "m", 1, "s"),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => two(HOUR, "h", MINUTE, "m"),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => two(DAY, "d", HOUR, "h"),
        s => format!("{}d", s / DAY),
    }
}

/// Parses a duration as kubectl does: `90s`, `5m`, `1h30m`; a bare number means seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let parsed = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| format!("{text} is no duration; such as 90s, 5m or 1h30m"))
}

/// A piece of text in a table, and its tone.
#[derive(Clone, Debug)]
pub(crate) struct Cell(pub(crate) String, pub(crate) Tone);

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(text.into(), Tone::Plain)
    }
}

/// Rows in columns, each as wide as its widest text; the last column is not padded.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with a line of headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|h| Cell((*h).to_owned(), Tone::Faint)).collect()] }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub(crate) fn draw(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column| self.rows.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            let mut due = 0; // spaces, written once something follows them
            for (cell, width) in row.iter().zip(&widths) {
                if !cell.0.is_empty() {
                    line.push_str(&" ".repeat(due));
                    line.push_str(&paint.paint(cell.1, &cell.0));
                    due = 0;
                }
                due += width - length(cell) + 2;
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

fn length(cell: &Cell) -> usize {
    cell.0.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> String {
        let start = Timestamp::from_second(1_000_000).unwrap();
        age(start, Timestamp::from_second(1_000_000 + seconds).unwrap())
    }

    #[test]
    fn ages_are_said_as_kubectl_says_them() {
        let said: Vec<String> =
            [0, 119, 120, 150, 600, 10_799, 10_860, 100_000, 180_000, 700_000].map(after).into();

        assert_eq!(said, ["0s", "119s", "2m", "2m30s", "10m", "179m", "3h1m", "27h", "2d2h", "8d"]);
    }

    #[test]
    fn a_clock_that_is_behind_makes_nothing_older_than_itself() {
        assert_eq!(after(-5), "0s");
    }

    #[test]
    fn durations_are_written_as_for_kubectl() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        for wrong in ["", "m", "5x", "-5m", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen_and_lines_end_without_spaces() {
        let mut table = Table::new(&["NAME", "READY", ""]);
        table.row(vec![Cell("✓ ä".into(), Tone::Good), "2/2".into(), "all".into()]);
        table.row(vec!["longer".into(), "".into(), "".into()]);

        assert_eq!(table.draw(Paint::NEVER), "NAME    READY\n✓ ä     2/2    all\nlonger\n");
        assert!(table.draw(Paint::ALWAYS).contains("\x1b[32m✓ ä\x1b[0m     2/2"));
    }
}
