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

use super::caller::Caller;
use super::services::ConnectionServices;
use crate::admission::Admission;
use crate::config::VERSION;
use crate::guards::Bucket;
use crate::outbox::{Ending, Outbox};
use crate::protocol::moving::{Hears, Moving};
use crate::protocol::notices::Welcome;
use crate::session::Stateful;
use crate::websocket::Listener;

/// For the backplane to answer what a client that departs has sent, and between two looks whether it has.
const ANSWERS: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);

/// A client as the hub hears it. What the client is told goes to its [`Outbox`].
pub struct Conversation {
    services: Arc<ConnectionServices>,
    outbox: Arc<Outbox>,
    connection_id: String,
    framer: Framer,
    caller: Caller,
    /// The transport carries no bytes.
    text_only: bool,
    stateful: Option<Arc<Stateful>>,
    allowance: Bucket,
}

impl Conversation {
    /// With a client that has not said anything yet.
    pub fn new(
        services: Arc<ConnectionServices>,
        admission: Admission,
        text_only: bool,
        stateful: Option<Arc<Stateful>>,
    ) -> Self {
        Self {
            outbox: Arc::clone(&admission.outbox),
            connection_id: admission.id.to_string(),
            framer: Framer::new(services.limits.most_message_bytes),
            caller: Caller::new(Arc::clone(&services), admission),
            text_only,
            stateful,
            allowance: Bucket::new(services.limits.messages_per_second, Instant::now()),
            services,
        }
    }

    /// The client leaves all rooms. The admission is given back, to be kept while the client may still be busy with last words.
    pub fn end(self, ending: &Ending) -> Admission {
        tracing::debug!(connection = self.connection_id, ending = ending.name(), "closed");
        self.caller.leave_all()
    }

    /// The connection, as the hub knows it.
    pub fn admission(&self) -> &Admission {
        self.caller.admission()
    }

    /// The connection is to go on at another hub: leaves all rooms, and says what there is to know.
    pub async fn depart(&mut self) -> Moving {
        // An answer that is on its way is the client's, and a message of its own that it does not want to hear is known by this
        // hub alone. What waits for another client waits on.
        let answered = async {
            while !self.outbox.owes_nothing() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(ANSWERS, answered).await;
        let mut moving = self.caller.depart();
        if let Some(stateful) = &self.stateful {
            moving.received = stateful.received().last();
        }
        moving
    }

    /// What another hub has to hear for it, to go on.
    pub fn hears(&self) -> Hears {
        self.caller.hears()
    }

    /// Is about to go on where another hub leaves off.
    pub async fn expect(&mut self, hears: Hears) {
        let encoding = hears.encoding();
        self.framer.set_encoding(encoding);
        self.outbox.set_encoding(encoding);
        self.caller.expect(hears).await;
    }

    /// Goes on where another hub left off.
    pub async fn arrive(&mut self, moving: Moving, stateful: Arc<Stateful>) {
        self.stateful = Some(stateful);
        self.outbox.pulse.shaken();
        self.caller.arrive(moving).await;
    }

    /// The client goes on over another WebSocket.
    pub fn came_back(&mut self) {
        self.framer.begin_anew();
        if let Some(stateful) = &self.stateful {
            stateful.received().reconnected();
        }
    }

    fn shake_hands(&mut self, record: &[u8]) -> Result<(), Ending> {
        let encoding = match handshake::read(record) {
            Ok(Encoding::MessagePack) if self.text_only => Err(HandshakeError::TextOnly),
            shaken => shaken,
        };
        let encoding = encoding.map_err(Ending::Handshake)?;
        self.framer.set_encoding(encoding);
        self.outbox.pulse.shaken();
        self.outbox.set_encoding(encoding);
        tracing::debug!(connection = self.connection_id, "connected");
        self.outbox.push(Record::uncounted(handshake::ACCEPTED));
        let welcome = Welcome {
            pod: &self.services.pod,
            connection_id: &self.connection_id,
            version: VERSION,
            backplane: self.services.backplane,
            user: self.caller.identity().user.as_deref(),
        };
        self.outbox.push(welcome.record(encoding));
        self.caller.connected();
        Ok(())
    }

    async fn carry_out(&mut self, record: &[u8]) -> Result<(), Ending> {
        self.services.metrics.records_received.inc();
        let message = match self.outbox.encoding() {
            Encoding::Json => json::read(record),
            Encoding::MessagePack => messagepack::read(record),
        };
        let message = message.map_err(Ending::Protocol)?;
        if let Some(stateful) = &self.stateful
            && message.is_counted()
            && !stateful.received().is_new()
        {
            return Ok(());
        }
        match message {
            ClientMessage::Invocation(call) => {
                if self.is_within_rate() {
                    self.caller.invoke(&call).await;
                } else {
                    self.caller.refuse_rate(call.id.as_deref());
                }
            }
            ClientMessage::StreamInvocation(call) => {
                self.caller.begin_stream(&call);
            }
            ClientMessage::Close => return Err(Ending::Farewell),
            ClientMessage::Ack(last) => {
                if let Some(stateful) = &self.stateful {
                    stateful.confirmed(last);
                }
            }
            ClientMessage::Sequence(first) => {
                if let Some(stateful) = &self.stateful
                    && stateful.received().begins(first).is_err()
                {
                    return Err(Ending::Gone);
                }
            }
            ClientMessage::StreamItem { id, item } => self.caller.take_item(&id, &item).await,
            ClientMessage::Completion { id, outcome } => {
                let outcome = outcome.as_ref().map(Option::as_deref).map_err(AsRef::as_ref);
                self.caller.complete(&id, outcome);
            }
            ClientMessage::CancelInvocation { id } => self.caller.cancel_stream(&id),
            ClientMessage::Ping | ClientMessage::Ignored => {}
        }
        Ok(())
    }

    fn is_within_rate(&mut self) -> bool {
        let per_second = self.services.limits.messages_per_second;
        per_second == 0 || self.allowance.take(per_second, Instant::now())
    }
}

impl Listener for Conversation {
    async fn hear(&mut self, bytes: Bytes) -> Result<(), Ending> {
        self.framer.feed(bytes);
        loop {
            let is_shaken = self.outbox.pulse.is_shaken();
            match self.framer.next_record() {
                Ok(Some(record)) if is_shaken => self.carry_out(&record).await?,
                Ok(Some(record)) => self.shake_hands(&record)?,
                Ok(None) => return Ok(()),
                Err(error) if is_shaken => return Err(Ending::Protocol(error)),
                Err(_) => return Err(Ending::Handshake(HandshakeError::Malformed)),
            }
            if self.outbox.has_ended() {
                return Ok(());
            }
        }
    }
}
