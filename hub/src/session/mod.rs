//! Connections that outlive a request: over Server-Sent Events, long polling, or stateful reconnect.
//!
//! Each session has a task that handles the client's data in order, by whichever request it arrives. Records
//! for the client are sent by the one request that serves it at the time; a later request supersedes it.

mod handle;
mod registry;
mod stateful;

pub(crate) use self::handle::Input;
pub use self::handle::{Kind, ServingLease, Session};
pub use self::registry::{Found, Sessions};
pub use self::stateful::Stateful;
