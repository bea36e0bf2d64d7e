//! The queue of one connection: any task adds records, and all records that have gathered are sent at once.
//!
//! If a connection has a socket of its own, the [`Flusher`] writes the queue to it, or a task that has just
//! added records does. The connection's own task is not woken for that, unless the socket is full. Otherwise,
//! the task that serves the connection takes the records.
//!
//! The queue is bounded. A client that does not read fast enough is disconnected, so that it slows nobody
//! else, and so that the hub's memory does not depend on its clients.

mod activity;
mod close_reason;
mod flusher;
mod queue;
mod socket_writer;

pub use self::activity::Activity;
pub use self::close_reason::CloseReason;
pub use self::flusher::Flusher;
pub use self::queue::{Limits, Outbox, Pushed};
