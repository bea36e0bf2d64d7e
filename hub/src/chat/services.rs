//! The parts of the hub that the chat's methods use.

use std::sync::Arc;

use crate::admission::OutboxFactory;
use crate::audiences::{Audiences, ClientResults};
use crate::backplane::Backplane;
use crate::metrics::Metrics;
use crate::rooms::Rooms;

/// See the module.
#[derive(Debug)]
pub struct ChatServices {
    /// The hub pod.
    pub pod: String,
    /// This process, in a few letters.
    pub instance: String,
    /// The most rooms and groups of one connection.
    pub most_rooms: usize,
    /// Registry of rooms and their members on this hub.
    pub rooms: Arc<Rooms>,
    /// Registry of connections that are spoken to outside of rooms.
    pub audiences: Arc<Audiences>,
    /// Registry of calls that wait for a client's answer.
    pub client_results: Arc<ClientResults>,
    /// The way to the members that other hubs serve.
    pub backplane: Arc<Backplane>,
    /// Keys and queues.
    pub outbox_factory: Arc<OutboxFactory>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}
