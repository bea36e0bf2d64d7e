//! One client's WebSocket, from its handshake to its end: one task reads, one writes.

mod caller;
mod reader;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::StreamExt;

use crate::hub::{Admission, Hub, VERSION};
use crate::protocol::MAX_RECORD_BYTES;
use crate::protocol::framing::Framer;
use crate::protocol::handshake::{self, HandshakeError};
use crate::protocol::methods::Welcome;
use crate::protocol::record::{Encoding, Record};

/// Serves a client until it or the hub ends the connection.
pub async fn serve(hub: Arc<Hub>, mut socket: WebSocket, connection_id: String) {
    let admission = hub.admit();
    let mut framer = Framer::new(MAX_RECORD_BYTES);
    let shaken = tokio::select! {
        shaken = shake_hands(&mut socket, &mut framer, hub.timing.handshake) => shaken,
        () = admission.outbox.ended() => Some(Err(HandshakeError::ShuttingDown)),
    };
    match shaken {
        Some(Ok(encoding)) => admission.outbox.set_encoding(encoding),
        Some(Err(error)) => {
            tracing::debug!(connection = connection_id, %error, "handshake failed");
            return refuse(socket, &error, hub.timing.linger).await;
        }
        None => return,
    }
    tracing::debug!(connection = connection_id, "connected");
    let welcome = Welcome {
        pod: &hub.pod,
        connection_id: &connection_id,
        version: VERSION,
        backplane: hub.backplane.kind(),
    };
    // The same frame, so that a client that counts frames sees the answer to its handshake first.
    let welcome = welcome.record(admission.outbox.encoding());
    admission.outbox.push(Record::new([handshake::ACCEPTED, &welcome].concat()));
    converse(admission, socket, framer, &connection_id).await;
}

/// Waits for the first record. `None`: the client has gone.
async fn shake_hands(
    socket: &mut WebSocket,
    framer: &mut Framer,
    patience: Duration,
) -> Option<Result<Encoding, HandshakeError>> {
    let first = async {
        loop {
            match framer.next_record() {
                Ok(Some(record)) => {
                    let shaken = handshake::read(&record);
                    if let Ok(encoding) = shaken {
                        framer.set_encoding(encoding);
                    }
                    return Some(shaken);
                }
                Ok(None) => {}
                Err(_) => return Some(Err(HandshakeError::Malformed)),
            }
            framer.feed(data(socket.recv().await?.ok()?)?);
        }
    };
    tokio::time::timeout(patience, first).await.unwrap_or(Some(Err(HandshakeError::Timeout)))
}

/// What a WebSocket message brings; `None` for the last one. Text and binary are both taken for text, as ASP.NET
/// Core does; that it is UTF-8 is checked with its JSON.
fn data(message: Message) -> Option<Bytes> {
    match message {
        Message::Text(_) | Message::Binary(_) => Some(message.into_data()),
        Message::Ping(_) | Message::Pong(_) => Some(Bytes::new()),
        Message::Close(_) => None,
    }
}

/// Tells a client why its handshake failed, and closes.
async fn refuse(mut socket: WebSocket, error: &HandshakeError, linger: Duration) {
    let farewell = async {
        socket.send(Message::Binary(handshake::refused(error).into_bytes())).await.ok()?;
        let code = match error {
            HandshakeError::ShuttingDown => close_code::AWAY,
            _ => close_code::PROTOCOL,
        };
        let frame = CloseFrame { code, reason: "handshake failed".into() };
        socket.send(Message::Close(Some(frame))).await.ok()?;
        // A socket that is closed with something unread resets the connection, and the words above are lost.
        while socket.recv().await?.is_ok() {}
        Some(())
    };
    let _ = tokio::time::timeout(linger, farewell).await;
}

async fn converse(admission: Admission, socket: WebSocket, framer: Framer, connection_id: &str) {
    let hub = Arc::clone(&admission.hub);
    let (sink, stream) = socket.split();
    let heard = Arc::new(LastHeard::new());
    let writer =
        tokio::spawn(writer::write(sink, Arc::clone(&admission.outbox), Arc::clone(&heard), hub.timing));
    let mut caller = caller::Caller::new(admission);
    let rest = reader::read(stream, framer, &mut caller, &heard).await;
    // The rooms are left now, while the client may still be busy with the last words.
    let admission = caller.leave_all();
    rest.discard(hub.timing.linger).await;
    let ending = writer.await;
    tracing::debug!(connection = connection_id, ending = ending.map_or("panic", |e| e.name()), "closed");
    drop(admission);
}

/// When a client was last heard: written for each message, read once in a while.
#[derive(Debug)]
struct LastHeard {
    start: Instant,
    millis: AtomicU64,
}

impl LastHeard {
    fn new() -> Self {
        Self { start: Instant::now(), millis: AtomicU64::new(0) }
    }

    fn now(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    fn at(&self) -> Instant {
        self.start + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}
