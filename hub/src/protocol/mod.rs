//! The chat in terms of SignalR's hub protocol: the hub's methods, its messages to clients, and those between hubs.
//!
//! Everything here is pure: text in, values out.

pub mod frame;
pub mod methods;
pub mod moving;
pub mod notices;
pub mod position;
pub mod presence;
pub mod room;
pub mod said;
pub mod word;
