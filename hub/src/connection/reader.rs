//! Reads a client's records and carries them out, one after the other, as ASP.NET Core does by default.

use std::time::Duration;

use axum::extract::ws::WebSocket;
use futures::StreamExt;
use futures::stream::SplitStream;

use super::caller::Caller;
use super::{LastHeard, data};
use crate::ending::Ending;
use crate::protocol::framing::Framer;
use crate::protocol::message::ClientMessage;
use crate::protocol::record::Encoding;
use crate::protocol::{MAX_RECORD_BYTES, ProtocolError, json, messagepack};

/// What a client still sends after the end.
pub(super) struct Rest(SplitStream<WebSocket>);

impl Rest {
    /// Reads on until the client closes its side, for a while: a socket that is closed with something unread resets
    /// the connection, and the last words may be lost. Where reading on is impossible, time has to do.
    pub(super) async fn discard(mut self, linger: Duration) {
        let rest = async {
            loop {
                match self.0.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) if is_too_large(&error) => std::future::pending().await,
                    Some(Err(_)) | None => return,
                }
            }
        };
        let _ = tokio::time::timeout(linger, rest).await;
    }
}

/// Reads until the connection ends, whoever ends it.
pub(super) async fn read(
    mut stream: SplitStream<WebSocket>,
    mut framer: Framer,
    caller: &mut Caller,
    heard: &LastHeard,
) -> Rest {
    let outbox = caller.outbox();
    loop {
        if let Err(ending) = carry_out(&mut framer, caller).await {
            outbox.end(ending);
        }
        let message = tokio::select! {
            biased;
            () = outbox.ended() => return Rest(stream),
            message = stream.next() => message,
        };
        heard.now();
        match message {
            Some(Ok(message)) => match data(message) {
                Some(bytes) => framer.feed(bytes),
                None => outbox.end(Ending::Gone),
            },
            Some(Err(error)) => outbox.end(fault(&error)),
            None => outbox.end(Ending::Gone),
        }
    }
}

/// Carries out the whole records that have arrived.
async fn carry_out(framer: &mut Framer, caller: &mut Caller) -> Result<(), Ending> {
    while let Some(record) = framer.next_record().map_err(Ending::Protocol)? {
        caller.metrics().records_in.add(1);
        let message = match caller.outbox().encoding() {
            Encoding::Json => json::read(&record),
            Encoding::MessagePack => messagepack::read(&record),
        };
        match message.map_err(Ending::Protocol)? {
            ClientMessage::Invocation(call) => {
                caller.invoke(call.id.as_deref(), &call.target, &call.arguments).await
            }
            ClientMessage::StreamInvocation(call) => {
                caller.refuse_stream(call.id.as_deref().unwrap_or_default(), &call.target);
            }
            ClientMessage::Close => return Err(Ending::Farewell),
            _ => {}
        }
    }
    Ok(())
}

/// What an error of the WebSocket means.
fn fault(error: &axum::Error) -> Ending {
    if is_too_large(error) {
        Ending::Protocol(ProtocolError::TooLarge { most_bytes: MAX_RECORD_BYTES })
    } else {
        Ending::Gone
    }
}

/// axum hides the error's type, and its crate is not ours to name: its text is all there is.
fn is_too_large(error: &axum::Error) -> bool {
    error.to_string().contains("Message too long")
}
