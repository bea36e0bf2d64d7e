//! One session, as the requests see it that serve it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::stateful::Stateful;
use crate::outbox::Outbox;
use crate::protocol::handover_state::{HandoverState, Subscriptions};

/// The number of requests or frames that may wait to be handled.
const MOST_WAITING: usize = 16;

/// The transport of a session, which does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Server-Sent Events: text only.
    ServerSentEvents,
    /// Long polling.
    LongPolling,
    /// One WebSocket after another.
    Stateful,
}

/// An input of a session's task. Inputs are handled in order.
#[derive(Debug)]
pub(crate) enum Input {
    /// Data from the client.
    Received(Bytes),
    /// The client continues over another WebSocket. A record that the last one left incomplete is dropped;
    /// the client sends it again.
    Reconnected,
    /// Another hub asks for the subscriptions, to take the connection over.
    ShowSubscriptions(oneshot::Sender<Subscriptions>),
    /// The connection continues on another hub, which needs its state.
    HandOver(oneshot::Sender<HandoverState>),
}

/// A connection that outlives a request.
#[derive(Debug)]
pub struct Session {
    /// The queue of records for the client.
    pub outbox: Arc<Outbox>,
    /// The transport.
    pub kind: Kind,
    /// The state of stateful reconnect, if the client uses it.
    pub stateful: Option<Arc<Stateful>>,
    input: mpsc::Sender<Input>,
    /// The number of leases so far. Only the holder of the last one serves the client.
    lease_count: AtomicU64,
    superseded: Notify,
    /// True if the connection is to continue on another hub.
    is_leaving: AtomicBool,
    lease: tokio::sync::Mutex<()>,
    /// Cancelled once the client has been sent the close reason.
    pub close_sent: CancellationToken,
    /// Cancelled once the client has left its rooms and groups, and no request finds the session any more.
    pub is_over: CancellationToken,
}

impl Session {
    /// A session that no request serves yet, and the receiver of its inputs.
    pub(crate) fn new(
        kind: Kind,
        outbox: Arc<Outbox>,
        stateful: Option<Arc<Stateful>>,
    ) -> (Self, mpsc::Receiver<Input>) {
        let (input, receiver) = mpsc::channel(MOST_WAITING);
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
            is_over: CancellationToken::new(),
        };
        (session, receiver)
    }

    /// Passes on data from the client, and waits while the session's task is busy with earlier inputs.
    /// Returns false if the session has ended.
    pub async fn receive(&self, bytes: Bytes) -> bool {
        self.pass(Input::Received(bytes)).await
    }

    /// Notes that data from now on comes over another WebSocket. Returns false if the session has ended.
    pub async fn reconnected(&self) -> bool {
        self.pass(Input::Reconnected).await
    }

    /// The subscriptions that another hub needs to take the connection over; `None`: the session has ended.
    pub async fn subscriptions(&self) -> Option<Subscriptions> {
        let (report, reported) = oneshot::channel();
        if self.pass(Input::ShowSubscriptions(report)).await { reported.await.ok() } else { None }
    }

    /// Ends the session on this hub, and returns the state that another hub needs to continue; `None`: the
    /// session has ended for another reason.
    pub async fn hand_over(&self) -> Option<HandoverState> {
        let stateful = self.stateful.as_ref()?;
        // With this lease, no request sends anything to the client from now on.
        let _lease = self.acquire().await;
        let (report, reported) = oneshot::channel();
        if !self.pass(Input::HandOver(report)).await {
            return None;
        }
        let mut state = reported.await.ok()?;
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

    /// Closes the WebSocket, but not the connection: the client opens another WebSocket at once, which is
    /// supposed to arrive at another hub.
    pub async fn drop_socket(&self) {
        self.is_leaving.store(true, Ordering::SeqCst);
        drop(self.acquire().await);
    }

    /// True if [`Session::drop_socket`] was called, perhaps while a WebSocket was still on its way here.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::SeqCst)
    }

    async fn pass(&self, input: Input) -> bool {
        self.outbox.activity.received_now();
        tokio::select! {
            biased;
            () = self.outbox.ended() => false,
            sent = self.input.send(input) => sent.is_ok(),
        }
    }

    /// Makes the caller serve the client from now on. The request that has served it is superseded.
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
    /// Waits until another request wants to serve the client.
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
