//! Admits connections, and keeps the registry of open ones.

mod connections;
mod outbox_factory;

pub use self::connections::{Admission, Connections};
pub use self::outbox_factory::OutboxFactory;
