//! Who, of this pod's connections, is in which room; what was said there; and delivery to them.

pub mod crowd;
mod departure;
mod entry;
mod gossip;
mod hold;
mod news;
mod registry;
mod room;
mod telling;
pub mod timeline;

pub use self::entry::{Entered, Entry};
pub use self::hold::Hold;
pub use self::registry::Rooms;
pub use self::room::{Home, Room};

#[cfg(test)]
mod tests;
