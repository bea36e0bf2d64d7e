//! Processor time of servers, Redis and generator, and other counters of the kernel.

use super::redis::{self, Commands, Redis};
use anyhow::Result;
use std::fs;
use std::time::Instant;

/// The processes that are measured.
pub(super) struct Meter {
    pub(super) servers: Vec<u32>,
    pub(super) redis_process: Option<u32>,
    pub(super) redis: Option<Redis>,
}

/// The counters at one moment; all times in seconds.
pub(super) struct Reading {
    at: Instant,
    servers: f64,
    server_threads: f64,
    redis: f64,
    own: f64,
    machine: f64,
    segments: u64,
    commands: Commands,
}

/// The use of resources between two readings.
pub(super) struct Used {
    pub(super) seconds: f64,
    pub(super) servers: f64,
    pub(super) redis: f64,
    pub(super) own: f64,
    machine: f64,
    /// TCP segments with data, of the whole machine. On loopback, a write(2) to a socket that does not wait
    /// is about one segment.
    pub(super) segments: u64,
    pub(super) commands: Commands,
}

impl Meter {
    pub(super) fn read(&mut self) -> Result<Reading> {
        let commands = self.redis.as_mut().map(Redis::commands).transpose()?.unwrap_or_default();
        Ok(Reading {
            at: Instant::now(),
            servers: self.servers.iter().map(|&pid| process(pid)).sum(),
            server_threads: self.servers.iter().map(|&pid| threads(pid)).sum(),
            redis: self.redis_process.map_or(0.0, threads),
            own: threads(std::process::id()),
            machine: machine(),
            segments: segments(),
            commands,
        })
    }

    /// Resident memory of the servers, in KiB.
    pub(super) fn resident(&self) -> f64 {
        self.servers.iter().map(|&pid| resident(pid)).sum()
    }
}

impl Reading {
    pub(super) fn until(&self, end: &Self) -> Used {
        let servers = end.servers - self.servers;
        Used {
            seconds: (end.at - self.at).as_secs_f64(),
            // Ticks are too coarse for short work. Over a long time threads may end, whose time the finer
            // counter lacks.
            servers: if servers < 1.0 { end.server_threads - self.server_threads } else { servers },
            redis: end.redis - self.redis,
            own: end.own - self.own,
            machine: end.machine - self.machine,
            segments: end.segments - self.segments,
            commands: redis::since(&self.commands, &end.commands),
        }
    }
}

impl Used {
    /// The number of cores that servers, Redis and generator kept busy.
    pub(super) fn busy(&self) -> f64 {
        (self.servers + self.redis + self.own) / self.seconds
    }

    /// The number of cores that everything else kept busy, including time that the host stole: the reason to
    /// doubt a figure.
    pub(super) fn other(&self) -> f64 {
        (self.machine / self.seconds - self.busy()).max(0.0)
    }
}

/// The ticks of /proc in a second, 10 ms each on every machine that matters (`USER_HZ`).
const TICKS: f64 = 100.0;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// User and system time of a process, including that of ended threads and of the kernel's work for it.
fn process(pid: u32) -> f64 {
    let stat = read(&format!("/proc/{pid}/stat"));
    // The program's name, in brackets, may contain anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// User and system time of a process's running threads, to the nanosecond. Meant for processes that do little
/// and whose threads stay.
fn threads(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanoseconds: f64 = tasks
        .map(|task| read(&task.path().join("schedstat").to_string_lossy()))
        .filter_map(|stat| stat.split_whitespace().next()?.parse::<f64>().ok())
        .sum();
    // A kernel may be built without this file.
    if nanoseconds > 0.0 { nanoseconds / 1e9 } else { process(pid) }
}

fn machine() -> f64 {
    let stat = read("/proc/stat");
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // user nice system idle iowait irq softirq steal
    let busy = fields.take(8).enumerate().filter(|(index, _)| ![3, 4].contains(index));
    busy.filter_map(|(_, ticks)| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

fn resident(pid: u32) -> f64 {
    let status = read(&format!("/proc/{pid}/status"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn segments() -> u64 {
    counter(&read("/proc/net/netstat"), "TCPOrigDataSent").unwrap_or_default()
}

/// A counter of /proc/net/netstat, where one line has the names and the next one the values.
fn counter(netstat: &str, name: &str) -> Option<u64> {
    let lines: Vec<_> = netstat.lines().collect();
    lines.chunks_exact(2).find_map(|pair| {
        let index = pair[0].split_whitespace().position(|word| word == name)?;
        pair[1].split_whitespace().nth(index)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_name() {
        let netstat = "TcpExt: A TCPOrigDataSent B\nTcpExt: 1 22 3\nIpExt: C\nIpExt: 4\n";

        assert_eq!(counter(netstat, "TCPOrigDataSent"), Some(22));
        assert_eq!(counter(netstat, "C"), Some(4));
        assert_eq!(counter(netstat, "D"), None);
    }

    #[test]
    fn work_is_seen_as_time_of_this_process_and_of_the_machine() {
        let (before, mine, all) = (Instant::now(), threads(std::process::id()), machine());
        while before.elapsed().as_millis() < 100 {}

        assert!(threads(std::process::id()) > mine);
        assert!(machine() > all);
        assert!(resident(std::process::id()) > 100.0);
    }
}
