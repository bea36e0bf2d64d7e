//! Rooms of this hub: their members here, their messages, and their presence on all hubs.

mod handover;
mod hold;
mod join;
pub mod presence;
mod presence_diff;
mod presence_queue;
mod presence_sync;
mod registry;
mod room;
pub mod timeline;

pub use self::hold::RoomHold;
pub use self::join::{HistoryRequest, JoinSnapshot};
pub use self::presence_diff::MOST_NAMED;
pub use self::registry::Rooms;
pub use self::room::{LocalHub, Room};

#[cfg(test)]
mod tests;
