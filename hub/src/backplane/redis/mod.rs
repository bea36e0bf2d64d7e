//! The backplane over Redis: stores, publishes and subscribes on one connection, which is opened again
//! whenever it breaks.
//!
//! There is one connection and not two, so that there is one state: subscribed and able to publish, or
//! neither. RESP3 allows commands on a connection with subscriptions, and `CLIENT LIST TYPE pubsub` still
//! lists it. Also, a room's history that is read on it arrives in order with the room's messages.

mod command;
mod connection;
mod handle;
mod keeper;
mod pipeline;
mod role;
mod scripts;

pub use self::command::Command;
pub use self::handle::{Handle, start};
pub use self::keeper::HubIdentity;
