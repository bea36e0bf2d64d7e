//! What a client says, from its handshake to its end.

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
use crate::protocol::notices::Welcome;
use crate::session::Stateful;
use crate::websocket::MessageHandler;

/// For the backplane to answer what a client that departs has sent, and between two looks whether it has.
const ANSWERS: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);

/// One client's connection: handles all that the client sends. What the client is sent goes to its [`Outbox`].
pub struct Connection {
    services: Arc<ConnectionServices>,
    outbox: Arc<Outbox>,
    id: String,
    framer: Framer,
    invoker: MethodInvoker,
    /// The transport carries no bytes.
    text_only: bool,
    stateful: Option<Arc<Stateful>>,
    allowance: Bucket,
}

impl Connection {
    /// With a client that has not said anything yet.
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

    /// The client leaves all rooms. The admission is given back, to be kept while the client may still be busy with last words.
    pub fn end(self, reason: &CloseReason) -> Admission {
        tracing::debug!(connection = self.id, ending = reason.name(), "closed");
        self.invoker.leave_all()
    }

    /// The connection, as the hub knows it.
    pub fn admission(&self) -> &Admission {
        self.invoker.admission()
    }

    /// The connection is to go on at another hub: leaves all rooms, and says what there is to know.
    pub async fn hand_over(&mut self) -> HandoverState {
        // An answer that is on its way is the client's, and a message of its own that it does not want to hear is known by this
        // hub alone. What waits for another client waits on.
        let answered = async {
            while !self.outbox.has_no_pending_completions() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(ANSWERS, answered).await;
        let mut state = self.invoker.hand_over();
        if let Some(stateful) = &self.stateful {
            state.received = stateful.received().last();
        }
        state
    }

    /// What another hub has to hear for it, to go on.
    pub fn subscriptions(&self) -> Subscriptions {
        self.invoker.subscriptions()
    }

    /// Is about to go on where another hub leaves off.
    pub async fn prepare_take_over(&mut self, subscriptions: Subscriptions) {
        let encoding = subscriptions.encoding();
        self.framer.set_encoding(encoding);
        self.outbox.set_encoding(encoding);
        self.invoker.prepare_take_over(subscriptions).await;
    }

    /// Goes on where another hub left off.
    pub async fn take_over(&mut self, state: HandoverState, stateful: Arc<Stateful>) {
        self.stateful = Some(stateful);
        self.outbox.activity.handshake_done();
        self.invoker.take_over(state).await;
    }

    /// The client goes on over another WebSocket.
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
