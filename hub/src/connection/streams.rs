//! Methods with a stream: `Watch`, which returns one, and `SendMany`, which takes one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use signalr::record::{CompletionResult, JsonText, Record};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::services::ConnectionServices;
use crate::chat::{Client, ConnectionHandle, JoinResult};
use crate::guards::ClientIdentity;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::protocol::methods::{self, CallError, HubCall, JoinOptions};
use crate::protocol::names::{MemberName, RoomName};

/// The most streams of one connection in each direction.
const MOST: usize = 16;

/// The streams of one connection.
pub(super) struct Streams {
    services: Arc<ConnectionServices>,
    outbox: Arc<Outbox>,
    identity: Arc<ClientIdentity>,
    /// Streams to the client, by the id of the invocation that began them. Dropping a guard ends its stream.
    watches: HashMap<String, DropGuard>,
    /// Streams from the client, by the id of the stream.
    uploads: HashMap<String, Upload>,
}

/// A stream of texts that a client sends to a room.
struct Upload {
    /// The id of the invocation, which is completed at the end of the stream or at the first item that is
    /// refused.
    id: Option<String>,
    room: RoomName,
    /// The number of texts that were stored.
    stored: u32,
}

/// The part of the hub's own invocations that is needed here.
#[derive(Deserialize)]
struct Invocation<'a> {
    #[serde(borrow)]
    arguments: [&'a RawValue; 1],
}

impl Streams {
    pub(super) fn new(
        services: Arc<ConnectionServices>,
        outbox: Arc<Outbox>,
        identity: Arc<ClientIdentity>,
    ) -> Self {
        Self { services, outbox, identity, watches: HashMap::new(), uploads: HashMap::new() }
    }

    /// Begins a stream to the client for `Watch`: the messages of a room, until the client cancels it.
    pub(super) fn begin(&mut self, id: &str, target: &str, arguments: &[Cow<'_, str>]) {
        let call = match methods::bind(target, arguments) {
            Ok(HubCall::Join { .. }) if !target.eq_ignore_ascii_case("Watch") => {
                Err(CallError::NoStream("Join".into()))
            }
            Ok(HubCall::Join { room, options, .. }) => Ok((room, options)),
            Ok(_) => Err(CallError::NoStream(methods::short(target))),
            Err(error) => Err(error),
        };
        let call = call.and_then(|call| has_room(self.watches.len()).map(|()| call));
        let (room, options) = match call {
            Ok(call) => call,
            Err(error) => return self.fail(Some(id), &error),
        };
        let cancelled = CancellationToken::new();
        self.watches.insert(id.to_owned(), cancelled.clone().drop_guard());
        let (key, own) = self.services.outbox_factory.create();
        let connection =
            ConnectionHandle { key, id: String::new(), outbox: own, identity: Arc::clone(&self.identity) };
        let watch = Watch {
            id: id.to_owned(),
            outbox: Arc::clone(&self.outbox),
            room_outbox: Arc::clone(&connection.outbox),
            client: Client::new(Arc::clone(&self.services.chat), connection),
            metrics: Arc::clone(&self.services.metrics),
        };
        tokio::spawn(async move {
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = watch.run(room, options) => {}
            }
        });
    }

    /// Ends a stream that the client has cancelled.
    pub(super) fn cancel(&mut self, id: &str) {
        self.watches.remove(id);
    }

    /// Begins a stream from the client for `SendMany`: texts for a room.
    pub(super) fn accept(&mut self, id: Option<&str>, room: RoomName, streams: &[Cow<'_, str>]) {
        let accepted = match streams {
            [stream] => has_room(self.uploads.len()).map(|()| stream),
            _ => Err(CallError::Count { method: "SendMany", takes: "a room and a stream of texts", got: 1 }),
        };
        match accepted {
            Ok(stream) => {
                let upload = Upload { id: id.map(str::to_owned), room, stored: 0 };
                self.uploads.insert(stream.clone().into_owned(), upload);
            }
            Err(error) => self.fail(id, &error),
        }
    }

    /// Handles an item from the client. The first item that is refused ends the stream, and later items are
    /// ignored.
    pub(super) async fn item(&mut self, stream: &str, item: &str, client: &Client) {
        let Some(upload) = self.uploads.get_mut(stream) else { return };
        let text = serde_json::from_str::<String>(item).map_err(|_| CallError::NotText("text"));
        let stored = match text {
            Ok(text) => client.store(&upload.room, &text, methods::SendOptions::default()).await.map(|_| ()),
            Err(error) => Err(error),
        };
        match stored {
            Ok(()) => upload.stored += 1,
            Err(error) => {
                let id = self.uploads.remove(stream).and_then(|upload| upload.id);
                self.fail(id.as_deref(), &error);
            }
        }
    }

    /// Handles the end of a stream from the client.
    pub(super) fn end(&mut self, stream: &str, error: Option<&str>) {
        let Some(Upload { id, stored, .. }) = self.uploads.remove(stream) else { return };
        if error.is_some() {
            self.fail(id.as_deref(), &CallError::Aborted(stored));
        } else if let Some(id) = id {
            let stored = serde_json::json!({ "stored": stored });
            self.outbox.push(self.outbox.encoding().completion(&id, &CompletionResult::Value(stored)));
        }
    }

    /// Ends all streams with an error, in both directions.
    pub(super) fn fail_all(&mut self, error: &CallError) {
        let watches: Vec<_> = self.watches.drain().map(|(id, _)| Some(id)).collect();
        let uploads = std::mem::take(&mut self.uploads).into_values().map(|upload| upload.id);
        for id in watches.into_iter().chain(uploads) {
            self.fail(id.as_deref(), error);
        }
    }

    /// Fails an invocation. Without an id, the client does not wait for a completion.
    fn fail(&self, id: Option<&str>, error: &CallError) {
        self.services.metrics.call_failed(error);
        if let Some(id) = id {
            let outcome = CompletionResult::<()>::Error(error.to_string());
            self.outbox.push(self.outbox.encoding().completion(id, &outcome));
        }
    }
}

fn has_room(streams: usize) -> Result<(), CallError> {
    if streams < MOST { Ok(()) } else { Err(CallError::TooManyStreams(MOST)) }
}

/// A member of a room that turns the room's messages into the items of a stream to a client.
struct Watch {
    id: String,
    /// The client's queue.
    outbox: Arc<Outbox>,
    /// The queue to which the room delivers, in JSON whatever the client's encoding.
    room_outbox: Arc<Outbox>,
    client: Client,
    metrics: Arc<Metrics>,
}

impl Watch {
    async fn run(mut self, room: RoomName, options: JoinOptions) {
        let options = JoinOptions { presence: false, ..options };
        let (id, outbox) = (self.id.as_str(), &self.outbox);
        let begin = |joined: &JoinResult| {
            if joined.gap {
                let gap = serde_json::json!({ "room": joined.room, "gap": true });
                outbox.push(outbox.encoding().stream_item(id, &gap));
            }
            for message in &joined.history {
                outbox.push(outbox.encoding().stream_item(id, message.as_ref()));
            }
        };
        if let Err(error) = self.client.join(room, MemberName::default(), &options, begin).await {
            self.metrics.call_failed(&error);
            let outcome = CompletionResult::<()>::Error(error.to_string());
            outbox.push(outbox.encoding().completion(id, &outcome));
            return;
        }
        let mut batch = Vec::new();
        loop {
            let reason = self.room_outbox.take(&mut batch).await;
            for record in batch.drain(..) {
                if let Some(item) = item(&self.outbox, &self.id, &record) {
                    self.outbox.push(item);
                }
            }
            if let Some(reason) = reason {
                return self.outbox.end(reason);
            }
        }
    }
}

/// Converts a message of a room into an item of the stream `id`.
fn item(outbox: &Outbox, id: &str, record: &Record) -> Option<Record> {
    let (_, json) = record.split_last()?;
    let Invocation { arguments: [argument] } = serde_json::from_slice(json).ok()?;
    Some(outbox.encoding().stream_item(id, &JsonText(argument.get())))
}
