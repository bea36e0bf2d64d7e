//! The backplane over Redis: store, publish and subscribe on one connection, which is made again whenever it breaks.
//!
//! One connection, not two, for then there is one state: subscribed and able to publish, or neither. RESP3 allows
//! commands on a connection with subscriptions; `CLIENT LIST TYPE pubsub` lists it all the same. And what is read of
//! a room's history comes in order with what is heard of it.

mod errand;
mod errands;
mod handle;
mod keeper;
mod role;
mod scripts;
mod session;

pub use self::errand::Errand;
pub use self::handle::{Handle, start};
pub use self::keeper::Identity;
