//! All members of a run, on one thread and one epoll instance: one read(2) for each socket that has something, no task and
//! no timer for a member, nothing allocated for a delivery. The generator shares its processors with the servers that it
//! measures, so it has to take little of them.

mod arrivals;
#[cfg(test)]
mod tests;

use super::dialect::Dialect;
use crate::socket::{self, Poller};
use crate::websocket::{self, Opcode};
use anyhow::{Context, Result, bail};
use rustix::fd::{AsFd, OwnedFd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Read at once.
const BUFFER: usize = 256 * 1024;
/// What the timer is called among the members.
const TIMER: u64 = u64::MAX;
/// As real clients do when they have nothing to say.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a run does with what comes.
pub(super) trait Load {
    /// A joined member got a record, at this time of the driver's clock.
    fn record(&mut self, member: usize, record: &[u8], at: u64);
    /// After each socket's turn.
    fn between(&mut self, driver: &mut Driver) -> Result<()>;
}

/// Whoever only listens.
pub(super) struct Listening;

impl Load for Listening {
    fn record(&mut self, _: usize, _: &[u8], _: u64) {}
    fn between(&mut self, _: &mut Driver) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Upgrading,
    /// Waits for the answer to this step of its dialect.
    Step(usize),
    Joined,
    Closed,
}

pub(super) struct Member {
    socket: Option<OwnedFd>,
    node: usize,
    dialect: usize,
    stage: Stage,
    /// A frame whose end has not arrived.
    rest: Vec<u8>,
    /// A message whose last frame has not arrived.
    message: Vec<u8>,
    /// What the kernel has not taken yet.
    unsent: Vec<u8>,
    began: u64,
    spoke: u64,
    /// From connect(2) to joined, in nanoseconds.
    pub(super) took: Option<u64>,
}

/// See the module.
pub(super) struct Driver {
    base: Instant,
    poller: Poller,
    timer: Option<OwnedFd>,
    nodes: Vec<SocketAddr>,
    dialects: Vec<Dialect>,
    buffer: Vec<u8>,
    frame: Vec<u8>,
    checked: u64,
    pub(super) members: Vec<Member>,
    joining: usize,
    /// Members that lost their connection or never got one.
    pub(super) closed: usize,
    /// What happened to the first of them.
    pub(super) why: Option<String>,
    /// WebSocket messages.
    pub(super) frames: u64,
    /// Of frames, their heads included.
    pub(super) bytes: u64,
    pub(super) reads: u64,
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
            frame: Vec::new(),
            checked: 0,
            members: Vec::new(),
            joining: 0,
            closed: 0,
            why: None,
            frames: 0,
            bytes: 0,
            reads: 0,
        })
    }

    /// Nanoseconds since the driver was made.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Opens so many more connections, at most `width` of them on their way at a time, and returns once all have joined.
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
        // Nodes in turn; dialects in turn on each node, and the first members, who publish, of different ones.
        let node = index % self.nodes.len();
        let dialect = (index + index / self.nodes.len()) % self.dialects.len();
        let began = self.now();
        let address = self.nodes[node];
        let socket = socket::connect(address)
            .with_context(|| format!("connection {index} to {address} (is `ulimit -n` high enough?)"))?;
        self.poller.add(&socket, index as u64, true)?;
        self.members.push(Member {
            socket: Some(socket),
            node,
            dialect,
            stage: Stage::Upgrading,
            rest: Vec::new(),
            message: Vec::new(),
            unsent: websocket::request(self.dialects[dialect].path, &address),
            began,
            spoke: began,
            took: None,
        });
        self.joining += 1;
        Ok(())
    }

    /// Handles what happens, for a while.
    pub(super) fn listen(&mut self, time: Duration, load: &mut impl Load) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.poll(Duration::from_millis(20), load)?;
        }
        Ok(())
    }

    /// Waits until something happens, but not for longer than told, and handles it.
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
                    self.flush(member, true);
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

    /// Has `poll` return after this time, to the microsecond: its own bound is in milliseconds.
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

    /// Has a member say a text to its room.
    pub(super) fn say(&mut self, member: usize, text: &[u8], payload: &mut Vec<u8>) {
        let dialect = &self.dialects[self.members[member].dialect];
        let opcode = dialect.opcode;
        payload.clear();
        dialect.send(text, payload);
        self.send(member, opcode, payload);
    }

    fn send(&mut self, member: usize, opcode: Opcode, payload: &[u8]) {
        self.frame.clear();
        websocket::put_masked(&mut self.frame, opcode, payload);
        let now = self.now();
        let m = &mut self.members[member];
        if m.stage == Stage::Closed {
            return;
        }
        m.spoke = now;
        let waiting = !m.unsent.is_empty();
        m.unsent.extend_from_slice(&self.frame);
        if !waiting {
            self.flush(member, false);
        }
    }

    /// Writes what waits; `watched` tells whether the poller tells of when the kernel takes more.
    fn flush(&mut self, member: usize, watched: bool) {
        let m = &mut self.members[member];
        let Some(socket) = &m.socket else { return };
        let written = loop {
            if m.unsent.is_empty() {
                break Ok(());
            }
            match socket::write(socket.as_fd(), &m.unsent) {
                Ok(Some(count)) => drop(m.unsent.drain(..count)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let watch = !m.unsent.is_empty();
        let done = written.and_then(|()| {
            if watch == watched { Ok(()) } else { self.poller.change(socket, member as u64, watch) }
        });
        if let Err(error) = done {
            self.fail(member, &error.to_string());
        }
    }

    /// Says something for everyone who was silent for long: servers let go who seems to be dead.
    fn keep_alive(&mut self) {
        let now = self.now();
        if now - self.checked < 1_000_000_000 {
            return;
        }
        self.checked = now;
        for index in 0..self.members.len() {
            let m = &self.members[index];
            if m.stage != Stage::Joined || u128::from(now - m.spoke) < KEEP_ALIVE.as_nanos() {
                continue;
            }
            if let Some((opcode, payload)) = self.dialects[m.dialect].keep_alive.clone() {
                self.send(index, opcode, &payload);
            }
        }
    }

    fn fail(&mut self, member: usize, why: &str) {
        let node = self.members[member].node;
        let m = &mut self.members[member];
        if m.stage == Stage::Closed {
            return;
        }
        if m.stage != Stage::Joined {
            self.joining -= 1;
        }
        m.stage = Stage::Closed;
        m.socket = None;
        self.closed += 1;
        self.why.get_or_insert_with(|| format!("connection {member} to {}: {why}", self.nodes[node]));
    }
}
