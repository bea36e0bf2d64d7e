//! A client's WebSocket: one task reads it, and the outbox's flusher writes it.

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

/// The most bytes that are read at once. The buffer belongs to the thread; a connection keeps none.
const READ: usize = 16 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// The receiver of a client's data.
pub trait MessageHandler {
    /// Handles some bytes of the client's records. An error ends the connection.
    fn handle(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), CloseReason>> + Send;
}

/// Serves a client until it or the hub ends the connection, and returns the reason. The client has not been
/// told of the end yet, see [`ClosingSocket::close`]. `early` is data that arrived together with the request.
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
            // The memory for an invocation is allocated only while one is carried out, because most
            // connections are idle at most times.
            let mut handling = Box::pin(handler.handle(bytes));
            let outcome = tokio::select! {
                // Messages that an invocation causes immediately are written together.
                outcome = poll_fn(|context| {
                    let _write_batch = outbox.batch_writes();
                    handling.as_mut().poll(context)
                }) => outcome,
                // While the hub is busy with an invocation, messages to the client continue to be written.
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
    /// Data from the client that has not been handled yet.
    data: Vec<Bytes>,
}

impl Reader<'_> {
    /// Waits until data has arrived (`None`), or the connection has ended.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Option<CloseReason>> {
        loop {
            if let Poll::Ready(reason) = self.outbox.poll_finished(context) {
                return Poll::Ready(Some(reason));
            }
            if self.outbox.has_ended() {
                // The last records are being written or completions are pending; no new data is read.
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

/// Reads as [`TcpStream::try_read`] does. A read that does not fill the buffer has emptied the socket, which
/// then counts as not ready, as with Tokio's own `poll_read`: this saves another read that finds nothing.
fn read(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    let read = socket.try_io(Interest::READABLE, || {
        length = rustix::net::recv(socket, &mut *buffer, RecvFlags::empty())?.0;
        // At the end of the stream (0 bytes) the socket stays ready.
        if (1..buffer.len()).contains(&length) { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    if length > 0 { Ok(length) } else { read.map(|()| 0) }
}

/// The rest of a WebSocket after its connection has ended.
#[derive(Debug)]
pub struct ClosingSocket(Arc<TcpStream>);

impl ClosingSocket {
    /// Sends the reason, closes the socket, and waits for the client to close its side, for at most `linger`.
    /// A socket that is closed with unread data would reset the connection, and the last messages would be
    /// lost.
    pub async fn close(self, outbox: &Outbox, reason: &CloseReason, linger: Duration) {
        let closed = tokio::time::timeout(linger, close(&self.0, outbox, reason));
        // The future is boxed, so that the connection's task does not reserve memory for it all the time.
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
