//! The parts of the hub that connections use, and what they may do.

use std::sync::Arc;

use crate::admission::OutboxFactory;
use crate::audiences::ClientResults;
use crate::chat::ChatServices;
use crate::metrics::Metrics;

/// See the module.
#[derive(Debug)]
pub struct ConnectionServices {
    /// The hub pod.
    pub pod: String,
    /// `memory` or `redis`.
    pub backplane: &'static str,
    /// What a client may do.
    pub limits: ConnectionLimits,
    /// The parts that the chat's methods use.
    pub chat: Arc<ChatServices>,
    /// Registry of calls that wait for a client's answer.
    pub client_results: Arc<ClientResults>,
    /// Keys and queues, for the streams of clients.
    pub outbox_factory: Arc<OutboxFactory>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// What a client may do.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The most bytes of one record.
    pub most_message_bytes: usize,
    /// The most calls a second; 0: no limit.
    pub messages_per_second: u32,
    /// Whether clients may speak to each other outside of rooms.
    pub generic_api: bool,
}
