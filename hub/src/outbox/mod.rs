//! The queue of one connection: any task puts records in, and all that has gathered leaves at once.
//!
//! Where a connection has a socket of its own, the queue is written to it by whoever flushes it ([`Flusher`]): no task
//! of the connection is woken for that, unless the socket takes no more. Otherwise, who serves the connection takes the records.
//!
//! It is bounded. A client that does not read fast enough is let go, so that nobody else is slowed and the memory
//! of the hub does not depend on its clients.

mod activity;
mod close_reason;
mod flusher;
mod queue;
mod socket_writer;

pub use self::activity::Activity;
pub use self::close_reason::CloseReason;
pub use self::flusher::Flusher;
pub use self::queue::{Limits, Outbox, Pushed};
