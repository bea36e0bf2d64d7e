//! The task of a connection that outlives a request. It handles the client's bytes in order, by whichever
//! request they arrive.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::lifecycle::Connection;
use super::services::ConnectionServices;
use crate::admission::Admission;
use crate::outbox::CloseReason;
use crate::protocol::handover_state::HandoverState;
use crate::session::{Input, Kind, Session, Sessions, Stateful};
use crate::token::ConnectionId;
use crate::websocket::MessageHandler;

/// The interval at which received messages are acknowledged to clients with stateful reconnect, as in ASP.NET
/// Core.
const ACK_INTERVAL: Duration = Duration::from_secs(1);

/// Begins connections, and the tasks of those that outlive a request.
#[derive(Debug)]
pub struct Runner {
    /// The parts of the hub that connections use.
    pub services: Arc<ConnectionServices>,
    /// Registry of connections that outlive a request.
    pub sessions: Arc<Sessions>,
    /// The bytes that are kept for a client with stateful reconnect until it acknowledges them.
    pub stateful_buffer_bytes: usize,
    /// The time for a client to read its last messages.
    pub linger: Duration,
}

impl Runner {
    /// The connection of a client that was admitted and has not sent anything yet, over a WebSocket.
    pub fn connection(&self, admission: Admission) -> Connection {
        Connection::new(Arc::clone(&self.services), admission, false, None)
    }

    /// Begins a session for a client that was admitted.
    pub fn begin(&self, admission: Admission, kind: Kind) -> Arc<Session> {
        let stateful = (kind == Kind::Stateful).then(|| Arc::new(Stateful::new(self.stateful_buffer_bytes)));
        let services = Arc::clone(&self.services);
        let connection =
            Connection::new(services, admission, kind == Kind::ServerSentEvents, stateful.clone());
        self.start(connection, kind, stateful)
    }

    /// Begins a session for a connection that another hub handed over; `None` if its state is malformed.
    pub async fn take_over(&self, mut connection: Connection, state: HandoverState) -> Option<Arc<Session>> {
        let stateful = Arc::new(Stateful::resumed(&state, self.stateful_buffer_bytes)?);
        connection.take_over(state, Arc::clone(&stateful)).await;
        Some(self.start(connection, Kind::Stateful, Some(stateful)))
    }

    fn start(&self, connection: Connection, kind: Kind, stateful: Option<Arc<Stateful>>) -> Arc<Session> {
        let Admission { id, outbox, .. } = connection.admission();
        let id = *id;
        let (session, receiver) = Session::new(kind, Arc::clone(outbox), stateful);
        let session = Arc::new(session);
        self.sessions.insert(id, Arc::clone(&session));
        let sessions = Arc::clone(&self.sessions);
        tokio::spawn(run(sessions, self.linger, id, Arc::clone(&session), connection, receiver));
        session
    }
}

/// Handles the session's input until the connection ends.
async fn run(
    sessions: Arc<Sessions>,
    linger: Duration,
    id: ConnectionId,
    session: Arc<Session>,
    mut connection: Connection,
    mut receiver: mpsc::Receiver<Input>,
) {
    let outbox = Arc::clone(&session.outbox);
    let mut ack_at = None;
    loop {
        let ack_due = async {
            match ack_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let handled = tokio::select! {
            biased;
            () = outbox.ended() => break,
            input = receiver.recv() => match input {
                Some(Input::Received(bytes)) => connection.handle(bytes).await,
                Some(Input::Reconnected) => {
                    connection.reconnected();
                    Ok(())
                }
                Some(Input::ShowSubscriptions(report)) => {
                    let _ = report.send(connection.subscriptions());
                    Ok(())
                }
                Some(Input::HandOver(report)) => {
                    let state = Box::pin(connection.hand_over()).await;
                    outbox.end(CloseReason::HandedOver);
                    let _ = report.send(state);
                    Ok(())
                }
                None => Err(CloseReason::Gone),
            },
            () = ack_due => {
                ack_at = None;
                if let Some(last) = session.stateful.as_ref().and_then(|stateful| stateful.received().next_ack()) {
                    outbox.push(outbox.encoding().ack(last));
                }
                Ok(())
            }
        };
        if let Err(reason) = handled {
            outbox.end(reason);
        }
        if ack_at.is_none() && session.stateful.as_ref().is_some_and(|s| s.received().needs_ack()) {
            ack_at = Some(tokio::time::Instant::now() + ACK_INTERVAL);
        }
    }
    let reason = outbox.close_reason().unwrap_or(CloseReason::Gone);
    let admission = connection.end(&reason);
    if reason != CloseReason::HandedOver {
        // The last messages are sent by the request that serves the client now, or soon.
        let _ = tokio::time::timeout(linger, session.close_sent.cancelled()).await;
    }
    sessions.ended(id, &session);
    drop(admission);
    session.is_over.cancel();
}
