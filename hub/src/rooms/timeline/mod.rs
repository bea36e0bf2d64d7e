//! The messages of one room, as this hub knows them: the last position, the most recent messages, and the
//! meaning of a new message.
//!
//! Pure: other modules read the backplane and deliver to members.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::protocol::position::Position;
use crate::protocol::stored_message::StoredMessage;

/// The most bytes of messages that are kept of a room, or sent to a client at once: more would fill that
/// client's queue.
const MOST_BYTES: usize = 512 * 1024;

/// The most messages that are buffered while a room catches up. If more arrive, the buffer is dropped, and
/// they are read from the backplane.
const MOST_WAITING: usize = 1024;

/// The part of a room's history that was read from the backplane.
#[derive(Debug, Default)]
pub struct HistoryPage {
    /// The position of the last message, even if it is no longer stored. `None`: no message was ever sent.
    pub last: Option<Position>,
    /// The messages after the requested position, or all that are stored if the history has started again
    /// since.
    pub messages: Vec<Arc<StoredMessage>>,
}

/// The meaning of a message that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The message is the next one.
    Next,
    /// The message arrived before.
    Duplicate,
    /// The message is buffered until the room has caught up.
    Buffered,
    /// A message before this one is missing. The room has to catch up; until then, this message is buffered.
    Gap,
}

/// A message or a gap to deliver to the members.
#[derive(Debug, Clone)]
pub enum Step {
    /// Messages after this position are lost; `None`: from the start.
    Gap(Option<Position>),
    /// The next message.
    Message(Arc<StoredMessage>),
}

/// The result of catching up.
#[derive(Debug, Default)]
pub struct CaughtUp {
    /// The messages and gaps to deliver, in order.
    pub steps: Vec<Step>,
    /// True if not everything fits together, so that the history has to be read again.
    pub again: bool,
    /// The number of buffered messages that are not part of this history.
    pub invalid: usize,
}

/// The messages of one room, as this hub knows them.
#[derive(Debug)]
pub struct Timeline {
    /// The most messages that are kept.
    most: usize,
    last: Option<Position>,
    /// The most recent messages, the oldest first.
    recent: VecDeque<Arc<StoredMessage>>,
    /// The bytes of the recent messages.
    bytes: usize,
    phase: Phase,
    loaded: bool,
}

#[derive(Debug)]
enum Phase {
    /// No message up to the last one is missing.
    Current,
    /// Messages may be missing. Arriving messages are buffered until the backplane has been read.
    Behind(Backlog),
}

#[derive(Debug, Default)]
struct Backlog {
    /// The buffered messages, each with true if the backplane was read after its arrival.
    waiting: Vec<(Arc<StoredMessage>, bool)>,
    bytes: usize,
    /// True if the buffer was full and was dropped.
    overflowed: bool,
}

impl Backlog {
    fn keep(&mut self, message: Arc<StoredMessage>) {
        self.bytes += message.bytes();
        if self.waiting.len() == MOST_WAITING || self.bytes > MOST_BYTES {
            *self = Self { overflowed: true, ..Self::default() };
        } else if !self.overflowed {
            self.waiting.push((message, false));
        }
    }
}

/// The relation of a message's number to the last one.
enum SequenceCheck {
    Next,
    Seen,
    Ahead,
}

impl Timeline {
    /// A timeline of which nothing is known yet, and which keeps at most `most` messages.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            last: None,
            recent: VecDeque::new(),
            bytes: 0,
            phase: Phase::Behind(Backlog::default()),
            loaded: false,
        }
    }

    /// The position of the last message.
    pub fn last(&self) -> Option<Position> {
        self.last
    }

    /// True once the history was read from the backplane.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// True while the history has to be read from the backplane.
    pub fn is_behind(&self) -> bool {
        matches!(self.phase, Phase::Behind(_))
    }

    /// Buffers messages from now on, because some may have been missed.
    pub fn fall_behind(&mut self) {
        if !self.is_behind() {
            self.phase = Phase::Behind(Backlog::default());
        }
    }

    /// Classifies a message that arrived. The next message is kept.
    pub fn receive(&mut self, message: &Arc<StoredMessage>) -> Arrival {
        if let Phase::Behind(backlog) = &mut self.phase {
            backlog.keep(Arc::clone(message));
            return Arrival::Buffered;
        }
        match self.check(message.position) {
            SequenceCheck::Next => {
                self.keep(Arc::clone(message));
                Arrival::Next
            }
            SequenceCheck::Seen => Arrival::Duplicate,
            SequenceCheck::Ahead => {
                let mut backlog = Backlog::default();
                backlog.keep(Arc::clone(message));
                self.phase = Phase::Behind(backlog);
                Arrival::Gap
            }
        }
    }

    /// Merges a page of history. It was read from the backplane after the buffered messages arrived, or while
    /// they did.
    pub fn caught_up(&mut self, page: HistoryPage) -> CaughtUp {
        let Phase::Behind(backlog) = std::mem::replace(&mut self.phase, Phase::Current) else {
            return CaughtUp::default();
        };
        let was_loaded = std::mem::replace(&mut self.loaded, true);
        let mut caught_up = CaughtUp { again: backlog.overflowed, ..CaughtUp::default() };
        let waiting = backlog.waiting;
        self.merge(page, &waiting, &mut caught_up.steps);
        if !was_loaded {
            // No member was promised the messages before the first page.
            caught_up.steps.clear();
        }
        let mut still_waiting = Backlog::default();
        for (message, was_read) in waiting {
            match self.check(message.position) {
                SequenceCheck::Next => {
                    self.keep(Arc::clone(&message));
                    caught_up.steps.push(Step::Message(message));
                }
                SequenceCheck::Seen => {}
                // A message that arrived before the backplane was read would be in the page.
                SequenceCheck::Ahead if was_read => caught_up.invalid += 1,
                SequenceCheck::Ahead => still_waiting.waiting.push((message, true)),
            }
        }
        caught_up.again |= !still_waiting.waiting.is_empty();
        if caught_up.again {
            still_waiting.bytes = still_waiting.waiting.iter().map(|(message, _)| message.bytes()).sum();
            self.phase = Phase::Behind(still_waiting);
        }
        bound(&mut caught_up.steps);
        caught_up
    }

    /// Merges the page with the buffered messages of the same epoch.
    fn merge(&mut self, page: HistoryPage, waiting: &[(Arc<StoredMessage>, bool)], steps: &mut Vec<Step>) {
        let Some(last) = page.last else {
            if let Some(before) = self.last {
                self.reset();
                steps.push(Step::Gap(Some(before)));
            }
            return;
        };
        let before = self.last;
        let mut expected = match before {
            Some(before) if before.epoch == last.epoch => Some(before.next()),
            None => Some(Position { epoch: last.epoch, number: 1 }),
            Some(_) => None,
        };
        let mut found = BTreeMap::new();
        let of_epoch = |position: Position| {
            position.epoch == last.epoch
                && position.number <= last.number
                && expected.is_none_or(|expected| position.number >= expected.number)
        };
        let (now, earlier): (Vec<_>, Vec<_>) =
            page.messages.into_iter().partition(|message| of_epoch(message.position));
        let waits_for =
            waiting.iter().map(|(message, _)| message).filter(|message| of_epoch(message.position)).cloned();
        for message in waits_for.chain(now) {
            found.insert(message.position.number, message);
        }
        if expected.is_none() {
            self.reset();
            steps.push(Step::Gap(before));
        }
        if before.is_none() || expected.is_none() {
            // Messages of an earlier epoch that are still stored are kept for members that join.
            for message in earlier.into_iter().filter(|message| message.position.epoch != last.epoch) {
                self.keep(message);
            }
        }
        for message in found.into_values() {
            if expected.is_some_and(|expected| expected != message.position) {
                self.push_gap(steps, before);
            }
            expected = Some(message.position.next());
            self.keep(Arc::clone(&message));
            steps.push(Step::Message(message));
        }
        if self.last != Some(last)
            && last.number > 0
            && expected.is_none_or(|next| next.number <= last.number)
        {
            // The last messages were sent, and are no longer stored.
            if !matches!(steps.last(), Some(Step::Gap(_))) {
                self.push_gap(steps, before);
            }
            self.recent.clear();
            self.bytes = 0;
        }
        self.last = Some(last);
    }

    /// Adds a gap: messages are missing from here on.
    fn push_gap(&mut self, steps: &mut Vec<Step>, before: Option<Position>) {
        let after = match steps.last() {
            Some(Step::Message(message)) => Some(message.position),
            _ => before,
        };
        self.recent.clear();
        self.bytes = 0;
        steps.push(Step::Gap(after));
    }

    fn reset(&mut self) {
        self.recent.clear();
        self.bytes = 0;
        self.last = None;
    }

    fn check(&self, position: Position) -> SequenceCheck {
        match self.last {
            None if position.number == 1 => SequenceCheck::Next,
            Some(last) if last.epoch == position.epoch && position.number <= last.number => {
                SequenceCheck::Seen
            }
            Some(last) if last.next() == position => SequenceCheck::Next,
            _ => SequenceCheck::Ahead,
        }
    }

    fn keep(&mut self, message: Arc<StoredMessage>) {
        self.last = Some(message.position);
        self.bytes += message.bytes();
        self.recent.push_back(message);
        while self.recent.len() > self.most || self.bytes > MOST_BYTES {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }

    /// The last messages, at most `most`.
    pub fn latest(&self, most: usize) -> Vec<Arc<StoredMessage>> {
        self.recent.iter().skip(self.recent.len().saturating_sub(most)).cloned().collect()
    }

    /// The messages after `since`, and true if some of these are missing.
    pub fn after(&self, since: Position) -> (Vec<Arc<StoredMessage>>, bool) {
        match self.last {
            Some(last) if last == since => (Vec::new(), false),
            Some(last) if last.epoch == since.epoch && since.number < last.number => {
                let after = |message: &&Arc<StoredMessage>| {
                    message.position.epoch == since.epoch && message.position.number > since.number
                };
                let messages: Vec<_> = self.recent.iter().filter(after).cloned().collect();
                let whole = messages.first().is_some_and(|first| first.position == since.next());
                (messages, !whole)
            }
            // The position is of another history, of which messages may be lost. If its message is known, the
            // messages after it are returned; otherwise all are.
            _ => {
                let known = self.recent.iter().position(|message| message.position == since);
                (self.recent.iter().skip(known.map_or(0, |index| index + 1)).cloned().collect(), true)
            }
        }
    }

    /// True if a client knows a message that this hub does not know, so that the room has to catch up.
    pub fn is_ahead(&self, since: Position) -> bool {
        self.last.is_none_or(|last| last.epoch != since.epoch || last.number < since.number)
    }
}

/// Drops the earliest messages if not all fit in a client's queue, and puts a gap in their place.
fn bound(steps: &mut Vec<Step>) {
    let mut bytes = 0;
    let fits = steps.iter().rev().take_while(|step| {
        if let Step::Message(message) = step {
            bytes += message.bytes();
        }
        bytes <= MOST_BYTES
    });
    let dropped = steps.len() - fits.count();
    if dropped == 0 {
        return;
    }
    // An earlier gap at the start determines where the new one begins; otherwise the first message does.
    let after = match &steps[0] {
        Step::Gap(after) => *after,
        Step::Message(message) => {
            Some(Position { number: message.position.number.saturating_sub(1), ..message.position })
                .filter(|position| position.number > 0)
        }
    };
    steps.splice(..dropped, [Step::Gap(after)]);
}

#[cfg(test)]
mod tests;
