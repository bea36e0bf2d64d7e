//! Writes what has gathered for a client, in as few frames and system calls as it takes.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures::stream::SplitSink;
use futures::{FutureExt, SinkExt};
use tokio::time::Instant;

use super::LastHeard;
use crate::ending::Ending;
use crate::hub::Timing;
use crate::outbox::Outbox;
use crate::protocol::record::{Encoding, Record};

/// The most bytes of a frame that holds several records: more would only make the client wait for the first one,
/// and keep a larger buffer for each connection.
const FRAME: usize = 16 * 1024;

/// The connection broke, or the client took too long to take what was written.
struct Broken;

/// Writes until the connection ends; pings, and notices a client that has fallen silent.
pub(super) async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    outbox: Arc<Outbox>,
    heard: Arc<LastHeard>,
    timing: Timing,
) -> Ending {
    let mut batch = Vec::new();
    let mut next_ping = Instant::now() + timing.ping;
    let alarm = tokio::time::sleep_until(next_ping);
    tokio::pin!(alarm);
    let ending = loop {
        let ending = tokio::select! {
            biased;
            ending = outbox.take(&mut batch) => ending,
            () = &mut alarm => {
                let silent_at = Instant::from_std(heard.at()) + timing.silence;
                let now = Instant::now();
                if silent_at <= now {
                    outbox.end(Ending::Silent);
                } else if next_ping <= now {
                    batch.push(outbox.encoding().ping());
                    next_ping = now + timing.ping;
                }
                alarm.as_mut().reset(next_ping.min(silent_at.max(now)));
                None
            }
        };
        if !batch.is_empty() && send(&mut sink, &mut batch, &outbox, timing).await.is_err() {
            outbox.end(Ending::Gone);
        }
        if let Some(ending) = ending {
            break ending;
        }
    };
    let farewell = async {
        if let Some(record) = ending.record(outbox.encoding()) {
            sink.send(frame(outbox.encoding(), record.into_bytes())).await?;
        }
        sink.send(Message::Close(Some(ending.frame()))).await
    };
    let _ = tokio::time::timeout(timing.linger, farewell).await;
    ending
}

/// Writes and empties `batch`. A client that does not take it is given up after a while, and soon once the
/// connection is to end.
async fn send(
    sink: &mut SplitSink<WebSocket, Message>,
    batch: &mut Vec<Record>,
    outbox: &Outbox,
    timing: Timing,
) -> Result<(), Broken> {
    let write = async {
        for bytes in frames(batch) {
            sink.feed(frame(outbox.encoding(), bytes)).await?;
        }
        sink.flush().await
    };
    // A write that needs no waiting, the usual one, arms neither of the other two.
    let sent = tokio::select! {
        biased;
        sent = write => sent.map_err(|_| Broken),
        () = outbox.ended().then(|()| tokio::time::sleep(timing.linger)) => Err(Broken),
        () = tokio::time::sleep(timing.silence) => Err(Broken),
    };
    if batch.capacity() > 64 {
        // After a burst; otherwise an idle connection would keep it.
        *batch = Vec::new();
    }
    batch.clear();
    sent
}

fn frame(encoding: Encoding, bytes: Bytes) -> Message {
    match encoding {
        Encoding::Json => Message::Text(bytes.try_into().expect("JSON is UTF-8")),
        Encoding::MessagePack => Message::Binary(bytes),
    }
}

/// Puts neighbouring records in one frame (`HubProtocol.md` allows any number of them); a single one stays the
/// shared bytes that it is.
fn frames(batch: &[Record]) -> impl Iterator<Item = Bytes> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let mut length = first.len();
        let more = rest[1..].iter().take_while(|record| {
            length += record.len();
            length <= FRAME
        });
        let (records, later) = rest.split_at(1 + more.count());
        rest = later;
        if let [single] = records {
            return Some(single.clone().into_bytes());
        }
        let mut frame = Vec::with_capacity(records.iter().map(|record| record.len()).sum());
        for record in records {
            frame.extend_from_slice(record);
        }
        Some(frame.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_share_frames_up_to_a_size_and_keep_their_order() {
        let large = "x".repeat(FRAME);
        let batch: Vec<_> = ["a\x1e", "b\x1e", &large, "c\x1e", "d\x1e"]
            .map(|text| Record::new(text.as_bytes().to_vec()))
            .into();

        let frames: Vec<_> = frames(&batch).collect();

        assert_eq!(frames, vec![Bytes::from("a\x1eb\x1e"), large.into(), "c\x1ed\x1e".into()]);
    }
}
