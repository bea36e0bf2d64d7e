//! The figures in `docs/performance.md`, between two marks; the rest of the page is written by hand.

use super::machine::Machine;
use crate::repo;
use anyhow::{Context, Result};
use std::fs;

const PAGE: &str = "docs/performance.md";
const START: &str = "<!-- figures: written by `cargo xtask bench hub --document` -->\n";
const END: &str = "<!-- end of figures -->\n";

pub(super) fn write(machine: &Machine, tables: &str) -> Result<()> {
    let path = repo::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let page = with(&page, &format!("\n{}\n\n{tables}\n", machine.as_text()))?;
    fs::write(&path, page)?;
    println!("{PAGE} has these figures now");
    Ok(())
}

fn with(page: &str, figures: &str) -> Result<String> {
    let marks = || {
        let (before, rest) = page.split_once(START)?;
        Some((before, rest.split_once(END)?.1))
    };
    let (before, after) = marks().with_context(|| format!("{PAGE} lacks the marks around its figures"))?;
    Ok(format!("{before}{START}{figures}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::super::node;
    use super::*;

    #[test]
    fn figures_are_replaced_and_nothing_else() {
        let page = format!("a\n{START}old\n{END}b\n");

        assert_eq!(with(&page, "new\n").unwrap(), format!("a\n{START}new\n{END}b\n"));
        assert!(with("a\nb\n", "new\n").is_err());
    }

    #[test]
    fn the_page_has_the_marks_and_the_command_that_is_run() {
        let page = fs::read_to_string(repo::root().join(PAGE)).unwrap();

        assert!(with(&page, "").is_ok());
        let command = page.lines().find_map(|line| line.trim().strip_prefix("HUB_COMMAND="));
        assert_eq!(command, Some(node::HUB_COMMAND));
        assert!(node::HUB_COMMAND.contains(node::HUB_PROGRAM));
    }
}
