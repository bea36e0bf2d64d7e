//! One client's connection over any transport, from its handshake to its end.

mod lifecycle;
mod method_invoker;
mod services;
mod streams;
mod task;

pub use self::lifecycle::Connection;
pub use self::services::{ConnectionLimits, ConnectionServices};
pub use self::task::Runner;
