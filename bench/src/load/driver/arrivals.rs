//! What comes from servers: bytes, frames, messages, records.

use super::{Driver, Load, Stage};
use crate::load::dialect::Answer;
use crate::socket;
use crate::websocket::{self, Frame, Opcode};
use rustix::fd::AsFd;

impl Driver {
    pub(super) fn read(&mut self, member: usize, load: &mut impl Load) {
        let Some(socket) = &self.members[member].socket else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = socket::read(socket.as_fd(), &mut buffer);
        match outcome {
            Ok(None) => {}
            Ok(Some(0)) => self.fail(member, "the server closed the connection"),
            Ok(Some(count)) => {
                self.reads += 1;
                let at = self.now();
                if let Err(why) = self.arrived(member, &buffer[..count], at, load) {
                    self.fail(member, &why);
                }
            }
            Err(error) => self.fail(member, &error.to_string()),
        }
        self.buffer = buffer;
    }

    fn arrived(&mut self, member: usize, new: &[u8], at: u64, load: &mut impl Load) -> Result<(), String> {
        let mut rest = std::mem::take(&mut self.members[member].rest);
        if rest.is_empty() {
            let used = self.consume(member, new, at, load)?;
            rest.extend_from_slice(&new[used..]);
        } else {
            rest.extend_from_slice(new);
            let used = self.consume(member, &rest, at, load)?;
            rest.drain(..used);
        }
        if !rest.is_empty() {
            self.members[member].rest = rest;
        }
        Ok(())
    }

    /// Handles all whole frames, and gives how many bytes that were.
    fn consume(
        &mut self,
        member: usize,
        bytes: &[u8],
        at: u64,
        load: &mut impl Load,
    ) -> Result<usize, String> {
        let mut used = 0;
        if self.members[member].stage == Stage::Upgrading {
            let Some(end) = websocket::upgraded(bytes)? else { return Ok(0) };
            used = end;
            self.step(member, 0, at);
        }
        while let Some(frame) = websocket::frame(&bytes[used..])? {
            let payload = &bytes[used + frame.head..used + frame.end];
            self.bytes += frame.end as u64;
            self.frame_came(member, &frame, payload, at, load)?;
            used += frame.end;
        }
        Ok(used)
    }

    fn frame_came(
        &mut self,
        member: usize,
        frame: &Frame,
        payload: &[u8],
        at: u64,
        load: &mut impl Load,
    ) -> Result<(), String> {
        match frame.opcode {
            Opcode::Close => {
                let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
                return Err(format!("closed by the server: {reason}"));
            }
            Opcode::Ping => self.send(member, Opcode::Pong, payload),
            Opcode::Pong => {}
            _ if frame.mask.is_some() => return Err("a masked frame of a server".into()),
            _ if frame.last && self.members[member].message.is_empty() => {
                self.message(member, payload, at, load)?;
            }
            _ => {
                let mut message = std::mem::take(&mut self.members[member].message);
                message.extend_from_slice(payload);
                if frame.last {
                    self.message(member, &message, at, load)?;
                } else {
                    self.members[member].message = message;
                }
            }
        }
        Ok(())
    }

    fn message(
        &mut self,
        member: usize,
        mut rest: &[u8],
        at: u64,
        load: &mut impl Load,
    ) -> Result<(), String> {
        self.frames += 1;
        while !rest.is_empty() {
            let m = &self.members[member];
            let dialect = &self.dialects[m.dialect];
            let Stage::Step(step) = m.stage else {
                load.record(member, dialect.record(None, &mut rest)?, at);
                continue;
            };
            let record = dialect.record(Some(step), &mut rest)?;
            match dialect.answers(step, record) {
                Answer::Done => self.step(member, step + 1, at),
                Answer::Refused => return Err(format!("refused: {}", String::from_utf8_lossy(record))),
                Answer::Other => {}
            }
        }
        Ok(())
    }

    /// Takes a step; who has taken the last one has joined.
    fn step(&mut self, member: usize, step: usize, at: u64) {
        let m = &mut self.members[member];
        if let Some((opcode, payload)) = self.dialects[m.dialect].steps.get(step) {
            m.stage = Stage::Step(step);
            let (opcode, payload) = (*opcode, payload.clone());
            self.send(member, opcode, &payload);
        } else {
            m.stage = Stage::Joined;
            m.took = Some(at - m.began);
            self.joining -= 1;
        }
    }
}
