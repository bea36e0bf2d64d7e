//! The task of a connection that outlives a request: it takes the bytes of the client in order, by whichever
//! request they came.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::conversation::Conversation;
use super::services::ConnectionServices;
use crate::admission::Admission;
use crate::outbox::Ending;
use crate::protocol::moving::Moving;
use crate::session::{Input, Kind, Session, Sessions, Stateful};
use crate::token::ConnectionId;
use crate::websocket::Listener;

/// How often received messages are confirmed to clients with stateful reconnect (ASP.NET Core's interval).
const CONFIRM: Duration = Duration::from_secs(1);

/// Begins conversations, and the tasks of those that outlive a request.
#[derive(Debug)]
pub struct Runner {
    /// The parts of the hub that connections use.
    pub services: Arc<ConnectionServices>,
    /// Registry of connections that outlive a request.
    pub sessions: Arc<Sessions>,
    /// Bytes that are kept for a client with stateful reconnect until it confirms them.
    pub stateful_buffer_bytes: usize,
    /// For a client to take its last words.
    pub linger: Duration,
}

impl Runner {
    /// With a client that was admitted and has not said anything yet, over a WebSocket.
    pub fn conversation(&self, admission: Admission) -> Conversation {
        Conversation::new(Arc::clone(&self.services), admission, false, None)
    }

    /// Begins a session for a client that was admitted.
    pub fn begin(&self, admission: Admission, kind: Kind) -> Arc<Session> {
        let stateful = (kind == Kind::Stateful).then(|| Arc::new(Stateful::new(self.stateful_buffer_bytes)));
        let services = Arc::clone(&self.services);
        let conversation = Conversation::new(services, admission, kind == Kind::Events, stateful.clone());
        self.start(conversation, kind, stateful)
    }

    /// Goes on with one that another hub gave away; `None` if it makes no sense.
    pub async fn take_over(&self, mut conversation: Conversation, moving: Moving) -> Option<Arc<Session>> {
        let stateful = Arc::new(Stateful::going_on(&moving, self.stateful_buffer_bytes)?);
        conversation.arrive(moving, Arc::clone(&stateful)).await;
        Some(self.start(conversation, Kind::Stateful, Some(stateful)))
    }

    fn start(&self, conversation: Conversation, kind: Kind, stateful: Option<Arc<Stateful>>) -> Arc<Session> {
        let Admission { id, outbox, .. } = conversation.admission();
        let id = *id;
        let (session, arriving) = Session::new(kind, Arc::clone(outbox), stateful);
        let session = Arc::new(session);
        self.sessions.insert(id, Arc::clone(&session));
        let sessions = Arc::clone(&self.sessions);
        tokio::spawn(run(sessions, self.linger, id, Arc::clone(&session), conversation, arriving));
        session
    }
}

/// Hears the client until the end.
async fn run(
    sessions: Arc<Sessions>,
    linger: Duration,
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
        let _ = tokio::time::timeout(linger, session.told.cancelled()).await;
    }
    sessions.ended(id);
    drop(admission);
}
