//! `cargo xtask bench`: the performance of the hub and of the operator on this machine, each beside the least
//! that could be done in its place. The programs in `bench/` put load on them; the code here starts these
//! programs, and makes tables of their figures.

pub(crate) mod hub;
mod lines;
mod machine;
mod markdown;
pub(crate) mod operator;
mod options;
mod page;

use crate::interrupt;
use anyhow::Result;
pub(crate) use options::Options;

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::catch()?;
    match options {
        Options::Hub(hub) => hub::bench(hub),
        Options::Operator(operator) => operator::bench(operator),
    }
}
