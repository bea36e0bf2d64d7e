//! Lets connections in, and keeps the registry of those that are open.

mod connections;
mod outbox_factory;

pub use self::connections::{Admission, Connections};
pub use self::outbox_factory::OutboxFactory;
