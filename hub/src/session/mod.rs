//! Connections that outlive a request: over Server-Sent Events, long polling, or stateful reconnect.
//!
//! A task of its own hears what the client sends, in order, by whichever request it came. What the client is told is taken
//! by the one request that serves it at the time; a later one takes over.

mod handle;
mod registry;
mod stateful;

pub(crate) use self::handle::Input;
pub use self::handle::{Kind, ServingLease, Session};
pub use self::registry::{Found, Sessions};
pub use self::stateful::Stateful;
