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

/// How much may wait for a client.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Records.
    pub records: usize,
    /// Bytes of these records. They are shared by all who wait for them, so this bounds delay more than memory.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { records: 4096, bytes: 1024 * 1024 }
    }
}

/// Whether a record will be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is written next.
    Queued,
    /// The connection is about to end and takes no more.
    Ended,
    /// The queue was full; this record ended the connection.
    Overflow,
}

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    ended: CancellationToken,
    limits: Limits,
    encoding: OnceLock<Encoding>,
    flusher: Arc<Flusher<Outbox>>,
    /// When something was last said and heard.
    pub activity: Activity,
}

#[derive(Debug, Default)]
struct Queue {
    records: Vec<Record>,
    /// Of the records, and of what the socket did not take.
    bytes: usize,
    /// Answers that the client still waits for.
    pending_completions: usize,
    reason: Option<CloseReason>,
    /// The connection's own task, when it waits.
    task: Option<Waker>,
    /// The connection's socket, if it is written to directly.
    writer: Option<SocketWriter>,
    /// The flusher knows of it.
    is_enqueued: bool,
}

impl Queue {
    /// Nothing more is to be written. A hub that shuts down first keeps its promises: a client that is told to
    /// connect again would otherwise send again what was sent.
    fn is_finished(&self) -> bool {
        match self.reason {
            None => false,
            Some(CloseReason::Draining | CloseReason::HandedOver) => self.pending_completions == 0,
            Some(_) => true,
        }
    }

    /// The task is to be woken by what happens next.
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

    /// One that nothing is connected to.
    #[cfg(test)]
    pub(crate) fn alone(limits: Limits) -> Arc<Self> {
        Arc::new(Self::new(limits, Flusher::idle(), Activity::new(std::time::Instant::now())))
    }

    /// What the client's handshake says; JSON until then.
    pub fn encoding(&self) -> Encoding {
        self.encoding.get().copied().unwrap_or(Encoding::Json)
    }

    /// Once, after the handshake.
    pub fn set_encoding(&self, encoding: Encoding) {
        let _ = self.encoding.set(encoding);
    }

    /// Queues a record for the client.
    pub fn push(self: &Arc<Self>, record: Record) -> Pushed {
        let queue = self.lock();
        if queue.reason.is_some() {
            return Pushed::Ended;
        }
        self.enqueue(queue, record)
    }

    /// The client will get an answer, by [`Outbox::complete`].
    pub fn expect_completion(&self) {
        self.lock().pending_completions += 1;
    }

    /// Whether the client waits for no answer.
    pub fn has_no_pending_completions(&self) -> bool {
        self.lock().pending_completions == 0
    }

    /// Queues an answer that was promised, if need be also after the hub began to shut down.
    pub fn complete(self: &Arc<Self>, record: Record) -> Pushed {
        let mut queue = self.lock();
        if queue.is_finished() {
            return Pushed::Ended;
        }
        queue.pending_completions -= 1;
        // After the last one the connection may end, and a client that says nothing wakes nobody.
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
            // What waits will not be read in time; without it, the reason has a chance.
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

    /// Ends the connection, for the first reason that is given.
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

    /// Waits until the connection is to end.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Whether the connection is to end.
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits for records or the end, and moves all records to `batch`, which has to be empty. After the end it
    /// gives the reason, together with what was still queued. Only one task may wait.
    pub async fn take(&self, batch: &mut Vec<Record>) -> Option<CloseReason> {
        std::future::poll_fn(|context| {
            let mut queue = self.lock();
            if queue.records.is_empty() && !queue.is_finished() {
                queue.wait(context);
                return Poll::Pending;
            }
            // The taker's empty vector becomes the queue: neither side allocates anew.
            std::mem::swap(&mut queue.records, batch);
            queue.bytes = 0;
            self.activity.sent_now();
            Poll::Ready(if queue.is_finished() { queue.reason.clone() } else { None })
        })
        .await
    }

    /// From now on the queue is written to `socket` as WebSocket frames; see [`Outbox::poll_finished`].
    pub(crate) fn attach_socket(&self, socket: Arc<TcpStream>) {
        self.lock().writer = Some(SocketWriter::new(socket));
    }

    /// What is said until the result is dropped is then written at once, by whoever drops it: without a way over the flusher,
    /// and in one system call. It is to be dropped soon, for others' records wait, too.
    pub(crate) fn batch_writes(&self) -> WriteBatch<'_> {
        let mut queue = self.lock();
        // Otherwise the flusher is about to write it.
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
                // After a burst; otherwise an idle connection would keep it.
                *records = Vec::new();
            }
            *bytes = writer.unsent();
        } else {
            // The socket was full before their turn came.
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

    /// Answers a WebSocket ping.
    pub(crate) fn pong(self: &Arc<Self>, content: Vec<u8>) {
        let mut queue = self.lock();
        let Some(writer) = &mut queue.writer else { return };
        writer.pong(content);
        self.write(&mut queue);
    }

    /// For the task of a connection that is written to directly: goes on writing when the socket was full, and is ready once
    /// all is written that is to be written before the end.
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

    /// Why the connection is to end, if it is.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.lock().reason.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that is done under this lock panics, and a queue is sound between any two statements.
        lock(&self.queue)
    }
}

impl Flush for Outbox {
    /// Writes what has gathered, unless the socket is full already: then the connection's task waits for it.
    fn flush(&self) {
        let mut queue = self.lock();
        queue.is_enqueued = false;
        self.write(&mut queue);
    }
}

/// See [`Outbox::batch_writes`].
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
    async fn a_hub_that_shuts_down_keeps_its_promises_first() {
        let outbox = small();
        outbox.expect_completion();
        outbox.end(CloseReason::Draining);

        assert_eq!(outbox.push(record("new")), Pushed::Ended);
        let (batch, _) = tokio::join!(taken(&outbox), async { outbox.complete(record("done")) });

        assert_eq!(batch, (vec![record("done")], Some(CloseReason::Draining)));
    }

    #[tokio::test]
    async fn a_promise_to_who_has_gone_is_waited_for_by_nobody() {
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
