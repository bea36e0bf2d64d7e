//! One member: its connection, the bytes that wait to be sent, and the frames, messages and records that
//! arrive.

use crate::load::dialect::{Answer, Dialect};
use crate::websocket::{self, Frame, Opcode};
use rustix::fd::OwnedFd;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Upgrading,
    /// Waits for the answer to this step of its dialect.
    Step(usize),
    Joined,
    Closed,
}

/// The amount of what has arrived at all members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// WebSocket messages
    pub(crate) messages: u64,
    /// Bytes of frames, with their heads
    pub(crate) bytes: u64,
    /// Calls of read(2)
    pub(crate) reads: u64,
}

pub(crate) struct Member {
    pub(super) socket: Option<OwnedFd>,
    pub(super) node: usize,
    pub(super) dialect: usize,
    pub(super) stage: Stage,
    /// The start of a frame whose end has not arrived.
    rest: Vec<u8>,
    /// The start of a message whose last frame has not arrived.
    message: Vec<u8>,
    /// Bytes that the kernel has not taken yet.
    pub(super) unsent: Vec<u8>,
    /// Whether the poller tells when the kernel takes more.
    pub(super) is_watched: bool,
    began: u64,
    /// The time at which it last sent something.
    pub(super) spoke: u64,
    /// The time from connect(2) to joined, in nanoseconds.
    pub(crate) took: Option<u64>,
}

impl Member {
    /// A member that is connecting, and will then send this request.
    pub(super) fn new(socket: OwnedFd, node: usize, dialect: usize, request: Vec<u8>, now: u64) -> Self {
        Self {
            socket: Some(socket),
            node,
            dialect,
            stage: Stage::Upgrading,
            rest: Vec::new(),
            message: Vec::new(),
            unsent: request,
            is_watched: true,
            began: now,
            spoke: now,
            took: None,
        }
    }

    /// Leaves a frame to be sent.
    pub(super) fn send(&mut self, opcode: Opcode, payload: &[u8], now: u64) {
        self.spoke = now;
        websocket::put_masked(&mut self.unsent, opcode, payload);
    }

    /// Takes bytes that have arrived. Each record after joining goes to `record`; answers are left to be
    /// sent.
    ///
    /// # Errors
    /// The reason why the connection cannot go on.
    pub(super) fn arrived(
        &mut self,
        new: &[u8],
        now: u64,
        dialect: &Dialect,
        counts: &mut Counts,
        record: &mut impl FnMut(&[u8]),
    ) -> Result<(), String> {
        let mut rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            let used = self.consume(new, now, dialect, counts, record)?;
            rest.extend_from_slice(&new[used..]);
        } else {
            rest.extend_from_slice(new);
            let used = self.consume(&rest, now, dialect, counts, record)?;
            rest.drain(..used);
        }
        self.rest = rest;
        Ok(())
    }

    /// Handles all whole frames. Returns the number of their bytes.
    fn consume(
        &mut self,
        bytes: &[u8],
        now: u64,
        dialect: &Dialect,
        counts: &mut Counts,
        record: &mut impl FnMut(&[u8]),
    ) -> Result<usize, String> {
        let mut used = 0;
        if self.stage == Stage::Upgrading {
            let Some(end) = websocket::upgraded(bytes)? else { return Ok(0) };
            used = end;
            self.step(0, now, dialect);
        }
        while let Some(frame) = websocket::frame(&bytes[used..])? {
            let payload = &bytes[used + frame.head..used + frame.end];
            counts.bytes += frame.end as u64;
            self.take_frame(&frame, payload, now, dialect, counts, record)?;
            used += frame.end;
        }
        Ok(used)
    }

    fn take_frame(
        &mut self,
        frame: &Frame,
        payload: &[u8],
        now: u64,
        dialect: &Dialect,
        counts: &mut Counts,
        record: &mut impl FnMut(&[u8]),
    ) -> Result<(), String> {
        match frame.opcode {
            Opcode::Close => {
                let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
                return Err(format!("closed by the server: {reason}"));
            }
            Opcode::Ping => self.send(Opcode::Pong, payload, now),
            Opcode::Pong => {}
            _ if frame.mask.is_some() => return Err("a masked frame of a server".into()),
            _ if frame.last && self.message.is_empty() => {
                counts.messages += 1;
                self.take_message(payload, now, dialect, record)?;
            }
            _ => {
                let mut message = std::mem::take(&mut self.message);
                message.extend_from_slice(payload);
                if frame.last {
                    counts.messages += 1;
                    self.take_message(&message, now, dialect, record)?;
                } else {
                    self.message = message;
                }
            }
        }
        Ok(())
    }

    fn take_message(
        &mut self,
        mut rest: &[u8],
        now: u64,
        dialect: &Dialect,
        each: &mut impl FnMut(&[u8]),
    ) -> Result<(), String> {
        while !rest.is_empty() {
            let step = if let Stage::Step(step) = self.stage { Some(step) } else { None };
            let record = dialect.record(step, &mut rest).map_err(|error| error.to_string())?;
            let Some(step) = step else {
                each(record);
                continue;
            };
            match dialect.answers(step, record) {
                Answer::Done => self.step(step + 1, now, dialect),
                Answer::Refused => return Err(format!("refused: {}", String::from_utf8_lossy(record))),
                Answer::Other => {}
            }
        }
        Ok(())
    }

    /// Takes a step towards the room; after the last one the member has joined.
    fn step(&mut self, step: usize, now: u64, dialect: &Dialect) {
        if let Some((opcode, payload)) = dialect.steps.get(step) {
            self.stage = Stage::Step(step);
            self.send(*opcode, payload, now);
        } else {
            self.stage = Stage::Joined;
            self.took = Some(now - self.began);
        }
    }
}
