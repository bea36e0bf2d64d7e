//! The backplane over Redis: store, publish and subscribe on one connection, which is made again whenever it breaks.
//!
//! One connection, not two, for then there is one state: subscribed and able to publish, or neither. RESP3 allows
//! commands on a connection with subscriptions; `CLIENT LIST TYPE pubsub` lists it all the same. And what is read of
//! a room's history comes in order with what is heard of it.

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
