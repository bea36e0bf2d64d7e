//! A client on a WebSocket: one task that reads; what the client is told is written by the outbox's flusher.

mod upgrade;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

pub use self::upgrade::{NotUpgradable, accept, socket_of};
use crate::outbox::{CloseReason, Outbox};
use crate::protocol::frame::{self, Decoder, FrameEvent};

/// Read at once from a client. The buffer is the thread's; a connection keeps none.
const READ: usize = 16 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// The receiver of all that a client sends.
pub trait MessageHandler {
    /// Handles some bytes of the client's records. An error ends the connection.
    fn handle(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), CloseReason>> + Send;
}

/// Serves a client until it or the hub ends the connection, and says why it ended; the client is yet to be told
/// ([`ClosingSocket::close`]). `early` is what came with the request.
pub async fn serve(
    socket: TcpStream,
    early: Bytes,
    outbox: &Arc<Outbox>,
    handler: &mut impl MessageHandler,
) -> (CloseReason, ClosingSocket) {
    let socket = Arc::new(socket);
    outbox.attach_socket(Arc::clone(&socket));
    let mut reader = Reader { socket: &socket, outbox, decoder: Decoder::default(), data: Vec::new() };
    reader.decode(&early);
    let reason = loop {
        for bytes in std::mem::take(&mut reader.data) {
            // What carrying out a call needs is there only while one is carried out: most connections are idle at most times.
            let mut handling = Box::pin(handler.handle(bytes));
            let outcome = tokio::select! {
                // What is answered at once is written at once.
                outcome = poll_fn(|context| {
                    let _write_batch = outbox.batch_writes();
                    handling.as_mut().poll(context)
                }) => outcome,
                // While the hub is busy with what the client wants, what it is told goes on being written.
                reason = poll_fn(|context| outbox.poll_finished(context)) => Err(reason),
            };
            if let Err(reason) = outcome {
                outbox.end(reason);
                break;
            }
        }
        if let Some(reason) = poll_fn(|context| reader.poll_read(context)).await {
            break reason;
        }
    };
    (reason, ClosingSocket(socket))
}

struct Reader<'a> {
    socket: &'a TcpStream,
    outbox: &'a Arc<Outbox>,
    decoder: Decoder,
    /// What the client said and nobody heard yet.
    data: Vec<Bytes>,
}

impl Reader<'_> {
    /// Waits until the client said something (`None`), or the connection is over.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Option<CloseReason>> {
        loop {
            if let Poll::Ready(reason) = self.outbox.poll_finished(context) {
                return Poll::Ready(Some(reason));
            }
            if self.outbox.has_ended() {
                // The rest is written, or answers are waited for; nothing new is begun.
                return Poll::Pending;
            }
            if self.socket.poll_read_ready(context).is_pending() {
                return Poll::Pending;
            }
            let read = BUFFER.with_borrow_mut(|buffer| {
                let read = read(self.socket, buffer);
                if let Ok(length @ 1..) = read {
                    self.decode(&buffer[..length]);
                }
                read
            });
            match read {
                Ok(1..) if self.data.is_empty() => {}
                Ok(1..) => return Poll::Ready(None),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => self.outbox.end(CloseReason::Gone),
            }
        }
    }

    fn decode(&mut self, bytes: &[u8]) {
        self.outbox.activity.received_now();
        let (data, outbox) = (&mut self.data, self.outbox);
        let decoded = self.decoder.feed(bytes, |event| match event {
            FrameEvent::Data(bytes) => data.push(bytes.into()),
            FrameEvent::Ping(content) => outbox.pong(content),
            FrameEvent::Close => outbox.end(CloseReason::Gone),
        });
        if let Err(fault) = decoded {
            outbox.end(CloseReason::Frame(fault));
        }
    }
}

/// As [`TcpStream::try_read`]. What does not fill the buffer was all that there was, so that, as with Tokio's own `poll_read`, the
/// socket is then not ready any more: it is waited for without another read that finds nothing.
fn read(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    let read = socket.try_io(Interest::READABLE, || {
        length = rustix::net::recv(socket, &mut *buffer, RecvFlags::empty())?.0;
        // The end of the stream stays to be read.
        if (1..buffer.len()).contains(&length) { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    if length > 0 { Ok(length) } else { read.map(|()| 0) }
}

/// What is left of a WebSocket after the end.
#[derive(Debug)]
pub struct ClosingSocket(Arc<TcpStream>);

impl ClosingSocket {
    /// Says why, closes, and waits for the client to close its side, but not for ever: a socket that is closed with something
    /// unread resets the connection, and the last words are lost.
    pub async fn close(self, outbox: &Outbox, reason: &CloseReason, linger: Duration) {
        let closed = tokio::time::timeout(linger, close(&self.0, outbox, reason));
        // The connection's task need not have room for it all the time.
        let _ = Box::pin(closed).await;
    }
}

async fn close(socket: &TcpStream, outbox: &Outbox, reason: &CloseReason) -> Option<()> {
    let mut bytes = Vec::new();
    if let Some(record) = reason.record(outbox.encoding()) {
        frame::put(&mut bytes, frame::Opcode::of(outbox.encoding()), &record);
    }
    frame::put_close(&mut bytes, reason.code(), reason.name());
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        socket.writable().await.ok()?;
        match socket.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
    if *reason == CloseReason::Gone {
        return None;
    }
    loop {
        socket.readable().await.ok()?;
        match BUFFER.with_borrow_mut(|buffer| socket.try_read(buffer)) {
            Ok(1..) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return Some(()),
        }
    }
}
