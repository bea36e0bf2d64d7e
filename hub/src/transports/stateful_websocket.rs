//! A WebSocket of a connection with stateful reconnect. When it breaks, the session continues with the next
//! one.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use signalr::record::Record;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::outbox::CloseReason;
use crate::protocol::frame::{self, Decoder, FrameEvent};
use crate::session::{Session, Stateful};

/// The time for a client to send something after the answer to its handshake. The npm client does so at once.
const READY: Duration = Duration::from_secs(1);

/// The reason why a WebSocket no longer serves its session.
enum End {
    /// The WebSocket broke; another one may follow.
    Broken,
    /// Another WebSocket serves the session.
    Superseded,
    /// The connection has ended.
    Over(CloseReason),
}

/// Serves until the WebSocket or the session ends. `early` is data that arrived together with the request.
pub async fn serve(socket: TcpStream, early: Bytes, session: Arc<Session>, linger: Duration) {
    let Some(stateful) = session.stateful.clone() else { return };
    let lease = session.acquire().await;
    let is_reconnect = session.outbox.activity.is_handshaken();
    let ready = Notify::new();
    let end = tokio::select! {
        biased;
        () = lease.superseded() => End::Superseded,
        end = send_loop(&socket, &session, &stateful, is_reconnect, &ready) => end,
        end = receive_loop(&socket, &early, &session, is_reconnect, &ready) => end,
        // The npm client gives up if its WebSocket breaks before it has sent its sequence message.
        () = wait_to_leave(&session, is_reconnect, &ready) => End::Superseded,
        // A client that reads nothing is not waited for.
        () = session.outbox.ended().then(|()| tokio::time::sleep(linger)) => End::Broken,
    };
    match end {
        End::Broken => {}
        End::Superseded => {
            // The next WebSocket does not wait for a client that reads nothing.
            drop(lease);
            let _ = tokio::time::timeout(linger, write(&socket, &closing(&CloseReason::Gone))).await;
        }
        End::Over(reason) => {
            let mut bytes = Vec::new();
            if let Some(record) = reason.record(session.outbox.encoding()) {
                frame::put(&mut bytes, frame::Opcode::of(session.outbox.encoding()), &record);
            }
            bytes.extend(closing(&reason));
            let _ = tokio::time::timeout(linger, write(&socket, &bytes)).await;
            session.close_sent.cancel();
        }
    }
}

/// Waits for the client's first message on a WebSocket that arrives here although it should go to another
/// hub.
async fn wait_to_leave(session: &Session, is_reconnect: bool, ready: &Notify) {
    if !is_reconnect || !session.is_leaving() {
        return std::future::pending().await;
    }
    let _ = tokio::time::timeout(READY, ready.notified()).await;
}

fn closing(reason: &CloseReason) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_close(&mut bytes, reason.code(), reason.name());
    bytes
}

async fn send_loop(
    socket: &TcpStream,
    session: &Session,
    stateful: &Stateful,
    is_reconnect: bool,
    ready: &Notify,
) -> End {
    let outbox = &session.outbox;
    let mut batch = Vec::new();
    let mut is_first = !is_reconnect;
    if is_reconnect {
        let (first, records) = stateful.unacknowledged();
        batch.push(outbox.encoding().sequence(first));
        batch.extend(records);
        if write_records(socket, session, &batch).await.is_err() {
            return End::Broken;
        }
    }
    loop {
        tokio::select! {
            () = stateful.has_room() => {}
            () = outbox.ended() => {}
        }
        batch.clear();
        let reason = outbox.take(&mut batch).await;
        // The records are kept first: they have left the queue, and would be lost if the write were cut
        // short.
        stateful.sent(&batch);
        let mut rest = &batch[..];
        if std::mem::take(&mut is_first) && reason.is_none() {
            // The npm client begins to count messages after it has handled the answer to its handshake.
            // Messages that arrive together with that answer would be counted by the hub alone, and delivered
            // twice after a reconnect.
            let (answer, later) = rest.split_at(1);
            if write_records(socket, session, answer).await.is_err() {
                return End::Broken;
            }
            let _ = tokio::time::timeout(READY, ready.notified()).await;
            rest = later;
        }
        if write_records(socket, session, rest).await.is_err() && reason.is_none() {
            return End::Broken;
        }
        if let Some(reason) = reason {
            return End::Over(reason);
        }
    }
}

async fn write_records(socket: &TcpStream, session: &Session, batch: &[Record]) -> Result<(), ()> {
    let mut bytes = Vec::new();
    frame::put_records(&mut bytes, batch, session.outbox.encoding());
    write(socket, &bytes).await
}

async fn write(socket: &TcpStream, mut bytes: &[u8]) -> Result<(), ()> {
    while !bytes.is_empty() {
        socket.writable().await.map_err(|_| ())?;
        match socket.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Err(()),
        }
    }
    Ok(())
}

/// Handles the client's frames. Pings of the WebSocket are not answered, because only [`send_loop`] writes:
/// SignalR's clients send none. Data that arrives after the handshake notifies `ready`.
async fn receive_loop(
    socket: &TcpStream,
    early: &[u8],
    session: &Session,
    is_reconnect: bool,
    ready: &Notify,
) -> End {
    if is_reconnect && !session.reconnected().await {
        return std::future::pending().await;
    }
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 4096];
    let mut arrived = early.to_vec();
    loop {
        let mut data = Vec::new();
        let mut has_closed = false;
        let fed = decoder.feed(&arrived, |event| match event {
            FrameEvent::Data(bytes) => data.push(bytes),
            FrameEvent::Ping(_) => {}
            FrameEvent::Close => has_closed = true,
        });
        for bytes in data {
            if session.outbox.activity.is_handshaken() {
                ready.notify_one();
            }
            if !session.receive(bytes.into()).await {
                // The session has ended, and [`send_loop`] tells the client.
                return std::future::pending().await;
            }
        }
        if let Err(error) = fed {
            session.outbox.end(CloseReason::Frame(error));
            return std::future::pending().await;
        }
        if has_closed {
            return End::Broken;
        }
        match read(socket, &mut buffer).await {
            Some(length) => {
                arrived.clear();
                arrived.extend_from_slice(&buffer[..length]);
            }
            None => return End::Broken,
        }
    }
}

async fn read(socket: &TcpStream, buffer: &mut [u8]) -> Option<usize> {
    loop {
        socket.readable().await.ok()?;
        match socket.try_read(buffer) {
            Ok(0) => return None,
            Ok(length) => return Some(length),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}
