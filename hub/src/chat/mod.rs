//! The hub's methods, with plain types for arguments and results. The module `connection` parses invocations
//! and sends completions.

mod client;
mod handover;
mod invocations;
mod results;
mod room_methods;
mod services;

pub use self::client::{Client, ConnectionHandle};
pub use self::results::{JoinResult, RoomMembers};
pub use self::services::ChatServices;
