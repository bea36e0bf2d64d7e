//! Invocations of clients' methods that want a result (client results, in SignalR's words): the requests of
//! this hub's clients that wait for a result, and the invocations that this hub's clients have not answered.
//!
//! The hub that has the connection replies as soon as it has delivered the invocation, so that a connection
//! that no hub has is not waited for. Then it forwards the client's result.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::{timeout, timeout_at};

use crate::members::ConnectionKey;
use crate::peers;
use crate::protocol::handover_state::{HandoverState, Subscriptions};
use crate::protocol::methods::{CallError, short};
use crate::protocol::peer_messages::{HandoverClaim, PeerReply, ReplyOutcome};
use crate::sync::lock;
use crate::token::ConnectionId;

/// The time for the hub that has a connection to reply.
const FIND: Duration = Duration::from_secs(5);

/// The same for the first reply to a handover claim: a client waits for it, and begins a new connection if
/// there is none.
const CLAIM: Duration = Duration::from_secs(1);

/// The most results that one connection may wait for.
const MOST_PENDING: usize = 16;

/// The most invocations that one connection may leave unanswered.
const MOST_UNANSWERED: usize = 64;

/// An action that follows from a request of another hub. The number of actions is bounded by that of the
/// requests, which the requesting hubs limit.
#[derive(Debug)]
pub enum PeerAction {
    /// Send a reply to the hub that made the request.
    SendReply(Arc<str>, String),
    /// Reply to this request with the subscriptions of this connection.
    ShowSubscriptions(ConnectionId, String),
    /// Reply to this request with the state of this connection, which continues on the requesting hub.
    HandOver(ConnectionId, String),
}

/// The queue of [`PeerAction`]s.
pub type PeerActions = mpsc::UnboundedReceiver<PeerAction>;

/// Registry of requests that wait for results, and of invocations that this hub's clients have not answered.
#[derive(Debug)]
pub struct ClientResults {
    instance: String,
    result_timeout: Duration,
    actions: mpsc::UnboundedSender<PeerAction>,
    last: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests that wait for a result, by the connection that made them and a number.
    pending: BTreeMap<(ConnectionKey, u64), Pending>,
    /// Ids of invocations that a connection of this hub has not answered, and when each was delivered.
    unanswered: HashMap<ConnectionKey, Vec<(Box<str>, Instant)>>,
}

#[derive(Debug)]
struct Pending {
    outcomes: mpsc::UnboundedSender<ReplyOutcome>,
    /// The hub that has the connection, and the time of its reply.
    served_by: Option<(Box<str>, Instant)>,
}

/// A request that waits for its result until it is dropped: an invocation of a client, or a handover claim.
#[derive(Debug)]
pub struct PendingResult {
    registry: Arc<ClientResults>,
    key: (ConnectionKey, u64),
    outcomes: mpsc::UnboundedReceiver<ReplyOutcome>,
}

impl ClientResults {
    /// A registry without requests. Clients have to answer within `result_timeout`.
    pub fn new(instance: &str, result_timeout: Duration) -> (Self, PeerActions) {
        let (actions, receiver) = mpsc::unbounded_channel();
        let instance = instance.to_owned();
        (
            Self { instance, result_timeout, actions, last: AtomicU64::new(0), state: Mutex::default() },
            receiver,
        )
    }

    /// Registers a request of a client.
    ///
    /// # Errors
    /// [`CallError::TooManyPending`].
    pub fn register(self: &Arc<Self>, by: ConnectionKey) -> Result<PendingResult, CallError> {
        let key = (by, self.last.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.lock();
        if state.pending.range((by, 0)..=(by, u64::MAX)).count() >= MOST_PENDING {
            return Err(CallError::TooManyPending(MOST_PENDING));
        }
        state.pending.insert(key, Pending { outcomes: sender, served_by: None });
        drop(state);
        Ok(PendingResult { registry: Arc::clone(self), key, outcomes: receiver })
    }

    /// Notes that a client of this hub is about to be invoked. Returns false if it must not be, because it
    /// has too many unanswered invocations.
    pub fn assign(&self, request_id: &str, to: ConnectionKey) -> bool {
        let mut state = self.lock();
        let unanswered = state.unanswered.entry(to).or_default();
        if unanswered.len() >= MOST_UNANSWERED {
            // Requests that are older than the timeout are not waited for any more.
            unanswered.retain(|(_, since)| since.elapsed() < self.result_timeout);
        }
        let is_assigned = unanswered.len() < MOST_UNANSWERED;
        if is_assigned {
            unanswered.push((request_id.into(), Instant::now()));
        }
        drop(state);
        self.reply(request_id, if is_assigned { ReplyOutcome::Delivered } else { ReplyOutcome::Busy });
        is_assigned
    }

    /// Handles a client's completion. Returns false if the client has no such unanswered invocation.
    pub fn complete(
        &self,
        from: ConnectionKey,
        request_id: &str,
        result: Result<Option<&str>, &str>,
    ) -> bool {
        let mut state = self.lock();
        let Some(unanswered) = state.unanswered.get_mut(&from) else { return false };
        let Some(place) = unanswered.iter().position(|(unanswered, _)| **unanswered == *request_id) else {
            return false;
        };
        unanswered.swap_remove(place);
        if unanswered.is_empty() {
            state.unanswered.remove(&from);
        }
        drop(state);
        let value = |json: Option<&str>| RawValue::from_string(json.unwrap_or("null").to_owned());
        let outcome = match result {
            Ok(json) => {
                value(json).map_or_else(|error| ReplyOutcome::Error(error.to_string()), ReplyOutcome::Result)
            }
            Err(error) => ReplyOutcome::Error(error.to_owned()),
        };
        self.reply(request_id, outcome);
        true
    }

    /// Notes that a client of this hub has left: its unanswered invocations fail.
    pub fn disconnected(&self, key: ConnectionKey) {
        let unanswered = self.lock().unanswered.remove(&key);
        for (request_id, _) in unanswered.into_iter().flatten() {
            self.reply(&request_id, ReplyOutcome::Disconnected);
        }
    }

    /// Passes a reply on to the request that waits for it, if it still does.
    pub fn resolve(&self, reply: PeerReply<'_>) {
        if let Some(key) = self.read_own(&reply.request_id)
            && let Some(pending) = self.lock().pending.get_mut(&key)
        {
            if let ReplyOutcome::Delivered = reply.outcome {
                pending.served_by = reply.instance.map(|hub| ((*hub).into(), Instant::now()));
            }
            let _ = pending.outcomes.send(reply.outcome);
        }
    }

    /// Notes that a hub is gone: requests to its clients fail.
    pub fn hub_gone(&self, instance: &str) {
        self.give_up(|hub, _| hub == instance);
    }

    /// Notes that only these hubs exist: requests to clients of other hubs fail. A hub that is new may have
    /// replied before its first heartbeat, so recent replies are not affected.
    pub fn retain_hubs(&self, instances: &HashSet<String>, now: Instant) {
        self.give_up(|hub, since| {
            now.saturating_duration_since(since) > peers::STALE && !instances.contains(hub)
        });
    }

    fn give_up(&self, is_gone: impl Fn(&str, Instant) -> bool) {
        for pending in self.lock().pending.values() {
            if pending.served_by.as_ref().is_some_and(|(hub, since)| is_gone(hub, *since)) {
                let _ = pending.outcomes.send(ReplyOutcome::HubGone);
            }
        }
    }

    /// Queues the action for another hub's claim to a connection.
    pub fn take_claim(&self, claim: HandoverClaim<'_>) {
        // A hub that claims a connection has looked for it in its own registry already.
        if self.read_own(&claim.request_id).is_none()
            && let Some(id) = ConnectionId::read(&claim.connection)
        {
            let action = if claim.cut { PeerAction::HandOver } else { PeerAction::ShowSubscriptions };
            let _ = self.actions.send(action(id, claim.request_id.into_owned()));
        }
    }

    /// Removes and returns the unanswered invocations of a client that is being handed over. Their requesters
    /// do not learn that the client left, and do not give up when this hub ends.
    pub fn take_unanswered(&self, key: ConnectionKey) -> Vec<String> {
        let unanswered = self.lock().unanswered.remove(&key);
        let unanswered: Vec<String> =
            unanswered.into_iter().flatten().map(|(request_id, _)| request_id.into()).collect();
        for request_id in &unanswered {
            self.send(PeerReply {
                request_id: request_id.into(),
                instance: None,
                outcome: ReplyOutcome::Delivered,
            });
        }
        unanswered
    }

    /// Adds the unanswered invocations of a client that another hub has handed over.
    pub fn restore_unanswered(&self, key: ConnectionKey, request_ids: Vec<String>) {
        for request_id in &request_ids {
            self.reply(request_id, ReplyOutcome::Delivered);
        }
        let unanswered = request_ids.into_iter().map(|request_id| (request_id.into(), Instant::now()));
        if unanswered.len() > 0 {
            // The client may have been invoked on this hub already.
            self.lock().unanswered.entry(key).or_default().extend(unanswered);
        }
    }

    /// Sends the outcome of a request to the hub that made it.
    pub fn reply(&self, request_id: &str, outcome: ReplyOutcome) {
        let instance = matches!(outcome, ReplyOutcome::Delivered).then(|| self.instance.as_str().into());
        self.send(PeerReply { request_id: request_id.into(), instance, outcome });
    }

    fn send(&self, reply: PeerReply<'_>) {
        if self.read_own(&reply.request_id).is_some() {
            self.resolve(reply);
        } else if let Some((instance, _)) = reply.request_id.split_once('-') {
            // Without a receiver, the hub is ending.
            let _ = self.actions.send(PeerAction::SendReply(instance.into(), reply.json()));
        }
    }

    /// The connection of this hub that made a request.
    pub fn requester(&self, request_id: &str) -> Option<ConnectionKey> {
        self.read_own(request_id).map(|(key, _)| key)
    }

    /// Reads the id of a request that this hub's clients made; `None` if another hub made it.
    fn read_own(&self, request_id: &str) -> Option<(ConnectionKey, u64)> {
        let (key, number) = request_id.strip_prefix(&*self.instance)?.strip_prefix('-')?.split_once('-')?;
        Some((key.parse().ok()?, number.parse().ok()?))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl PendingResult {
    /// The id of the request, unique among all hubs.
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.registry.instance, self.key.0, self.key.1)
    }

    /// Waits for the result of the connection's client, every part of which has to be valid JSON.
    ///
    /// # Errors
    /// The error of the client, or the reason why there is no result.
    pub async fn result(mut self, connection: &str) -> Result<Box<RawValue>, CallError> {
        let mut until = None;
        loop {
            let outcome = match until {
                None => {
                    let found = timeout(FIND, self.outcomes.recv()).await;
                    found.map_err(|_| CallError::NoConnection(short(connection)))?
                }
                Some(until) => {
                    let answered = timeout_at(until, self.outcomes.recv()).await;
                    answered.map_err(|_| CallError::NoAnswer(self.registry.result_timeout.as_secs()))?
                }
            };
            return match outcome {
                Some(ReplyOutcome::Delivered) => {
                    until.get_or_insert_with(|| tokio::time::Instant::now() + self.registry.result_timeout);
                    continue;
                }
                // The raw text may contain invalid strings, such as half of a surrogate pair.
                Some(ReplyOutcome::Result(value)) => {
                    match serde_json::from_str::<serde_json::Value>(value.get()) {
                        Ok(_) => Ok(value),
                        Err(_) => Err(CallError::InvalidResult),
                    }
                }
                Some(ReplyOutcome::Error(error)) => Err(CallError::ClientError(error)),
                Some(ReplyOutcome::Busy) => Err(CallError::Busy),
                Some(ReplyOutcome::HubGone) => Err(CallError::HubGone),
                Some(
                    ReplyOutcome::Disconnected | ReplyOutcome::Subscriptions(_) | ReplyOutcome::State(_),
                )
                | None => Err(CallError::Left),
            };
        }
    }

    /// Waits for the subscriptions of a claimed connection; `None`: no hub has it.
    pub async fn subscriptions(&mut self) -> Option<Subscriptions> {
        let mut outcome = timeout(CLAIM, self.outcomes.recv()).await.ok()?;
        if let Some(ReplyOutcome::Delivered) = outcome {
            outcome = timeout(FIND, self.outcomes.recv()).await.ok()?;
        }
        if let Some(ReplyOutcome::Subscriptions(subscriptions)) = outcome {
            Some(*subscriptions)
        } else {
            None
        }
    }

    /// Waits for the state of a connection that was found; `None`: it has ended.
    pub async fn state(mut self) -> Option<HandoverState> {
        let outcome = timeout(FIND, self.outcomes.recv()).await.ok()?;
        if let Some(ReplyOutcome::State(state)) = outcome { Some(*state) } else { None }
    }
}

impl Drop for PendingResult {
    fn drop(&mut self) {
        self.registry.lock().pending.remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
