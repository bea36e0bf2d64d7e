//! Calls of clients' methods that want an answer (client results, in SignalR's words): who here waits for one, and which of
//! this hub's clients owes one. The hub that has the connection says at once that it asked, so that a connection that no hub
//! has is not waited for; then it passes on what the client says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::{timeout, timeout_at};

use crate::canary;
use crate::members::ConnectionKey;
use crate::protocol::methods::{CallError, short};
use crate::protocol::moving::{Hears, Moving};
use crate::protocol::word::{Claim, Fate, Reply};
use crate::sync::lock;
use crate::token::ConnectionId;

/// For the hub that has a connection to say so.
const FIND: Duration = Duration::from_secs(5);

/// The same when a client waits to get on with its connection: without it, it begins another one.
const CLAIM: Duration = Duration::from_secs(1);

/// The most answers that one connection waits for.
const MOST_AWAITED: usize = 16;

/// The most answers that one connection owes.
const MOST_OWED: usize = 64;

/// What is to be done about questions of other hubs. There are as many as questions, whose number is bounded where they are asked.
#[derive(Debug)]
pub enum Errand {
    /// Bring a reply to the hub that asked.
    Reply(Arc<str>, String),
    /// Say what this connection hears, as an answer to this question.
    Show(ConnectionId, String),
    /// Give away this connection, as an answer to this question.
    Give(ConnectionId, String),
}

/// See [`Errand`].
pub type Errands = mpsc::UnboundedReceiver<Errand>;

/// See the module.
#[derive(Debug)]
pub struct Questions {
    instance: String,
    patience: Duration,
    errands: mpsc::UnboundedSender<Errand>,
    last: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the connection that waits, and a number.
    awaited: BTreeMap<(ConnectionKey, u64), Awaited>,
    /// What a connection was asked, and when.
    owed: HashMap<ConnectionKey, Vec<(Box<str>, Instant)>>,
}

#[derive(Debug)]
struct Awaited {
    fates: mpsc::UnboundedSender<Fate>,
    /// The hub that has the connection, and since when.
    at: Option<(Box<str>, Instant)>,
}

/// Something that a client wants to know of another one, until it is dropped.
#[derive(Debug)]
pub struct Question {
    questions: Arc<Questions>,
    place: (ConnectionKey, u64),
    fates: mpsc::UnboundedReceiver<Fate>,
}

impl Questions {
    /// None yet. Clients have so long to answer.
    pub fn new(instance: &str, patience: Duration) -> (Self, Errands) {
        let (errands, to_be_done) = mpsc::unbounded_channel();
        let instance = instance.to_owned();
        (Self { instance, patience, errands, last: AtomicU64::new(0), state: Mutex::default() }, to_be_done)
    }

    /// A client wants to know something.
    ///
    /// # Errors
    /// [`CallError::TooManyQuestions`].
    pub fn ask(self: &Arc<Self>, by: ConnectionKey) -> Result<Question, CallError> {
        let place = (by, self.last.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.lock();
        if state.awaited.range((by, 0)..=(by, u64::MAX)).count() >= MOST_AWAITED {
            return Err(CallError::TooManyQuestions(MOST_AWAITED));
        }
        state.awaited.insert(place, Awaited { fates: sender, at: None });
        drop(state);
        Ok(Question { questions: Arc::clone(self), place, fates: receiver })
    }

    /// A client of this hub is about to be asked; `false`: it must not be, for it owes too much.
    pub fn put(&self, question: &str, to: ConnectionKey) -> bool {
        let mut state = self.lock();
        let owed = state.owed.entry(to).or_default();
        if owed.len() >= MOST_OWED {
            // Nobody waits for those any more.
            owed.retain(|(_, since)| since.elapsed() < self.patience);
        }
        let is_put = owed.len() < MOST_OWED;
        if is_put {
            owed.push((question.into(), Instant::now()));
        }
        drop(state);
        self.reply(question, if is_put { Fate::Asked } else { Fate::Busy });
        is_put
    }

    /// A client answers; `false`: nobody asked it that.
    pub fn answer(&self, from: ConnectionKey, question: &str, outcome: Result<Option<&str>, &str>) -> bool {
        let mut state = self.lock();
        let Some(owed) = state.owed.get_mut(&from) else { return false };
        let Some(place) = owed.iter().position(|(owed, _)| **owed == *question) else { return false };
        owed.swap_remove(place);
        if owed.is_empty() {
            state.owed.remove(&from);
        }
        drop(state);
        let value = |json: Option<&str>| RawValue::from_string(json.unwrap_or("null").to_owned());
        let fate = match outcome {
            Ok(json) => value(json).map_or_else(|error| Fate::Failed(error.to_string()), Fate::Gave),
            Err(error) => Fate::Failed(error.to_owned()),
        };
        self.reply(question, fate);
        true
    }

    /// A client of this hub is gone.
    pub fn left(&self, key: ConnectionKey) {
        let owed = self.lock().owed.remove(&key);
        for (question, _) in owed.into_iter().flatten() {
            self.reply(&question, Fate::Left);
        }
    }

    /// What a client, here or elsewhere, says to a question. Nobody may wait for it any more.
    pub fn hear(&self, reply: Reply<'_>) {
        if let Some(place) = self.own(&reply.of)
            && let Some(awaited) = self.lock().awaited.get_mut(&place)
        {
            if let Fate::Asked = reply.fate {
                awaited.at = reply.by.map(|hub| ((*hub).into(), Instant::now()));
            }
            let _ = awaited.fates.send(reply.fate);
        }
    }

    /// A hub is gone, with its clients.
    pub fn hub_gone(&self, instance: &str) {
        self.give_up(|hub, _| hub == instance);
    }

    /// Only these hubs are there. Of one that is new nothing may have been heard yet but that it asked.
    pub fn all_gone_but(&self, instances: &HashSet<String>, now: Instant) {
        self.give_up(|hub, since| {
            now.saturating_duration_since(since) > canary::STALE && !instances.contains(hub)
        });
    }

    fn give_up(&self, is_gone: impl Fn(&str, Instant) -> bool) {
        for awaited in self.lock().awaited.values() {
            if awaited.at.as_ref().is_some_and(|(hub, since)| is_gone(hub, *since)) {
                let _ = awaited.fates.send(Fate::Gone);
            }
        }
    }

    /// A hub asks for a connection.
    pub fn claim(&self, claim: Claim<'_>) {
        // Who asks has looked at home.
        if self.own(&claim.question).is_none()
            && let Some(id) = ConnectionId::read(&claim.claim)
        {
            let errand = if claim.cut { Errand::Give } else { Errand::Show };
            let _ = self.errands.send(errand(id, claim.question.into_owned()));
        }
    }

    /// What a client of this hub was asked and has not answered. Who asked is not told that it left, and is not to give up when
    /// this hub ends.
    pub fn take_owed(&self, key: ConnectionKey) -> Vec<String> {
        let owed = self.lock().owed.remove(&key);
        let owed: Vec<String> = owed.into_iter().flatten().map(|(question, _)| question.into()).collect();
        for question in &owed {
            self.send(Reply { of: question.into(), by: None, fate: Fate::Asked });
        }
        owed
    }

    /// What a client that has come from another hub was asked there.
    pub fn set_owed(&self, key: ConnectionKey, questions: Vec<String>) {
        for question in &questions {
            self.reply(question, Fate::Asked);
        }
        let owed = questions.into_iter().map(|question| (question.into(), Instant::now()));
        if owed.len() > 0 {
            // It may have been asked something here already.
            self.lock().owed.entry(key).or_default().extend(owed);
        }
    }

    /// Says to whoever asked what became of it.
    pub fn reply(&self, question: &str, fate: Fate) {
        let by = matches!(fate, Fate::Asked).then(|| self.instance.as_str().into());
        self.send(Reply { of: question.into(), by, fate });
    }

    fn send(&self, reply: Reply<'_>) {
        if self.own(&reply.of).is_some() {
            self.hear(reply);
        } else if let Some((instance, _)) = reply.of.split_once('-') {
            // Without a receiver the hub ends.
            let _ = self.errands.send(Errand::Reply(instance.into(), reply.json()));
        }
    }

    /// Who of this hub's clients asked.
    pub fn asker(&self, question: &str) -> Option<ConnectionKey> {
        self.own(question).map(|(key, _)| key)
    }

    /// A question of this hub's clients.
    fn own(&self, question: &str) -> Option<(ConnectionKey, u64)> {
        let (key, number) = question.strip_prefix(&*self.instance)?.strip_prefix('-')?.split_once('-')?;
        Some((key.parse().ok()?, number.parse().ok()?))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Question {
    /// What all hubs know it by.
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.questions.instance, self.place.0, self.place.1)
    }

    /// Waits for what the connection answers, which has to be JSON through and through.
    ///
    /// # Errors
    /// What it failed with, or why there is no answer.
    pub async fn answered(mut self, connection: &str) -> Result<Box<RawValue>, CallError> {
        let mut until = None;
        loop {
            let fate = match until {
                None => {
                    let found = timeout(FIND, self.fates.recv()).await;
                    found.map_err(|_| CallError::NoConnection(short(connection)))?
                }
                Some(until) => {
                    let answered = timeout_at(until, self.fates.recv()).await;
                    answered.map_err(|_| CallError::NoAnswer(self.questions.patience.as_secs()))?
                }
            };
            return match fate {
                Some(Fate::Asked) => {
                    until.get_or_insert_with(|| tokio::time::Instant::now() + self.questions.patience);
                    continue;
                }
                // Its text may hold what is none, such as half of a surrogate pair.
                Some(Fate::Gave(value)) => match serde_json::from_str::<serde_json::Value>(value.get()) {
                    Ok(_) => Ok(value),
                    Err(_) => Err(CallError::NoValue),
                },
                Some(Fate::Failed(error)) => Err(CallError::Theirs(error)),
                Some(Fate::Busy) => Err(CallError::Busy),
                Some(Fate::Gone) => Err(CallError::HubGone),
                Some(Fate::Left | Fate::Found(_) | Fate::Moved(_)) | None => Err(CallError::Left),
            };
        }
    }

    /// Waits for what a connection hears that was claimed; `None`: no hub has it.
    pub async fn found(&mut self) -> Option<Hears> {
        let mut fate = timeout(CLAIM, self.fates.recv()).await.ok()?;
        if let Some(Fate::Asked) = fate {
            fate = timeout(FIND, self.fates.recv()).await.ok()?;
        }
        if let Some(Fate::Found(hears)) = fate { Some(*hears) } else { None }
    }

    /// Waits for a connection that was found; `None`: it has ended.
    pub async fn moved(mut self) -> Option<Moving> {
        let fate = timeout(FIND, self.fates.recv()).await.ok()?;
        if let Some(Fate::Moved(moving)) = fate { Some(*moving) } else { None }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.questions.lock().awaited.remove(&self.place);
    }
}

#[cfg(test)]
mod tests;
