//! Writes a queue to a WebSocket: all records that have gathered become frames, in one system call.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::{Context, Poll};

use signalr::encoding::Encoding;
use signalr::record::Record;
use tokio::net::TcpStream;

use crate::protocol::frame::{self, Opcode};

/// The most bytes of a buffer that a thread keeps for the next connection.
const KEPT: usize = 256 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    All,
    /// The socket is full, and data remains.
    Part,
    /// The connection is broken.
    Broken,
}

/// The writing side of a WebSocket.
#[derive(Debug)]
pub(super) struct SocketWriter {
    socket: Arc<TcpStream>,
    /// Data that the socket has not taken yet.
    unsent: Vec<u8>,
    /// The content of the last ping, which has to be answered.
    pong: Option<Vec<u8>>,
}

impl SocketWriter {
    pub(super) fn new(socket: Arc<TcpStream>) -> Self {
        Self { socket, unsent: Vec::new(), pong: None }
    }

    /// The number of bytes that the socket has not taken yet.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Waits until the socket takes more data.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_write_ready(context).map(|_| ())
    }

    /// Schedules a pong. Only the last ping needs an answer (RFC 6455, section 5.5.3).
    pub(super) fn pong(&mut self, content: Vec<u8>) {
        self.pong = Some(content);
    }

    /// Writes the unsent data, and then the records if the socket takes them. Records that were framed are
    /// removed from `records`.
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

/// The client closed the connection, or the network failed.
struct Gone;
