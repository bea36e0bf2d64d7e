//! The requests that serve a session, one at a time, over each of its transports (`TransportProtocols.md`).

pub mod long_polling;
pub mod server_sent_events;
pub mod stateful_websocket;
