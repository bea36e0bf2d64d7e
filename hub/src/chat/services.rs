//! The parts of the hub that the chat's methods use.

use std::sync::Arc;

use crate::admission::OutboxFactory;
use crate::audiences::{Audiences, ClientResults};
use crate::backplane::Backplane;
use crate::metrics::Metrics;
use crate::rooms::Rooms;

/// The parts of the hub that the chat's methods use.
#[derive(Debug)]
pub struct ChatServices {
    /// The hub pod.
    pub pod: String,
    /// The random id of this process, in eight hexadecimal digits.
    pub instance: String,
    /// The most rooms and groups of one connection.
    pub most_rooms: usize,
    /// Registry of rooms and their members on this hub.
    pub rooms: Arc<Rooms>,
    /// Registry of connections as they are addressed outside of rooms.
    pub audiences: Arc<Audiences>,
    /// Registry of requests that wait for a client's result.
    pub client_results: Arc<ClientResults>,
    /// The connection to the other hubs, and the store of messages.
    pub backplane: Arc<Backplane>,
    /// Creates keys and queues.
    pub outbox_factory: Arc<OutboxFactory>,
    /// The hub's metrics.
    pub metrics: Arc<Metrics>,
}
