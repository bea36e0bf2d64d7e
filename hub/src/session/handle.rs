//! One session, as the requests see it that serve it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::stateful::Stateful;
use crate::outbox::Outbox;
use crate::protocol::handover_state::{HandoverState, Subscriptions};

/// How many requests or frames may wait for their turn.
const MOST_WAITING: usize = 16;

/// What a session is like, from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Server-Sent Events: text only.
    ServerSentEvents,
    /// Long polling.
    LongPolling,
    /// One WebSocket after another.
    Stateful,
}

/// What a client does, in its order.
#[derive(Debug)]
pub(crate) enum Input {
    /// It said this.
    Received(Bytes),
    /// It goes on over another WebSocket: what the last one left unfinished stays so, and comes again.
    Reconnected,
    /// It is to go on at another hub, which asks what it hears.
    ShowSubscriptions(oneshot::Sender<Subscriptions>),
    /// It goes on at another hub.
    HandOver(oneshot::Sender<HandoverState>),
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    /// What the client is told.
    pub outbox: Arc<Outbox>,
    /// What it is like.
    pub kind: Kind,
    /// Of a stateful one.
    pub stateful: Option<Arc<Stateful>>,
    input: mpsc::Sender<Input>,
    /// Counts those that served it; only the last one does.
    lease_count: AtomicU64,
    superseded: Notify,
    /// It is to go on at another hub.
    is_leaving: AtomicBool,
    lease: tokio::sync::Mutex<()>,
    /// The client knows how it ended.
    pub close_sent: CancellationToken,
}

impl Session {
    /// A session that nobody serves yet, and what its client does.
    pub(crate) fn new(
        kind: Kind,
        outbox: Arc<Outbox>,
        stateful: Option<Arc<Stateful>>,
    ) -> (Self, mpsc::Receiver<Input>) {
        let (input, arriving) = mpsc::channel(MOST_WAITING);
        let session = Self {
            outbox,
            kind,
            stateful,
            input,
            lease_count: AtomicU64::new(0),
            superseded: Notify::new(),
            is_leaving: AtomicBool::new(false),
            lease: tokio::sync::Mutex::new(()),
            close_sent: CancellationToken::new(),
        };
        (session, arriving)
    }

    /// Hands on what the client sent; waits while it is busy with what came before. `false`: it has ended.
    pub async fn receive(&self, bytes: Bytes) -> bool {
        self.pass(Input::Received(bytes)).await
    }

    /// What is heard from now on comes over another WebSocket. `false`: it has ended.
    pub async fn reconnected(&self) -> bool {
        self.pass(Input::Reconnected).await
    }

    /// What another hub has to hear for it, to go on; `None`: it has ended.
    pub async fn subscriptions(&self) -> Option<Subscriptions> {
        let (report, reported) = oneshot::channel();
        if self.pass(Input::ShowSubscriptions(report)).await { reported.await.ok() } else { None }
    }

    /// Ends it here, and gives all that another hub needs to go on; `None`: it has ended otherwise.
    pub async fn hand_over(&self) -> Option<HandoverState> {
        let stateful = self.stateful.as_ref()?;
        // From now on nobody tells the client anything.
        let _lease = self.acquire().await;
        let (report, departed) = oneshot::channel();
        if !self.pass(Input::HandOver(report)).await {
            return None;
        }
        let mut state = departed.await.ok()?;
        let mut batch = Vec::new();
        loop {
            let reason = self.outbox.take(&mut batch).await;
            stateful.sent(&batch);
            batch.clear();
            if reason.is_some() {
                break;
            }
        }
        let (first, records) = stateful.unacknowledged();
        state.set_unacknowledged(first, &records);
        Some(state)
    }

    /// Closes the WebSocket, but not the connection: the client opens another one at once, and that is to come in at another hub.
    pub async fn drop_socket(&self) {
        self.is_leaving.store(true, Ordering::SeqCst);
        drop(self.acquire().await);
    }

    /// Whether [`Session::drop_socket`] was called, perhaps before a WebSocket was there that was on its way.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::SeqCst)
    }

    async fn pass(&self, input: Input) -> bool {
        self.outbox.activity.received_now();
        tokio::select! {
            sent = self.input.send(input) => sent.is_ok(),
            () = self.outbox.ended() => false,
        }
    }

    /// From now on the caller serves the client, and whoever did so is relieved.
    pub async fn acquire(&self) -> ServingLease<'_> {
        let number = self.lease_count.fetch_add(1, Ordering::SeqCst) + 1;
        self.superseded.notify_waiters();
        let guard = self.lease.lock().await;
        ServingLease { session: self, number, _guard: guard }
    }
}

/// The right to serve the client: to send what is queued for it.
#[derive(Debug)]
pub struct ServingLease<'a> {
    session: &'a Session,
    number: u64,
    _guard: tokio::sync::MutexGuard<'a, ()>,
}

impl ServingLease<'_> {
    /// Waits until someone else wants to serve the client.
    pub async fn superseded(&self) {
        loop {
            let notified = self.session.superseded.notified();
            if self.session.lease_count.load(Ordering::SeqCst) != self.number {
                return;
            }
            notified.await;
        }
    }
}
