//! The command line of `cargo xtask bench`.

use super::hub::options::{Hub, MODES};
use super::operator::options::{MEASURES, Operator};
use clap::Subcommand;

/// Measure on this machine: how fast, and at what cost
#[derive(Subcommand)]
pub(crate) enum Options {
    /// Two hubs on one Redis with a password, all on loopback, under the load of a generator of our own
    #[command(after_long_help = MODES)]
    Hub(Box<Hub>),
    /// The operator on a control plane with fake nodes, beside the least that a client can do in its place
    #[command(after_long_help = MEASURES)]
    Operator(Box<Operator>),
}
