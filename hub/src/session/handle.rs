//! One session, as the requests see it that serve it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::stateful::Stateful;
use crate::outbox::Outbox;
use crate::protocol::moving::{Hears, Moving};

/// How many requests or frames may wait for their turn.
const MOST_WAITING: usize = 16;

/// What a session is like, from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Server-Sent Events: text only.
    Events,
    /// Long polling.
    Polls,
    /// One WebSocket after another.
    Stateful,
}

/// What a client does, in its order.
#[derive(Debug)]
pub(crate) enum Input {
    /// It said this.
    Said(Bytes),
    /// It goes on over another WebSocket: what the last one left unfinished stays so, and comes again.
    CameBack,
    /// It is to go on at another hub, which asks what it hears.
    Shows(oneshot::Sender<Hears>),
    /// It goes on at another hub.
    Departs(oneshot::Sender<Moving>),
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
    servers: AtomicU64,
    relieved: Notify,
    /// It is to go on at another hub.
    is_leaving: AtomicBool,
    serving: tokio::sync::Mutex<()>,
    /// The client knows how it ended.
    pub told: CancellationToken,
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
            servers: AtomicU64::new(0),
            relieved: Notify::new(),
            is_leaving: AtomicBool::new(false),
            serving: tokio::sync::Mutex::new(()),
            told: CancellationToken::new(),
        };
        (session, arriving)
    }

    /// Hands on what the client sent; waits while it is busy with what came before. `false`: it has ended.
    pub async fn hear(&self, bytes: Bytes) -> bool {
        self.pass(Input::Said(bytes)).await
    }

    /// What is heard from now on comes over another WebSocket. `false`: it has ended.
    pub async fn came_back(&self) -> bool {
        self.pass(Input::CameBack).await
    }

    /// What another hub has to hear for it, to go on; `None`: it has ended.
    pub async fn hears(&self) -> Option<Hears> {
        let (report, reported) = oneshot::channel();
        if self.pass(Input::Shows(report)).await { reported.await.ok() } else { None }
    }

    /// Ends it here, and gives all that another hub needs to go on; `None`: it has ended otherwise.
    pub async fn depart(&self) -> Option<Moving> {
        let stateful = self.stateful.as_ref()?;
        // From now on nobody tells the client anything.
        let _serving = self.serve().await;
        let (report, departed) = oneshot::channel();
        if !self.pass(Input::Departs(report)).await {
            return None;
        }
        let mut moving = departed.await.ok()?;
        let mut batch = Vec::new();
        loop {
            let ending = self.outbox.take(&mut batch).await;
            stateful.sent(&batch);
            batch.clear();
            if ending.is_some() {
                break;
            }
        }
        let (first, records) = stateful.again();
        moving.set_unconfirmed(first, &records);
        Some(moving)
    }

    /// Closes the WebSocket, but not the connection: the client opens another one at once, and that is to come in at another hub.
    pub async fn cut(&self) {
        self.is_leaving.store(true, Ordering::SeqCst);
        drop(self.serve().await);
    }

    /// Whether [`Session::cut`] was called, perhaps before a WebSocket was there that was on its way.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::SeqCst)
    }

    async fn pass(&self, input: Input) -> bool {
        self.outbox.pulse.heard();
        tokio::select! {
            sent = self.input.send(input) => sent.is_ok(),
            () = self.outbox.ended() => false,
        }
    }

    /// From now on the caller serves the client, and whoever did so is relieved.
    pub async fn serve(&self) -> Serving<'_> {
        let number = self.servers.fetch_add(1, Ordering::SeqCst) + 1;
        self.relieved.notify_waiters();
        let guard = self.serving.lock().await;
        Serving { session: self, number, _guard: guard }
    }
}

/// The right to tell the client something.
#[derive(Debug)]
pub struct Serving<'a> {
    session: &'a Session,
    number: u64,
    _guard: tokio::sync::MutexGuard<'a, ()>,
}

impl Serving<'_> {
    /// Waits until someone else wants to serve the client.
    pub async fn relieved(&self) {
        loop {
            let notified = self.session.relieved.notified();
            if self.session.servers.load(Ordering::SeqCst) != self.number {
                return;
            }
            notified.await;
        }
    }
}
