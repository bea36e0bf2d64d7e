//! What a client can do: the hub's methods, with plain types in and out. How they are called is others' concern.

mod client;
mod handover;
mod invocations;
mod results;
mod room_methods;
mod services;

pub use self::client::{Client, ConnectionHandle};
pub use self::results::{JoinResult, RoomMembers};
pub use self::services::ChatServices;
