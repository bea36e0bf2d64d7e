//! The queue of one connection.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};

use signalr::encoding::Encoding;
use signalr::record::Record;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::close_reason::CloseReason;
use super::flusher::{Flush, Flusher};
use super::socket_writer::{SocketWriter, Written};
use crate::sync::lock;

/// The bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most records.
    pub records: usize,
    /// The most bytes of these records. Queues share the bytes of a record, so this bounds delay more than
    /// memory.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { records: 4096, bytes: 1024 * 1024 }
    }
}

/// The fate of a record that was added to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The record is written next.
    Queued,
    /// The connection has ended, or is about to, and the record was dropped.
    Ended,
    /// The queue was full, which ended the connection.
    Overflow,
}

/// The queue of one connection.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    ended: CancellationToken,
    limits: Limits,
    encoding: OnceLock<Encoding>,
    flusher: Arc<Flusher<Outbox>>,
    /// The times of the last messages in both directions.
    pub activity: Activity,
}

#[derive(Debug, Default)]
struct Queue {
    records: Vec<Record>,
    /// The bytes of the records, and of data that the socket has not taken yet.
    bytes: usize,
    /// The number of completions that the client still waits for.
    pending_completions: usize,
    reason: Option<CloseReason>,
    /// The connection's own task, while it waits.
    task: Option<Waker>,
    /// The connection's socket, if the queue is written to it directly.
    writer: Option<SocketWriter>,
    /// True while the flusher is going to write this queue.
    is_enqueued: bool,
}

impl Queue {
    /// True if nothing more is to be written after the present records. A hub that shuts down sends the
    /// pending completions first: a client that is told to reconnect would otherwise send its messages again,
    /// although they were stored.
    fn is_finished(&self) -> bool {
        match self.reason {
            None => false,
            Some(CloseReason::Draining | CloseReason::HandedOver) => self.pending_completions == 0,
            Some(_) => true,
        }
    }

    /// Registers the task to be woken by the next event.
    fn wait(&mut self, context: &Context<'_>) {
        match &mut self.task {
            Some(task) => task.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }
}

impl Outbox {
    /// An empty queue.
    pub fn new(limits: Limits, flusher: Arc<Flusher<Outbox>>, activity: Activity) -> Self {
        Self {
            queue: Mutex::default(),
            ended: CancellationToken::new(),
            limits,
            encoding: OnceLock::new(),
            flusher,
            activity,
        }
    }

    /// A queue without a connection.
    #[cfg(test)]
    pub(crate) fn alone(limits: Limits) -> Arc<Self> {
        Arc::new(Self::new(limits, Flusher::idle(), Activity::new(std::time::Instant::now())))
    }

    /// The encoding that the client chose in its handshake; JSON until then.
    pub fn encoding(&self) -> Encoding {
        self.encoding.get().copied().unwrap_or(Encoding::Json)
    }

    /// Sets the encoding, once, after the handshake.
    pub fn set_encoding(&self, encoding: Encoding) {
        let _ = self.encoding.set(encoding);
    }

    /// Adds a record for the client.
    pub fn push(self: &Arc<Self>, record: Record) -> Pushed {
        let queue = self.lock();
        if queue.reason.is_some() {
            return Pushed::Ended;
        }
        self.enqueue(queue, record)
    }

    /// Announces a completion for the client, which [`Outbox::complete`] then adds.
    pub fn expect_completion(&self) {
        self.lock().pending_completions += 1;
    }

    /// True if the client waits for no completion.
    pub fn has_no_pending_completions(&self) -> bool {
        self.lock().pending_completions == 0
    }

    /// Adds a completion that was announced, even if the hub has begun to shut down.
    pub fn complete(self: &Arc<Self>, record: Record) -> Pushed {
        let mut queue = self.lock();
        if queue.is_finished() {
            return Pushed::Ended;
        }
        queue.pending_completions -= 1;
        // After the last completion the connection may end, and nothing else would wake its task if the
        // client is silent.
        let task = if queue.is_finished() { queue.task.take() } else { None };
        let pushed = self.enqueue(queue, record);
        if let Some(task) = task {
            task.wake();
        }
        pushed
    }

    fn enqueue(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>, record: Record) -> Pushed {
        queue.bytes += record.len();
        if queue.records.len() == self.limits.records || queue.bytes > self.limits.bytes {
            // The client will not read these records in time. Without them, it may at least receive the
            // reason.
            queue.records = Vec::new();
            drop(queue);
            self.end(CloseReason::SlowConsumer);
            return Pushed::Overflow;
        }
        queue.records.push(record);
        if queue.writer.is_none() {
            let task = queue.task.take();
            drop(queue);
            if let Some(task) = task {
                task.wake();
            }
        } else if !std::mem::replace(&mut queue.is_enqueued, true) {
            drop(queue);
            self.flusher.add(self);
        }
        Pushed::Queued
    }

    /// Ends the connection, unless it has been ended for another reason already.
    pub fn end(&self, reason: CloseReason) {
        let mut queue = self.lock();
        if queue.reason.is_some() {
            return;
        }
        queue.reason = Some(reason);
        let task = queue.task.take();
        drop(queue);
        self.ended.cancel();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Waits until the connection is ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// True if the connection is ended.
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits for records or the end, and moves all records to `batch`, which has to be empty. Returns the
    /// reason after the end, together with the last records. Only one task may wait.
    pub async fn take(&self, batch: &mut Vec<Record>) -> Option<CloseReason> {
        std::future::poll_fn(|context| {
            let mut queue = self.lock();
            if queue.records.is_empty() && !queue.is_finished() {
                queue.wait(context);
                return Poll::Pending;
            }
            // The caller's empty vector becomes the queue, so that neither side allocates memory again.
            std::mem::swap(&mut queue.records, batch);
            queue.bytes = 0;
            self.activity.sent_now();
            Poll::Ready(if queue.is_finished() { queue.reason.clone() } else { None })
        })
        .await
    }

    /// Lets the queue be written to `socket` as WebSocket frames from now on; see [`Outbox::poll_finished`].
    pub(crate) fn attach_socket(&self, socket: Arc<TcpStream>) {
        self.lock().writer = Some(SocketWriter::new(socket));
    }

    /// Delays all writes until the returned guard is dropped. The drop then writes them at once, without the
    /// flusher and in one system call. The guard has to be dropped soon, because records from other tasks
    /// wait for it, too.
    pub(crate) fn batch_writes(&self) -> WriteBatch<'_> {
        let mut queue = self.lock();
        // If the queue is scheduled already, the flusher writes it.
        let is_ours = queue.writer.is_some() && !std::mem::replace(&mut queue.is_enqueued, true);
        drop(queue);
        WriteBatch { outbox: self, is_ours }
    }

    fn write(&self, queue: &mut Queue) {
        let Queue { records, writer: Some(writer), bytes, task, .. } = queue else { return };
        let unsent = writer.unsent();
        let written = writer.write(records, self.encoding());
        if records.is_empty() {
            if records.capacity() > 64 {
                // The buffer has grown in a burst. Otherwise an idle connection would keep it.
                *records = Vec::new();
            }
            *bytes = writer.unsent();
        } else {
            // The socket was full before these records could be written.
            *bytes -= unsent - writer.unsent();
        }
        self.activity.sent_now();
        let task = task.take_if(|_| written != Written::All);
        if written == Written::Broken {
            queue.reason.get_or_insert(CloseReason::Gone);
            self.ended.cancel();
        }
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Answers a ping of the WebSocket.
    pub(crate) fn pong(self: &Arc<Self>, content: Vec<u8>) {
        let mut queue = self.lock();
        let Some(writer) = &mut queue.writer else { return };
        writer.pong(content);
        self.write(&mut queue);
    }

    /// Serves the end of a connection whose queue is written to its socket: continues a write when the socket
    /// was full, and is ready with the reason once the connection has ended and all records are written.
    /// Called by the connection's task.
    pub(crate) fn poll_finished(&self, context: &mut Context<'_>) -> Poll<CloseReason> {
        let mut queue = self.lock();
        queue.wait(context);
        loop {
            let Some(writer) = &queue.writer else { return Poll::Pending };
            if writer.unsent() > 0 {
                if queue.reason == Some(CloseReason::Gone) {
                    return Poll::Ready(CloseReason::Gone);
                }
                if writer.poll_ready(context).is_pending() {
                    return Poll::Pending;
                }
                self.write(&mut queue);
                continue;
            }
            if !queue.is_finished() {
                return Poll::Pending;
            }
            if queue.records.is_empty() {
                return queue.reason.clone().map_or(Poll::Pending, Poll::Ready);
            }
            self.write(&mut queue);
        }
    }

    /// The reason why the connection ended, if it has ended.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.lock().reason.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code under this lock panics, and the queue is consistent between any two statements.
        lock(&self.queue)
    }
}

impl Flush for Outbox {
    /// Writes all records. If the socket is full, the connection's task continues later.
    fn flush(&self) {
        let mut queue = self.lock();
        queue.is_enqueued = false;
        self.write(&mut queue);
    }
}

/// Delays writes until it is dropped, see [`Outbox::batch_writes`].
pub(crate) struct WriteBatch<'a> {
    outbox: &'a Outbox,
    is_ours: bool,
}

impl Drop for WriteBatch<'_> {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        let mut queue = self.outbox.lock();
        queue.is_enqueued = false;
        if !queue.records.is_empty() {
            self.outbox.write(&mut queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Arc<Outbox> {
        Outbox::alone(Limits { records: 2, bytes: 10 })
    }

    fn record(text: &'static str) -> Record {
        Record::new(text.as_bytes())
    }

    async fn taken(outbox: &Outbox) -> (Vec<Record>, Option<CloseReason>) {
        let mut batch = Vec::new();
        let reason = outbox.take(&mut batch).await;
        (batch, reason)
    }

    #[tokio::test]
    async fn all_that_gathered_is_taken_at_once_and_in_order() {
        let outbox = small();

        assert_eq!(outbox.push(record("a")), Pushed::Queued);
        assert_eq!(outbox.push(record("b")), Pushed::Queued);

        assert_eq!(taken(&outbox).await, (vec![record("a"), record("b")], None));
    }

    #[tokio::test]
    async fn a_waiting_writer_is_woken() {
        let outbox = small();

        let (batch, _) = tokio::join!(taken(&outbox), async { outbox.push(record("a")) });

        assert_eq!(batch, (vec![record("a")], None));
    }

    #[tokio::test]
    async fn one_record_too_many_ends_the_connection() {
        let outbox = small();
        outbox.push(record("a"));
        outbox.push(record("b"));

        assert_eq!(outbox.push(record("c")), Pushed::Overflow);
        assert_eq!(outbox.push(record("d")), Pushed::Ended);
        assert_eq!(taken(&outbox).await, (vec![], Some(CloseReason::SlowConsumer)));
    }

    #[tokio::test]
    async fn one_byte_too_many_ends_the_connection() {
        let outbox = small();

        assert_eq!(outbox.push(record("12345678901")), Pushed::Overflow);
    }

    #[tokio::test]
    async fn a_hub_that_shuts_down_sends_pending_completions_first() {
        let outbox = small();
        outbox.expect_completion();
        outbox.end(CloseReason::Draining);

        assert_eq!(outbox.push(record("new")), Pushed::Ended);
        let (batch, _) = tokio::join!(taken(&outbox), async { outbox.complete(record("done")) });

        assert_eq!(batch, (vec![record("done")], Some(CloseReason::Draining)));
    }

    #[tokio::test]
    async fn a_completion_for_a_client_that_is_gone_is_not_waited_for() {
        let outbox = small();
        outbox.expect_completion();

        outbox.end(CloseReason::Gone);

        assert_eq!(taken(&outbox).await, (vec![], Some(CloseReason::Gone)));
        assert_eq!(outbox.complete(record("done")), Pushed::Ended);
    }

    #[tokio::test]
    async fn the_first_reason_counts_and_what_was_queued_is_still_written() {
        let outbox = small();
        outbox.push(record("a"));

        outbox.end(CloseReason::Draining);
        outbox.end(CloseReason::Gone);

        outbox.ended().await;
        assert_eq!(taken(&outbox).await, (vec![record("a")], Some(CloseReason::Draining)));
    }
}
