//! The messages of one room, as this pod knows them: what came last, the last few, and what to do about a new one.
//!
//! Pure: what to read from the backplane and whom to tell is others' concern.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::protocol::position::Position;
use crate::protocol::said::Said;

/// The most bytes of messages that are kept of a room, or given to a client at once: more would fill the queue of
/// that client.
const MOST_BYTES: usize = 512 * 1024;

/// The most messages that wait while a room catches up. Those that are too many are read from the backplane again.
const MOST_WAITING: usize = 1024;

/// What the backplane has of a room.
#[derive(Debug, Default)]
pub struct Reading {
    /// The last message's, even if it is no longer there. `None`: nothing was ever said.
    pub last: Option<Position>,
    /// What came after the position that was asked for, or all that is kept if the history began anew since.
    pub messages: Vec<Arc<Said>>,
}

/// What a message that came means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is the next one.
    Next,
    /// It came before.
    Doubled,
    /// It waits until the room has caught up.
    Waits,
    /// Something before it is missing: the room has to catch up, and then it is looked at again.
    FellBehind,
}

/// What to tell the members, in order.
#[derive(Debug, Clone)]
pub enum Step {
    /// Messages after this one are lost. `None`: from the start.
    Gap(Option<Position>),
    /// The next message.
    Say(Arc<Said>),
}

/// What came of catching up.
#[derive(Debug, Default)]
pub struct CaughtUp {
    /// What to tell the members.
    pub steps: Vec<Step>,
    /// Not everything fitted together: read again.
    pub again: bool,
    /// What claimed to be messages and was none of this history.
    pub strange: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Timeline {
    most: usize,
    last: Option<Position>,
    ring: VecDeque<Arc<Said>>,
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
    waiting: Vec<(Arc<Said>, bool)>,
    bytes: usize,
    overflowed: bool,
}

impl Backlog {
    fn keep(&mut self, said: Arc<Said>) {
        self.bytes += said.bytes();
        if self.waiting.len() == MOST_WAITING || self.bytes > MOST_BYTES {
            *self = Self { overflowed: true, ..Self::default() };
        } else if !self.overflowed {
            self.waiting.push((said, false));
        }
    }
}

/// How a message relates to the last one.
enum Fit {
    Next,
    Old,
    Beyond,
}

impl Timeline {
    /// Of a room of which nothing is known yet, and of which at most so many messages are kept.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            last: None,
            ring: VecDeque::new(),
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
    pub fn hear(&mut self, said: &Arc<Said>) -> Heard {
        if let Phase::Behind(backlog) = &mut self.phase {
            backlog.keep(Arc::clone(said));
            return Heard::Waits;
        }
        match self.fit(said.position) {
            Fit::Next => {
                self.keep(Arc::clone(said));
                Heard::Next
            }
            Fit::Old => Heard::Doubled,
            Fit::Beyond => {
                let mut backlog = Backlog::default();
                backlog.keep(Arc::clone(said));
                self.phase = Phase::Behind(backlog);
                Heard::FellBehind
            }
        }
    }

    /// The backplane was read, after all that waits had come or while it came.
    pub fn caught_up(&mut self, reading: Reading) -> CaughtUp {
        let Phase::Behind(backlog) = std::mem::replace(&mut self.phase, Phase::Current) else {
            return CaughtUp::default();
        };
        let was_loaded = std::mem::replace(&mut self.loaded, true);
        let mut caught_up = CaughtUp { again: backlog.overflowed, ..CaughtUp::default() };
        let waiting = backlog.waiting;
        self.merge(reading, &waiting, &mut caught_up.steps);
        if !was_loaded {
            // Nobody was promised anything before.
            caught_up.steps.clear();
        }
        let mut still_waiting = Backlog::default();
        for (said, was_read) in waiting {
            match self.fit(said.position) {
                Fit::Next => {
                    self.keep(Arc::clone(&said));
                    caught_up.steps.push(Step::Say(said));
                }
                Fit::Old => {}
                // What came before the backplane was read has to be in what it gave.
                Fit::Beyond if was_read => caught_up.strange += 1,
                Fit::Beyond => still_waiting.waiting.push((said, true)),
            }
        }
        caught_up.again |= !still_waiting.waiting.is_empty();
        if caught_up.again {
            still_waiting.bytes = still_waiting.waiting.iter().map(|(said, _)| said.bytes()).sum();
            self.phase = Phase::Behind(still_waiting);
        }
        bound(&mut caught_up.steps);
        caught_up
    }

    /// Takes what the backplane gave, and what waits of the same history.
    fn merge(&mut self, reading: Reading, waiting: &[(Arc<Said>, bool)], steps: &mut Vec<Step>) {
        let Some(last) = reading.last else {
            if let Some(before) = self.last {
                self.begin_anew();
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
            reading.messages.into_iter().partition(|said| of_epoch(said.position));
        let waits_for = waiting.iter().map(|(said, _)| said).filter(|said| of_epoch(said.position)).cloned();
        for said in waits_for.chain(now) {
            found.insert(said.position.number, said);
        }
        if expected.is_none() {
            self.begin_anew();
            steps.push(Step::Gap(before));
        }
        if before.is_none() || expected.is_none() {
            // Of an earlier epoch, and still there: for those who join.
            for said in earlier.into_iter().filter(|said| said.position.epoch != last.epoch) {
                self.keep(said);
            }
        }
        for said in found.into_values() {
            if expected.is_some_and(|expected| expected != said.position) {
                self.lose(steps, before);
            }
            expected = Some(said.position.next());
            self.keep(Arc::clone(&said));
            steps.push(Step::Say(said));
        }
        if self.last != Some(last)
            && last.number > 0
            && expected.is_none_or(|next| next.number <= last.number)
        {
            // It was said, and is no longer there.
            if !matches!(steps.last(), Some(Step::Gap(_))) {
                self.lose(steps, before);
            }
            self.ring.clear();
            self.bytes = 0;
        }
        self.last = Some(last);
    }

    /// Some messages from here on are missing.
    fn lose(&mut self, steps: &mut Vec<Step>, before: Option<Position>) {
        let after = match steps.last() {
            Some(Step::Say(said)) => Some(said.position),
            _ => before,
        };
        self.ring.clear();
        self.bytes = 0;
        steps.push(Step::Gap(after));
    }

    fn begin_anew(&mut self) {
        self.ring.clear();
        self.bytes = 0;
        self.last = None;
    }

    fn fit(&self, position: Position) -> Fit {
        match self.last {
            None if position.number == 1 => Fit::Next,
            Some(last) if last.epoch == position.epoch && position.number <= last.number => Fit::Old,
            Some(last) if last.next() == position => Fit::Next,
            _ => Fit::Beyond,
        }
    }

    fn keep(&mut self, said: Arc<Said>) {
        self.last = Some(said.position);
        self.bytes += said.bytes();
        self.ring.push_back(said);
        while self.ring.len() > self.most || self.bytes > MOST_BYTES {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }

    /// The last messages, at most so many.
    pub fn latest(&self, most: usize) -> Vec<Arc<Said>> {
        self.ring.iter().skip(self.ring.len().saturating_sub(most)).cloned().collect()
    }

    /// What came after `since`, and whether some of that is missing.
    pub fn after(&self, since: Position) -> (Vec<Arc<Said>>, bool) {
        match self.last {
            Some(last) if last == since => (Vec::new(), false),
            Some(last) if last.epoch == since.epoch && since.number < last.number => {
                let after = |said: &&Arc<Said>| {
                    said.position.epoch == since.epoch && said.position.number > since.number
                };
                let messages: Vec<_> = self.ring.iter().filter(after).cloned().collect();
                let whole = messages.first().is_some_and(|first| first.position == since.next());
                (messages, !whole)
            }
            // Of another history, of which some may have been lost; what follows it, if it is known.
            _ => {
                let known = self.ring.iter().position(|said| said.position == since);
                (self.ring.iter().skip(known.map_or(0, |index| index + 1)).cloned().collect(), true)
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
        if let Step::Say(said) = step {
            bytes += said.bytes();
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
        Step::Say(said) => Some(Position { number: said.position.number.saturating_sub(1), ..said.position })
            .filter(|position| position.number > 0),
    };
    steps.splice(..dropped, [Step::Gap(after)]);
}

#[cfg(test)]
mod tests;
