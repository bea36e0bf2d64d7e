//! The parts of the hub that connections use, and the limits of connections.

use std::sync::Arc;

use crate::admission::OutboxFactory;
use crate::audiences::ClientResults;
use crate::chat::ChatServices;
use crate::metrics::Metrics;

/// The parts of the hub that connections use.
#[derive(Debug)]
pub struct ConnectionServices {
    /// The hub pod.
    pub pod: String,
    /// `memory` or `redis`.
    pub backplane: &'static str,
    /// The limits of each connection.
    pub limits: ConnectionLimits,
    /// The parts that the chat's methods use.
    pub chat: Arc<ChatServices>,
    /// Registry of requests that wait for a client's result.
    pub client_results: Arc<ClientResults>,
    /// Creates keys and queues for the streams of clients.
    pub outbox_factory: Arc<OutboxFactory>,
    /// The hub's metrics.
    pub metrics: Arc<Metrics>,
}

/// The limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The most bytes of one record.
    pub most_message_bytes: usize,
    /// The most invocations in a second; 0: no limit.
    pub messages_per_second: u32,
    /// True if clients may invoke each other outside of rooms.
    pub generic_api: bool,
}
