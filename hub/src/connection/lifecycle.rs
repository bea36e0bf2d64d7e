//! One client's connection, from its handshake to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use signalr::encoding::Encoding;
use signalr::framing::Framer;
use signalr::handshake::{self, HandshakeError};
use signalr::message::ClientMessage;
use signalr::record::Record;
use signalr::{json, messagepack};

use super::method_invoker::MethodInvoker;
use super::services::ConnectionServices;
use crate::admission::Admission;
use crate::config::VERSION;
use crate::guards::Bucket;
use crate::outbox::{CloseReason, Outbox};
use crate::protocol::handover_state::{HandoverState, Subscriptions};
use crate::protocol::names::MAX_CHARS;
use crate::protocol::notices::{Limits, Welcome};
use crate::rooms::MOST_NAMED;
use crate::session::Stateful;
use crate::websocket::MessageHandler;

/// The most time to wait for the completions of a client that is handed over.
const COMPLETIONS: Duration = Duration::from_secs(1);

/// The interval between two checks for completions that are still missing.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// One client's connection, which handles all that the client sends. Messages to the client go to its
/// [`Outbox`].
pub struct Connection {
    services: Arc<ConnectionServices>,
    outbox: Arc<Outbox>,
    id: String,
    framer: Framer,
    invoker: MethodInvoker,
    /// True if the transport carries text alone, and no binary data.
    text_only: bool,
    stateful: Option<Arc<Stateful>>,
    allowance: Bucket,
}

impl Connection {
    /// A connection whose client has not sent anything yet.
    pub fn new(
        services: Arc<ConnectionServices>,
        admission: Admission,
        text_only: bool,
        stateful: Option<Arc<Stateful>>,
    ) -> Self {
        Self {
            outbox: Arc::clone(&admission.outbox),
            id: admission.id.to_string(),
            framer: Framer::new(services.limits.most_message_bytes),
            invoker: MethodInvoker::new(Arc::clone(&services), admission),
            text_only,
            stateful,
            allowance: Bucket::new(services.limits.messages_per_second, Instant::now()),
            services,
        }
    }

    /// Leaves all rooms. The admission is returned, to be kept while the client may still be reading its last
    /// messages.
    pub fn end(self, reason: &CloseReason) -> Admission {
        tracing::debug!(connection = self.id, ending = reason.name(), "closed");
        self.invoker.leave_all()
    }

    /// The connection's admission.
    pub fn admission(&self) -> &Admission {
        self.invoker.admission()
    }

    /// Leaves all rooms, because the connection continues on another hub, and returns the state for that hub.
    pub async fn hand_over(&mut self) -> HandoverState {
        // Completions that are on their way are for this client. Also, this hub alone recognizes the client's
        // own messages with `echo: false`, so these have to be stored and delivered here. An invocation of
        // another client that is still pending does not delay this any longer.
        let completed = async {
            while !self.outbox.has_no_pending_completions() {
                tokio::time::sleep(CHECK_INTERVAL).await;
            }
        };
        let _ = tokio::time::timeout(COMPLETIONS, completed).await;
        let mut state = self.invoker.hand_over();
        if let Some(stateful) = &self.stateful {
            state.received = stateful.received().last();
        }
        state
    }

    /// The subscriptions that another hub needs to take this connection over.
    pub fn subscriptions(&self) -> Subscriptions {
        self.invoker.subscriptions()
    }

    /// Prepares to take over a connection that another hub still has.
    pub async fn prepare_take_over(&mut self, subscriptions: Subscriptions) {
        let encoding = subscriptions.encoding();
        self.framer.set_encoding(encoding);
        self.outbox.set_encoding(encoding);
        self.invoker.prepare_take_over(subscriptions).await;
    }

    /// Takes over a connection from the state that another hub has handed over.
    pub async fn take_over(&mut self, state: HandoverState, stateful: Arc<Stateful>) {
        self.stateful = Some(stateful);
        self.outbox.activity.handshake_done();
        self.invoker.take_over(state).await;
    }

    /// Notes that the client continues over another WebSocket.
    pub fn reconnected(&mut self) {
        self.framer.reset();
        if let Some(stateful) = &self.stateful {
            stateful.received().reconnected();
        }
    }

    fn complete_handshake(&mut self, record: &[u8]) -> Result<(), CloseReason> {
        let encoding = match handshake::read(record) {
            Ok(Encoding::MessagePack) if self.text_only => Err(HandshakeError::TextOnly),
            shaken => shaken,
        };
        let encoding = encoding.map_err(CloseReason::Handshake)?;
        self.framer.set_encoding(encoding);
        self.outbox.activity.handshake_done();
        self.outbox.set_encoding(encoding);
        tracing::debug!(connection = self.id, "connected");
        self.outbox.push(Record::unsequenced(handshake::ACCEPTED));
        let welcome = Welcome {
            pod: &self.services.pod,
            connection_id: &self.id,
            version: VERSION,
            backplane: self.services.backplane,
            user: self.invoker.identity().user.as_deref(),
            limits: Limits {
                message_bytes: self.services.limits.most_message_bytes,
                name_characters: MAX_CHARS,
                named_members: MOST_NAMED,
            },
        };
        self.outbox.push(welcome.record(encoding));
        self.invoker.connected();
        Ok(())
    }

    async fn handle_record(&mut self, record: &[u8]) -> Result<(), CloseReason> {
        self.services.metrics.records_received.inc();
        let message = match self.outbox.encoding() {
            Encoding::Json => json::read(record),
            Encoding::MessagePack => messagepack::read(record),
        };
        let message = message.map_err(CloseReason::Protocol)?;
        if let Some(stateful) = &self.stateful
            && message.is_sequenced()
            && !stateful.received().is_new()
        {
            return Ok(());
        }
        match message {
            ClientMessage::Invocation(call) => {
                if self.is_within_rate() {
                    self.invoker.invoke(&call).await;
                } else {
                    self.invoker.reject_rate(call.id.as_deref());
                }
            }
            ClientMessage::StreamInvocation(call) => {
                self.invoker.begin_stream(&call);
            }
            ClientMessage::Close => return Err(CloseReason::ClientClosed),
            ClientMessage::Ack(last) => {
                if let Some(stateful) = &self.stateful {
                    stateful.acknowledged(last);
                }
            }
            ClientMessage::Sequence(first) => {
                if let Some(stateful) = &self.stateful
                    && stateful.received().begin_at(first).is_err()
                {
                    return Err(CloseReason::Gone);
                }
            }
            ClientMessage::StreamItem { id, item } => self.invoker.take_item(&id, &item).await,
            ClientMessage::Completion { id, outcome } => {
                let outcome = outcome.as_ref().map(Option::as_deref).map_err(AsRef::as_ref);
                self.invoker.complete(&id, outcome);
            }
            ClientMessage::CancelInvocation { id } => self.invoker.cancel_stream(&id),
            ClientMessage::Ping | ClientMessage::Ignored => {}
        }
        Ok(())
    }

    fn is_within_rate(&mut self) -> bool {
        let per_second = self.services.limits.messages_per_second;
        per_second == 0 || self.allowance.take(per_second, Instant::now())
    }
}

impl MessageHandler for Connection {
    async fn handle(&mut self, bytes: Bytes) -> Result<(), CloseReason> {
        self.framer.feed(bytes);
        loop {
            let is_handshaken = self.outbox.activity.is_handshaken();
            match self.framer.next_record() {
                Ok(Some(record)) if is_handshaken => self.handle_record(&record).await?,
                Ok(Some(record)) => self.complete_handshake(&record)?,
                Ok(None) => return Ok(()),
                Err(error) if is_handshaken => return Err(CloseReason::Protocol(error)),
                Err(_) => return Err(CloseReason::Handshake(HandshakeError::Malformed)),
            }
            if self.outbox.has_ended() {
                return Ok(());
            }
        }
    }
}
