//! What serves a session: one request at a time, each in its transport's way (`TransportProtocols.md`).

pub mod long_polling;
pub mod server_sent_events;
pub mod stateful_websocket;
