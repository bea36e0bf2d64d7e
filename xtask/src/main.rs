//! `cargo xtask …`: the commands for developers of chatcluster. Each has a module, and runs other tools as
//! processes.

mod args;
mod bench;
mod bridge;
mod cargo;
mod chart;
mod cluster;
mod crds;
mod demo;
mod deps;
mod fuzz;
mod images;
mod install;
mod interrupt;
mod kube;
mod plugin;
mod reference;
mod repo;
mod sh;
mod target;
mod test;

use args::{Args, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e:#}"); // for a person: without a backtrace, whatever the environment says
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Crds { check } => crds::run(check),
        Command::Cluster(c) => cluster::run(&c),
        Command::Images(i) => images::run(&i),
        Command::Deps { list } => deps::run(list),
        Command::Demo(d) => demo::run(&d),
        Command::Fuzz(f) => fuzz::run(&f),
        Command::Test(t) => test::run(&t),
        Command::Bench(b) => bench::run(&b),
        Command::Bridge(b) => bridge::run(&b),
    }
}
