//! What serves a session: one request at a time, each in its transport's way (`TransportProtocols.md`).

pub mod events;
pub mod polls;
pub mod resumable;
