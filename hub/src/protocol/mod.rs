//! The chat in terms of SignalR's hub protocol: the hub's methods, its messages to clients, and those between hubs.
//!
//! Everything here is pure: text in, values out.

pub mod connection_ref;
pub mod frame;
pub mod handover_state;
pub mod methods;
pub mod names;
pub mod notices;
pub mod peer_messages;
pub mod position;
pub mod presence;
pub mod stored_message;
