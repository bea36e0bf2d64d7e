//! All members of a run, on one thread and one epoll instance: one read(2) for each socket that is ready, no
//! task and no timer for a member, nothing allocated for a delivery. The generator shares its cores with the
//! servers that it measures, so it has to use little of them.

mod member;
#[cfg(test)]
mod tests;

use super::dialect::Dialect;
use crate::socket::{self, Poller};
use crate::websocket;
use anyhow::{Context, Result, bail};
pub(super) use member::Counts;
use member::{Member, Stage};
use rustix::fd::{AsFd, OwnedFd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The most bytes of one read(2).
const BUFFER: usize = 256 * 1024;
/// The key of the timer, beside those of the members.
const TIMER: u64 = u64::MAX;
/// The silence after which a member sends a message, as real clients do.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A run's reaction to what arrives.
pub(super) trait Load {
    /// A joined member has received a record, at this time of the driver's clock.
    fn record(&mut self, member: usize, record: &[u8], at: u64);
    /// After each socket's turn.
    fn between(&mut self, driver: &mut Driver) -> Result<()>;
}

/// A load that ignores everything.
pub(super) struct Listening;

impl Load for Listening {
    fn record(&mut self, _: usize, _: &[u8], _: u64) {}
    fn between(&mut self, _: &mut Driver) -> Result<()> {
        Ok(())
    }
}

/// All members, and the sockets that are ready.
pub(super) struct Driver {
    base: Instant,
    poller: Poller,
    timer: Option<OwnedFd>,
    nodes: Vec<SocketAddr>,
    dialects: Vec<Dialect>,
    buffer: Vec<u8>,
    /// The time of the last look for silent members.
    checked: u64,
    pub(super) members: Vec<Member>,
    joining: usize,
    /// Members that lost their connection or never got one.
    pub(super) closed: usize,
    /// The reason of the first of them.
    pub(super) why: Option<String>,
    pub(super) counts: Counts,
}

impl Driver {
    pub(super) fn new(nodes: &[SocketAddr], dialects: Vec<Dialect>) -> Result<Self> {
        Ok(Self {
            base: Instant::now(),
            poller: Poller::new()?,
            timer: None,
            nodes: nodes.to_vec(),
            dialects,
            buffer: vec![0; BUFFER],
            checked: 0,
            members: Vec::new(),
            joining: 0,
            closed: 0,
            why: None,
            counts: Counts::default(),
        })
    }

    /// The driver's clock, in nanoseconds since its start.
    pub(super) fn now(&self) -> u64 {
        nanoseconds(self.base)
    }

    /// Opens `more` connections, at most `width` of them on their way at a time. Returns once all have
    /// joined.
    pub(super) fn connect(&mut self, more: usize, width: usize, limit: Duration) -> Result<()> {
        let all = self.members.len() + more;
        let end = Instant::now() + limit;
        while self.members.len() < all || self.joining > 0 {
            while self.members.len() < all && self.joining < width {
                self.dial()?;
            }
            self.poll(Duration::from_millis(100), &mut Listening)?;
            if Instant::now() > end {
                let on_way = self.joining + all - self.members.len();
                bail!("{on_way} of {all} connections have not joined within {} s", limit.as_secs());
            }
        }
        match &self.why {
            Some(why) => bail!("{} of {all} connections failed; the first: {why}", self.closed),
            None => Ok(()),
        }
    }

    fn dial(&mut self) -> Result<()> {
        let index = self.members.len();
        // Nodes take turns, and so do dialects on each node; the first members, which publish, differ in
        // both.
        let node = index % self.nodes.len();
        let dialect = (index + index / self.nodes.len()) % self.dialects.len();
        let began = self.now();
        let address = self.nodes[node];
        let socket = socket::connect(address)
            .with_context(|| format!("connection {index} to {address} (is `ulimit -n` high enough?)"))?;
        self.poller.add(&socket, index as u64, true)?;
        let request = websocket::request(self.dialects[dialect].path, &address);
        self.members.push(Member::new(socket, node, dialect, request, began));
        self.joining += 1;
        Ok(())
    }

    /// Handles events for a while.
    pub(super) fn listen(&mut self, time: Duration, load: &mut impl Load) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.poll(Duration::from_millis(20), load)?;
        }
        Ok(())
    }

    /// Waits for events, at most for the time given, and handles them.
    pub(super) fn poll(&mut self, longest: Duration, load: &mut impl Load) -> Result<()> {
        let count = self.poller.wait(Some(longest))?;
        for index in 0..count {
            let ready = self.poller.ready(index);
            if ready.key == TIMER {
                if let Some(timer) = &self.timer {
                    let _ = socket::read(timer.as_fd(), &mut [0; 8]);
                }
            } else {
                let member = usize::try_from(ready.key)?;
                if ready.write {
                    self.flush(member);
                }
                if ready.read {
                    self.read(member, load);
                }
            }
            load.between(self)?;
        }
        self.keep_alive();
        Ok(())
    }

    /// Makes `poll` return after this time, to the microsecond: its own bound is in milliseconds.
    pub(super) fn wake_in(&mut self, time: Duration) -> Result<()> {
        let timer = if let Some(timer) = self.timer.take() {
            timer
        } else {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
            self.poller.add(&timer, TIMER, false)?;
            timer
        };
        let once = Itimerspec { it_interval: Timespec::default(), it_value: Timespec::try_from(time)? };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
        self.timer = Some(timer);
        Ok(())
    }

    /// Sends a text of a member to its room. `payload` is a buffer to reuse.
    pub(super) fn say(&mut self, index: usize, text: &[u8], payload: &mut Vec<u8>) {
        let member = &mut self.members[index];
        if member.stage == Stage::Closed {
            return;
        }
        let dialect = &self.dialects[member.dialect];
        payload.clear();
        dialect.send(text, payload);
        member.send(dialect.opcode, payload, nanoseconds(self.base));
        self.flush_unless_watched(index);
    }

    fn read(&mut self, index: usize, load: &mut impl Load) {
        let member = &mut self.members[index];
        let Some(socket) = &member.socket else { return };
        let count = match socket::read(socket.as_fd(), &mut self.buffer) {
            Ok(None) => return,
            Ok(Some(0)) => return self.fail(index, "the server closed the connection"),
            Ok(Some(count)) => count,
            Err(error) => return self.fail(index, &error.to_string()),
        };
        self.counts.reads += 1;
        let now = nanoseconds(self.base);
        let was_joined = member.stage == Stage::Joined;
        let dialect = &self.dialects[member.dialect];
        let taken = member.arrived(&self.buffer[..count], now, dialect, &mut self.counts, &mut |record| {
            load.record(index, record, now);
        });
        if !was_joined && member.stage == Stage::Joined {
            self.joining -= 1;
        }
        match taken {
            Ok(()) => self.flush_unless_watched(index),
            Err(why) => self.fail(index, &why),
        }
    }

    /// Writes now, unless the kernel has to make room first, which the poller tells.
    fn flush_unless_watched(&mut self, index: usize) {
        let member = &self.members[index];
        if !member.is_watched && !member.unsent.is_empty() {
            self.flush(index);
        }
    }

    /// Writes what waits, and watches the socket while something is left.
    fn flush(&mut self, index: usize) {
        let member = &mut self.members[index];
        let Some(socket) = &member.socket else { return };
        let written = loop {
            if member.unsent.is_empty() {
                break Ok(());
            }
            match socket::write(socket.as_fd(), &member.unsent) {
                Ok(Some(count)) => drop(member.unsent.drain(..count)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let watch = !member.unsent.is_empty();
        let done = written.and_then(|()| {
            if watch == member.is_watched {
                return Ok(());
            }
            member.is_watched = watch;
            self.poller.change(socket, index as u64, watch)
        });
        if let Err(error) = done {
            self.fail(index, &error.to_string());
        }
    }

    /// Sends a message for every member that has been silent for long: servers close connections that seem
    /// dead.
    fn keep_alive(&mut self) {
        let now = self.now();
        if now - self.checked < 1_000_000_000 {
            return;
        }
        self.checked = now;
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            if member.stage != Stage::Joined || u128::from(now - member.spoke) < KEEP_ALIVE.as_nanos() {
                continue;
            }
            if let Some((opcode, payload)) = &self.dialects[member.dialect].keep_alive {
                member.send(*opcode, payload, now);
                self.flush_unless_watched(index);
            }
        }
    }

    fn fail(&mut self, index: usize, why: &str) {
        let member = &mut self.members[index];
        if member.stage == Stage::Closed {
            return;
        }
        if member.stage != Stage::Joined {
            self.joining -= 1;
        }
        member.stage = Stage::Closed;
        member.socket = None;
        self.closed += 1;
        self.why.get_or_insert_with(|| format!("connection {index} to {}: {why}", self.nodes[member.node]));
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
