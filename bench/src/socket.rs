//! Non-blocking sockets, and waiting for many of them at once.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use rustix::time::Timespec;
use std::net::SocketAddr;
use std::time::Duration;

/// The most events that one wait returns.
const EVENTS: usize = 512;

/// An epoll instance: it tells which sockets can be read from or written to.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// An event: the key of a socket, and what it is ready for.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) key: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(EVENTS) })
    }

    /// Watches a socket from now on, for reading and, if asked for, for writing.
    pub(crate) fn add(&self, socket: impl AsFd, key: u64, write: bool) -> Result<()> {
        epoll::add(&self.epoll, socket, EventData::new_u64(key), interest(write))
    }

    pub(crate) fn change(&self, socket: impl AsFd, key: u64, write: bool) -> Result<()> {
        epoll::modify(&self.epoll, socket, EventData::new_u64(key), interest(write))
    }

    /// Waits for events, at most for the time given. Returns the number of events, whose indexes
    /// [`Poller::ready`] takes.
    pub(crate) fn wait(&mut self, longest: Option<Duration>) -> Result<usize> {
        let longest = longest.and_then(|d| Timespec::try_from(d).ok());
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), longest.as_ref()) {
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn ready(&self, index: usize) -> Ready {
        let event = self.events[index];
        let (flags, data) = (event.flags, event.data);
        Ready {
            key: data.u64(),
            // A connection that was closed or failed is noticed by reading.
            read: flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR),
            write: flags.contains(EventFlags::OUT),
        }
    }
}

fn interest(write: bool) -> EventFlags {
    if write { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN }
}

/// A TCP socket that is connecting, or connected.
pub(crate) fn connect(to: SocketAddr) -> Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// A TCP listener and a UDP socket at the same address.
pub(crate) fn listen(at: SocketAddr) -> Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener =
        rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    rustix::net::bind(&listener, &at)?;
    rustix::net::listen(&listener, 4096)?;
    let datagrams = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    rustix::net::bind(&datagrams, &at)?;
    Ok((listener, datagrams))
}

/// The next connection, or `None` when there is none now.
pub(crate) fn accept(listener: &OwnedFd) -> Result<Option<OwnedFd>> {
    match rustix::net::accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
        Ok(socket) => {
            sockopt::set_tcp_nodelay(&socket, true)?;
            Ok(Some(socket))
        }
        Err(Errno::AGAIN | Errno::CONNABORTED) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the number of bytes read: 0 at the end of the stream, `None` if there is nothing to read now.
pub(crate) fn read(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Option<usize>> {
    none_if_later(rustix::io::read(socket, buffer))
}

/// Returns the number of bytes that the kernel took, `None` if it takes nothing now.
pub(crate) fn write(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<Option<usize>> {
    none_if_later(rustix::io::write(socket, bytes))
}

fn none_if_later(done: Result<usize>) -> Result<Option<usize>> {
    match done {
        Ok(count) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error),
    }
}
