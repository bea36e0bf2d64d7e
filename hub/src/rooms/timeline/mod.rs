//! The messages of one room, as this pod knows them: what came last, the last few, and what to do about a new one.
//!
//! Pure: what to read from the backplane and whom to tell is others' concern.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::protocol::position::Position;
use crate::protocol::stored_message::StoredMessage;

/// The most bytes of messages that are kept of a room, or given to a client at once: more would fill the queue of
/// that client.
const MOST_BYTES: usize = 512 * 1024;

/// The most messages that wait while a room catches up. Those that are too many are read from the backplane again.
const MOST_WAITING: usize = 1024;

/// The part of a room's history that was read from the backplane.
#[derive(Debug, Default)]
pub struct HistoryPage {
    /// The last message's, even if it is no longer there. `None`: nothing was ever said.
    pub last: Option<Position>,
    /// What came after the position that was asked for, or all that is kept if the history began anew since.
    pub messages: Vec<Arc<StoredMessage>>,
}

/// The meaning of a message that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one.
    Next,
    /// The message arrived before.
    Duplicate,
    /// The message is buffered until the room has caught up.
    Buffered,
    /// Something before it is missing: the room has to catch up, and then it is looked at again.
    Gap,
}

/// What to tell the members, in order.
#[derive(Debug, Clone)]
pub enum Step {
    /// Messages after this one are lost. `None`: from the start.
    Gap(Option<Position>),
    /// The next message.
    Message(Arc<StoredMessage>),
}

/// What came of catching up.
#[derive(Debug, Default)]
pub struct CaughtUp {
    /// What to tell the members.
    pub steps: Vec<Step>,
    /// Not everything fitted together: read again.
    pub again: bool,
    /// What claimed to be messages and was none of this history.
    pub invalid: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Timeline {
    most: usize,
    last: Option<Position>,
    recent: VecDeque<Arc<StoredMessage>>,
    bytes: usize,
    phase: Phase,
    loaded: bool,
}

#[derive(Debug)]
enum Phase {
    /// The next message is the next number.
    Current,
    /// Messages wait until the backplane was read.
    Behind(Backlog),
}

#[derive(Debug, Default)]
struct Backlog {
    /// With each, whether the backplane was read since it came.
    waiting: Vec<(Arc<StoredMessage>, bool)>,
    bytes: usize,
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
    /// Of a room of which nothing is known yet, and of which at most so many messages are kept.
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

    /// The last message's.
    pub fn last(&self) -> Option<Position> {
        self.last
    }

    /// Whether it was ever read from the backplane.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Whether it waits for the backplane.
    pub fn is_behind(&self) -> bool {
        matches!(self.phase, Phase::Behind(_))
    }

    /// From now on messages wait: some may have been missed.
    pub fn fall_behind(&mut self) {
        if !self.is_behind() {
            self.phase = Phase::Behind(Backlog::default());
        }
    }

    /// A message came. If it is the next one it is kept.
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

    /// The backplane was read, after all that waits had come or while it came.
    pub fn caught_up(&mut self, page: HistoryPage) -> CaughtUp {
        let Phase::Behind(backlog) = std::mem::replace(&mut self.phase, Phase::Current) else {
            return CaughtUp::default();
        };
        let was_loaded = std::mem::replace(&mut self.loaded, true);
        let mut caught_up = CaughtUp { again: backlog.overflowed, ..CaughtUp::default() };
        let waiting = backlog.waiting;
        self.merge(page, &waiting, &mut caught_up.steps);
        if !was_loaded {
            // Nobody was promised anything before.
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
                // What came before the backplane was read has to be in what it gave.
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

    /// Takes what the backplane gave, and what waits of the same history.
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
            // Of an earlier epoch, and still there: for those who join.
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
            // It was said, and is no longer there.
            if !matches!(steps.last(), Some(Step::Gap(_))) {
                self.push_gap(steps, before);
            }
            self.recent.clear();
            self.bytes = 0;
        }
        self.last = Some(last);
    }

    /// Some messages from here on are missing.
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

    /// The last messages, at most so many.
    pub fn latest(&self, most: usize) -> Vec<Arc<StoredMessage>> {
        self.recent.iter().skip(self.recent.len().saturating_sub(most)).cloned().collect()
    }

    /// What came after `since`, and whether some of that is missing.
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
            // Of another history, of which some may have been lost; what follows it, if it is known.
            _ => {
                let known = self.recent.iter().position(|message| message.position == since);
                (self.recent.iter().skip(known.map_or(0, |index| index + 1)).cloned().collect(), true)
            }
        }
    }

    /// Whether a client has heard of a message that this pod has not: the room has to catch up.
    pub fn is_ahead(&self, since: Position) -> bool {
        self.last.is_none_or(|last| last.epoch != since.epoch || last.number < since.number)
    }
}

/// Drops the earliest messages if they would not fit in a client's queue.
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
    // What it follows is known when a gap comes first; otherwise the first message says it.
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
