//! The null server: the least that a hub can do, to know how much of a figure is the machine's. It has no
//! Redis, no envelope and no limits: a member's text goes to every member of both nodes, framed once; between
//! the nodes it travels as a datagram. Its only client is the load generator, whose requests and frames are
//! small and arrive whole.

use crate::socket::{self, Poller};
use crate::websocket::{self, Opcode};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{RecvFlags, SendFlags};
use rustix::time::Timespec;
use std::net::SocketAddr;

const LISTENER: u64 = u64::MAX;
const PEER: u64 = u64::MAX - 1;

#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// An address on loopback
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// The address of the other node
    #[arg(long)]
    pub(crate) peer: SocketAddr,
    /// The most frames in one write(2)
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// Do every 49th delivery of each member wrong, which the load generator has to notice
    #[arg(long, value_enum)]
    pub(crate) fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    Lost,
    Duplicated,
    OutOfOrder,
}

struct Member {
    socket: OwnedFd,
    joined: bool,
    /// Counted for [`Fault`]s only.
    delivered: u64,
    held: Vec<u8>,
}

struct Floor {
    options: Options,
    poller: Poller,
    datagrams: OwnedFd,
    members: Vec<Option<Member>>,
    /// Frames that go to every member next.
    out: Vec<u8>,
    frames: usize,
}

/// Serves until a signal ends the process.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.listen.ip().is_loopback() && options.peer.ip().is_loopback(), "loopback only");
    let (listener, datagrams) =
        socket::listen(options.listen).with_context(|| format!("cannot listen on {}", options.listen))?;
    let poller = Poller::new()?;
    poller.add(&listener, LISTENER, false)?;
    poller.add(&datagrams, PEER, false)?;
    let mut options = options.clone();
    if options.fault.is_some() {
        options.batch = 1;
    }
    let mut floor = Floor { options, poller, datagrams, members: Vec::new(), out: Vec::new(), frames: 0 };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        for index in 0..floor.poller.wait(None)? {
            match floor.poller.ready(index).key {
                LISTENER => floor.accept(&listener)?,
                PEER => floor.hear_peer(&mut buffer)?,
                member => floor.read(usize::try_from(member)?, &mut buffer)?,
            }
        }
        floor.flush();
    }
}

impl Floor {
    fn accept(&mut self, listener: &OwnedFd) -> Result<()> {
        while let Some(socket) = socket::accept(listener).context("accept (is `ulimit -n` high enough?)")? {
            self.poller.add(&socket, self.members.len() as u64, false)?;
            self.members.push(Some(Member { socket, joined: false, delivered: 0, held: Vec::new() }));
        }
        Ok(())
    }

    fn hear_peer(&mut self, buffer: &mut [u8]) -> Result<()> {
        loop {
            match rustix::net::recv(&self.datagrams, &mut *buffer, RecvFlags::empty()) {
                Ok((count, _)) => self.deliver(&buffer[..count]),
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                // The peer has ended; this error is reported once, for an earlier datagram.
                Err(rustix::io::Errno::CONNREFUSED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) -> Result<()> {
        let Some(member) = &mut self.members[index] else { return Ok(()) };
        let count = match socket::read(member.socket.as_fd(), buffer) {
            Ok(None) => return Ok(()),
            Ok(Some(0)) | Err(_) => {
                self.members[index] = None;
                return Ok(());
            }
            Ok(Some(count)) => count,
        };
        if member.joined {
            return self.hear(&mut buffer[..count]);
        }
        write_all(member, &websocket::response());
        member.joined = true;
        Ok(())
    }

    fn hear(&mut self, mut bytes: &mut [u8]) -> Result<()> {
        while !bytes.is_empty() {
            let Some(frame) = websocket::frame(bytes).map_err(anyhow::Error::msg)? else {
                bail!("a frame came in two pieces")
            };
            let (whole, rest) = bytes.split_at_mut(frame.end);
            bytes = rest;
            let text = &mut whole[frame.head..];
            websocket::apply(frame.mask.context("a client masks")?, text);
            if frame.opcode == Opcode::Text {
                self.deliver(text);
                rustix::net::sendto(&self.datagrams, text, SendFlags::empty(), &self.options.peer)
                    .context("cannot reach the other node")?;
            }
        }
        Ok(())
    }

    fn deliver(&mut self, text: &[u8]) {
        websocket::put_head(&mut self.out, Opcode::Text, text.len());
        self.out.extend_from_slice(text);
        self.frames += 1;
        if self.frames >= self.options.batch {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.frames == 0 {
            return;
        }
        for member in self.members.iter_mut().flatten().filter(|m| m.joined) {
            match self.options.fault {
                None => write_all(member, &self.out),
                Some(fault) => do_wrong(member, &self.out, fault),
            }
        }
        self.out.clear();
        self.frames = 0;
    }
}

fn do_wrong(member: &mut Member, frame: &[u8], fault: Fault) {
    member.delivered += 1;
    let now = member.delivered.is_multiple_of(49);
    match fault {
        Fault::Lost if now => {}
        Fault::OutOfOrder if now => member.held = frame.to_vec(),
        Fault::Duplicated if now => write_all(member, &[frame, frame].concat()),
        _ => write_all(member, frame),
    }
    // Four deliveries later, so that others of the same publisher have overtaken it.
    if member.delivered % 49 == 4 && !member.held.is_empty() {
        let held = std::mem::take(&mut member.held);
        write_all(member, &held);
    }
}

/// Writes everything, and waits while the member's socket is full. A member that has gone is noticed by
/// reading.
fn write_all(member: &Member, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match socket::write(member.socket.as_fd(), bytes) {
            Ok(Some(count)) => bytes = &bytes[count..],
            Ok(None) => {
                let second = Timespec { tv_sec: 1, tv_nsec: 0 };
                let _ = poll(&mut [PollFd::new(&member.socket, PollFlags::OUT)], Some(&second));
            }
            Err(_) => return,
        }
    }
}
