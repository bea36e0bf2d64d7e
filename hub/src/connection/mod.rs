//! A client as the hub hears it, whatever it comes over: from its handshake to its end.

mod caller;
mod conversation;
mod services;
mod streams;
mod task;

pub use self::conversation::Conversation;
pub use self::services::{ConnectionLimits, ConnectionServices};
pub use self::task::Runner;
