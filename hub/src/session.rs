//! Connections that outlive a request: over Server-Sent Events, long polling, or stateful reconnect.
//!
//! A task of its own hears what the client sends, in order, by whichever request it came. What the client is told is taken
//! by the one request that serves it at the time; a later one takes over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use signalr::record::Record;
use signalr::stateful::{Received, Unconfirmed};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::connection::Conversation;
use crate::ending::Ending;
use crate::hub::{Admission, Hub};
use crate::outbox::Outbox;
use crate::protocol::moving::{Hears, Moving};
use crate::token::ConnectionId;
use crate::websocket::Listener;

/// How many requests or frames may wait for their turn.
const MOST_WAITING: usize = 16;

/// How long a session that ended is remembered, so that who comes late learns that it ended, and does not begin another one.
/// Tokens are good for less than that.
const REMEMBERED: Duration = Duration::from_mins(1);

/// How often received messages are confirmed to clients with stateful reconnect (ASP.NET Core's interval).
const CONFIRM: Duration = Duration::from_secs(1);

/// The sessions of this hub.
#[derive(Debug, Default)]
pub struct Sessions {
    by_id: Mutex<HashMap<ConnectionId, Entry>>,
}

#[derive(Debug)]
enum Entry {
    Live(Arc<Session>),
    Ended(Instant),
}

/// What there is under an id.
#[derive(Debug)]
pub enum Found {
    /// A session.
    Live(Arc<Session>),
    /// One that ended lately.
    Ended,
    /// None, as far as is known.
    Nothing,
}

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
enum Input {
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

impl Sessions {
    /// What there is under an id.
    pub fn find(&self, id: ConnectionId) -> Found {
        match self.lock().get(&id) {
            Some(Entry::Live(session)) => Found::Live(Arc::clone(session)),
            Some(Entry::Ended(_)) => Found::Ended,
            None => Found::Nothing,
        }
    }

    /// Begins a session for a client that was admitted.
    pub fn begin(hub: &Arc<Hub>, admission: Admission, kind: Kind) -> Arc<Session> {
        let most_bytes = hub.settings.stateful_buffer_bytes;
        let stateful = (kind == Kind::Stateful).then(|| Arc::new(Stateful::new(most_bytes)));
        let conversation = Conversation::new(admission, kind == Kind::Events, stateful.clone());
        Self::start(hub, conversation, kind, stateful)
    }

    /// Goes on with one that another hub gave away; `None` if it makes no sense.
    pub async fn take_over(
        hub: &Arc<Hub>,
        mut conversation: Conversation,
        moving: Moving,
    ) -> Option<Arc<Session>> {
        let stateful = Arc::new(Stateful::going_on(&moving, hub.settings.stateful_buffer_bytes)?);
        conversation.arrive(moving, Arc::clone(&stateful)).await;
        Some(Self::start(hub, conversation, Kind::Stateful, Some(stateful)))
    }

    fn start(
        hub: &Arc<Hub>,
        conversation: Conversation,
        kind: Kind,
        stateful: Option<Arc<Stateful>>,
    ) -> Arc<Session> {
        let (input, arriving) = mpsc::channel(MOST_WAITING);
        let Admission { id, outbox, .. } = conversation.admission();
        let (id, outbox) = (*id, Arc::clone(outbox));
        let session = Arc::new(Session {
            outbox,
            kind,
            stateful,
            input,
            servers: AtomicU64::new(0),
            relieved: Notify::new(),
            is_leaving: AtomicBool::new(false),
            serving: tokio::sync::Mutex::new(()),
            told: CancellationToken::new(),
        });
        hub.sessions.lock().insert(id, Entry::Live(Arc::clone(&session)));
        tokio::spawn(run(Arc::clone(hub), id, Arc::clone(&session), conversation, arriving));
        session
    }

    /// Those that could go on at another hub: their clients come back by themselves, and have shaken hands.
    pub fn movable(&self) -> Vec<Arc<Session>> {
        let live = |entry: &Entry| match entry {
            Entry::Live(session) if session.kind == Kind::Stateful => Some(Arc::clone(session)),
            _ => None,
        };
        let sessions = self.lock().values().filter_map(live).collect::<Vec<_>>();
        sessions.into_iter().filter(|session| session.outbox.pulse.is_shaken()).collect()
    }

    /// Forgets those that ended long ago.
    pub fn sweep(&self) {
        self.lock().retain(|_, entry| !matches!(entry, Entry::Ended(at) if at.elapsed() > REMEMBERED));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Entry>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears the client until the end.
async fn run(
    hub: Arc<Hub>,
    id: ConnectionId,
    session: Arc<Session>,
    mut conversation: Conversation,
    mut arriving: mpsc::Receiver<Input>,
) {
    let outbox = Arc::clone(&session.outbox);
    let mut confirm_at = None;
    loop {
        let confirm = async {
            match confirm_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let heard = tokio::select! {
            biased;
            () = outbox.ended() => break,
            input = arriving.recv() => match input {
                Some(Input::Said(bytes)) => conversation.hear(bytes).await,
                Some(Input::CameBack) => {
                    conversation.came_back();
                    Ok(())
                }
                Some(Input::Shows(report)) => {
                    let _ = report.send(conversation.hears());
                    Ok(())
                }
                Some(Input::Departs(report)) => {
                    let moving = Box::pin(conversation.depart()).await;
                    outbox.end(Ending::Moved);
                    let _ = report.send(moving);
                    Ok(())
                }
                None => Err(Ending::Gone),
            },
            () = confirm => {
                confirm_at = None;
                if let Some(last) = session.stateful.as_ref().and_then(|stateful| stateful.received().confirm()) {
                    outbox.push(outbox.encoding().ack(last));
                }
                Ok(())
            }
        };
        if let Err(ending) = heard {
            outbox.end(ending);
        }
        if confirm_at.is_none() && session.stateful.as_ref().is_some_and(|s| s.received().is_unconfirmed()) {
            confirm_at = Some(tokio::time::Instant::now() + CONFIRM);
        }
    }
    let ending = outbox.ending().unwrap_or(Ending::Gone);
    let admission = conversation.end(&ending);
    if ending != Ending::Moved {
        // The last words are for whoever serves the client now, or soon.
        let _ = tokio::time::timeout(hub.timing.linger, session.told.cancelled()).await;
    }
    hub.sessions.lock().insert(id, Entry::Ended(Instant::now()));
    drop(admission);
}

impl Session {
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

/// What a client with stateful reconnect has and has not got.
#[derive(Debug)]
pub struct Stateful {
    unconfirmed: Mutex<Unconfirmed>,
    room: Notify,
    received: Mutex<Received>,
}

impl Stateful {
    fn new(most_bytes: usize) -> Self {
        Self {
            unconfirmed: Mutex::new(Unconfirmed::new(most_bytes)),
            room: Notify::new(),
            received: Mutex::default(),
        }
    }

    /// As another hub left it.
    fn going_on(moving: &Moving, most_bytes: usize) -> Option<Self> {
        let unconfirmed = Unconfirmed::new(most_bytes).going_on(moving.first, moving.records()?);
        Some(Self {
            unconfirmed: Mutex::new(unconfirmed),
            room: Notify::new(),
            received: Mutex::new(Received::going_on(moving.received)),
        })
    }

    /// What came from the client.
    pub fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client has everything up to the message `last`.
    pub fn confirmed(&self, last: u64) {
        self.unconfirmed().confirmed(last);
        self.room.notify_waiters();
    }

    /// Keeps what is sent now.
    pub fn sent(&self, records: &[Record]) {
        let mut unconfirmed = self.unconfirmed();
        for record in records {
            unconfirmed.sent(record);
        }
    }

    /// What a new WebSocket begins with.
    pub fn again(&self) -> (u64, Vec<Record>) {
        self.unconfirmed().again()
    }

    /// Waits until something more may be sent.
    pub async fn has_room(&self) {
        loop {
            let notified = self.room.notified();
            if self.unconfirmed().has_room() {
                return;
            }
            notified.await;
        }
    }

    fn unconfirmed(&self) -> MutexGuard<'_, Unconfirmed> {
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
