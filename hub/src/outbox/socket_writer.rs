//! A WebSocket as the queue writes to it: frames of what has gathered, in one system call.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::{Context, Poll};

use signalr::encoding::Encoding;
use signalr::record::Record;
use tokio::net::TcpStream;

use crate::protocol::frame::{self, Opcode};

/// A buffer that a thread keeps for the next connection, if it is no larger than this.
const KEPT: usize = 256 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Whether all is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    All,
    /// The socket is full.
    Part,
    /// The client is gone.
    Broken,
}

/// See the module.
#[derive(Debug)]
pub(super) struct SocketWriter {
    socket: Arc<TcpStream>,
    /// What the socket did not take.
    unsent: Vec<u8>,
    /// The content of the last ping, which is to be answered.
    pong: Option<Vec<u8>>,
}

impl SocketWriter {
    pub(super) fn new(socket: Arc<TcpStream>) -> Self {
        Self { socket, unsent: Vec::new(), pong: None }
    }

    /// How many bytes the socket did not take.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Waits until the socket takes more.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_write_ready(context).map(|_| ())
    }

    /// Section 5.5.3 of RFC 6455: only the last ping needs an answer.
    pub(super) fn pong(&mut self, content: Vec<u8>) {
        self.pong = Some(content);
    }

    /// Writes what is unsent, and then the records if the socket takes them; what it takes is removed.
    pub(super) fn write(&mut self, records: &mut Vec<Record>, encoding: Encoding) -> Written {
        if !self.unsent.is_empty() {
            let mut unsent = std::mem::take(&mut self.unsent);
            match self.try_write(&unsent) {
                Ok(taken) if taken == unsent.len() => {}
                Ok(taken) => {
                    unsent.drain(..taken);
                    self.unsent = unsent;
                    return Written::Part;
                }
                Err(Gone) => return Written::Broken,
            }
        }
        if records.is_empty() && self.pong.is_none() {
            return Written::All;
        }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            if let Some(content) = self.pong.take() {
                frame::put(buffer, Opcode::Pong, &content);
            }
            frame::put_records(buffer, records, encoding);
            records.clear();
            let written = match self.try_write(buffer) {
                Ok(taken) if taken == buffer.len() => Written::All,
                Ok(taken) => {
                    self.unsent = buffer[taken..].to_vec();
                    Written::Part
                }
                Err(Gone) => Written::Broken,
            };
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
            written
        })
    }

    fn try_write(&self, bytes: &[u8]) -> Result<usize, Gone> {
        match self.socket.try_write(bytes) {
            Ok(taken) => Ok(taken),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(_) => Err(Gone),
        }
    }
}

/// The client has closed, or the network did.
struct Gone;
