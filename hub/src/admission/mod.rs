//! Lets connections in, and keeps the registry of those that are open.

mod connections;
mod listeners;

pub use self::connections::{Admission, Connections};
pub use self::listeners::Listeners;
