//! The machine: its description, other work on it, and its limit of open files.

use crate::{interrupt, sh};
use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The circumstances of a measurement.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Machine {
    date: String,
    cores: usize,
    processor: String,
    memory_gib: u64,
    kernel: String,
    revision: String,
    load_average: String,
}

impl Machine {
    /// The description in a sentence, with the versions of other programs.
    pub(super) fn as_text(&self, others: &str) -> String {
        format!(
            "Measured {} at revision {}: {} cores ({}), {} GiB, Linux {}, {}; load average before: {}.",
            self.date,
            self.revision,
            self.cores,
            self.processor,
            self.memory_gib,
            self.kernel,
            others,
            self.load_average
        )
    }
}

pub(super) fn describe() -> Result<Machine> {
    let word = |path: &str, index: usize| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().nth(index).unwrap_or("?").to_owned()
    };
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let revision = sh::output(&mut sh::cmd("git", ["describe", "--always", "--dirty"])).unwrap_or_default();
    Ok(Machine {
        date: sh::output(&mut sh::cmd("date", ["-u", "+%F"]))?.trim().to_owned(),
        cores: std::thread::available_parallelism()?.get(),
        processor: processor.map_or("?", |(_, name)| name).to_owned(),
        memory_gib: word("/proc/meminfo", 1).parse::<u64>().unwrap_or_default().div_ceil(1 << 20),
        kernel: word("/proc/sys/kernel/osrelease", 0),
        revision: revision.trim().to_owned(),
        load_average: word("/proc/loadavg", 0),
    })
}

/// The version of the installed Redis.
pub(super) fn redis() -> String {
    let version = sh::output(&mut sh::cmd("redis-cli", ["--version"])).unwrap_or_default();
    version.trim().replace("redis-cli", "Redis")
}

/// Raises the limit of open files of this process and its children, if need be.
pub(super) fn allow_descriptors(needed: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|now| now >= needed) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|most| most.max(needed));
    let raised = Rlimit { current: maximum.map(|_| needed), maximum: limit.maximum };
    // Root may raise even the hard limit.
    if setrlimit(Resource::Nofile, raised).is_err()
        && setrlimit(Resource::Nofile, Rlimit { maximum, ..raised }).is_err()
    {
        bail!(
            "{needed} open files are needed, and `ulimit -n` allows {}: raise it, or ask for fewer connections \
             (--idle-connections, --connect-connections)",
            limit.maximum.unwrap_or_default()
        );
    }
    Ok(())
}

/// The longest time that one run waits for a quiet machine.
const WAIT: Duration = Duration::from_secs(30);

/// Waiting for a machine without other work.
pub(super) struct Quiet {
    cores: f64,
    /// The time that is left for waiting in all runs together: a machine that is never quiet is measured as
    /// it is.
    left: Duration,
}

impl Quiet {
    /// The number of cores that other work may keep busy.
    pub(super) fn new(cores: f64) -> Self {
        Self { cores, left: Duration::from_mins(10) }
    }

    /// Waits until other work is below the limit, or the time for waiting has passed.
    pub(super) fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        let patience = self.left.min(WAIT);
        while start.elapsed() < patience {
            interrupt::check()?;
            let (before, now) = (busy(), Instant::now());
            sleep(Duration::from_secs(1));
            if (busy() - before) / now.elapsed().as_secs_f64() <= self.cores {
                return Ok(());
            }
        }
        self.left = self.left.saturating_sub(start.elapsed());
        println!("  the machine is busy with other work");
        Ok(())
    }

    /// True if a run with this much other work should be repeated.
    pub(super) fn again(&self, other: f64) -> bool {
        other > self.cores && !self.left.is_zero()
    }
}

/// The busy time of all cores, in seconds.
fn busy() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    // user nice system idle iowait irq softirq steal, in ticks of 10 ms
    let ticks = fields.enumerate().filter(|(index, _)| ![3, 4].contains(index));
    ticks.filter_map(|(_, ticks)| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
