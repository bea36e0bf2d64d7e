//! The figures in `docs/performance.md`, which stand between two marks for each part; the rest of the page is
//! written by hand.

use crate::repo;
use anyhow::{Context, Result};
use std::fs;

const PAGE: &str = "docs/performance.md";

/// A part of the page that a bench writes.
pub(super) struct Part {
    start: &'static str,
    end: &'static str,
}

/// The hub's figures.
pub(super) const HUB: Part = Part {
    start: "<!-- figures: written by `cargo xtask bench hub --document` -->\n",
    end: "<!-- end of figures -->\n",
};

/// The operator's figures.
pub(super) const OPERATOR: Part = Part {
    start: "<!-- figures: written by `cargo xtask bench operator --document` -->\n",
    end: "<!-- end of the operator's figures -->\n",
};

impl Part {
    pub(super) fn write(&self, figures: &str) -> Result<()> {
        let path = repo::root().join(PAGE);
        let page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
        fs::write(&path, self.with(&page, &format!("\n{figures}\n"))?)?;
        println!("{PAGE} has these figures now");
        Ok(())
    }

    fn with(&self, page: &str, figures: &str) -> Result<String> {
        let Self { start, end } = self;
        let marks = || {
            let (before, rest) = page.split_once(start)?;
            Some((before, rest.split_once(end)?.1))
        };
        let (before, after) =
            marks().with_context(|| format!("{PAGE} lacks the marks around its figures"))?;
        Ok(format!("{before}{start}{figures}{end}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::hub;

    #[test]
    fn figures_are_replaced_and_nothing_else() {
        let Part { start, end } = HUB;
        let page = format!("a\n{start}old\n{end}b\n");

        assert_eq!(HUB.with(&page, "new\n").unwrap(), format!("a\n{start}new\n{end}b\n"));
        assert!(HUB.with("a\nb\n", "new\n").is_err());
    }

    #[test]
    fn the_page_has_the_marks_and_the_command_that_is_run() {
        let page = fs::read_to_string(repo::root().join(PAGE)).unwrap();

        assert!(HUB.with(&page, "").is_ok() && OPERATOR.with(&page, "").is_ok());
        let command = page.lines().find_map(|line| line.trim().strip_prefix("HUB_COMMAND="));
        assert_eq!(command, Some(hub::programs::HUB_COMMAND));
        assert!(hub::programs::HUB_COMMAND.contains(hub::programs::HUB_PROGRAM));
    }
}
