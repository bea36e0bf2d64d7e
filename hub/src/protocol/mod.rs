//! The chat protocol on top of SignalR's hub protocol: the hub's methods, the hub's messages to clients, and
//! the messages between hubs.
//!
//! All code here is pure: text in, values out.

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
