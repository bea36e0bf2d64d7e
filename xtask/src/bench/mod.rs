//! `cargo xtask bench`: what the hub and the operator can do on this machine, each beside the least that could be done in its
//! place. What puts load on them are programs of their own, in `bench/`; here is what starts these, and what is made of their
//! figures.

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
