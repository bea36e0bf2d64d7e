//! The registry of open connections, and their limits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::outbox_factory::OutboxFactory;
use crate::guards::{AdmissionError, ClientIdentity, PerAddress};
use crate::members::ConnectionKey;
use crate::metrics::Metrics;
use crate::outbox::{CloseReason, Outbox};
use crate::sync::lock;
use crate::token::ConnectionId;

/// The registry of open connections, which also decides whether another one is admitted.
#[derive(Debug)]
pub struct Connections {
    by_key: Mutex<HashMap<ConnectionKey, Arc<Outbox>>>,
    /// The most open connections; 0: no limit.
    most: usize,
    per_address: PerAddress,
    outbox_factory: Arc<OutboxFactory>,
    metrics: Arc<Metrics>,
    none_left: Notify,
    draining: AtomicBool,
}

impl Connections {
    /// An empty registry of at most `most` connections; 0: no limit.
    pub fn new(
        most: usize,
        per_address: PerAddress,
        outbox_factory: Arc<OutboxFactory>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            by_key: Mutex::default(),
            most,
            per_address,
            outbox_factory,
            metrics,
            none_left: Notify::new(),
            draining: AtomicBool::new(false),
        }
    }

    /// Registers a connection until the returned [`Admission`] is dropped. While the hub shuts down, the
    /// connection ends at once.
    ///
    /// # Errors
    /// [`AdmissionError::Full`] and [`AdmissionError::TooFast`].
    pub fn admit(
        self: &Arc<Self>,
        id: ConnectionId,
        identity: ClientIdentity,
        address: IpAddr,
    ) -> Result<Admission, AdmissionError> {
        let admitted = self.try_admit(id, identity, address);
        if admitted.is_err() {
            self.metrics.connections_refused.inc();
        }
        admitted
    }

    fn try_admit(
        self: &Arc<Self>,
        id: ConnectionId,
        identity: ClientIdentity,
        address: IpAddr,
    ) -> Result<Admission, AdmissionError> {
        if !self.per_address.take(address) {
            return Err(AdmissionError::TooFast);
        }
        let (key, outbox) = self.outbox_factory.create();
        if let Some(time) = identity.expires_in {
            outbox.activity.expires_in(time);
        }
        let mut connections = lock(&self.by_key);
        if self.most > 0 && connections.len() >= self.most {
            return Err(AdmissionError::Full);
        }
        connections.insert(key, Arc::clone(&outbox));
        drop(connections);
        // This follows the insertion, so that either the drain sees the connection or the connection sees the
        // drain.
        if self.is_draining() {
            outbox.end(CloseReason::Draining);
        }
        self.metrics.connections.inc();
        Ok(Admission { connections: Arc::clone(self), key, id, identity: Arc::new(identity), outbox })
    }

    /// Makes the hub not ready from now on. Returns the outboxes of the connections that have to be closed.
    pub fn start_draining(&self) -> Vec<Arc<Outbox>> {
        self.draining.store(true, Ordering::SeqCst);
        self.outboxes()
    }

    /// True while the hub shuts down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// The outboxes of all connections.
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        lock(&self.by_key).values().cloned().collect()
    }

    /// Waits until no connection is left.
    pub async fn empty(&self) {
        loop {
            let notified = self.none_left.notified();
            if lock(&self.by_key).is_empty() {
                return;
            }
            notified.await;
        }
    }
}

/// A registered connection. Dropping it removes the connection from the registry.
#[derive(Debug)]
pub struct Admission {
    connections: Arc<Connections>,
    /// The key of the connection in this process.
    pub key: ConnectionKey,
    /// The id of the connection, for its client.
    pub id: ConnectionId,
    /// The identity of the client.
    pub identity: Arc<ClientIdentity>,
    /// The queue of the connection.
    pub outbox: Arc<Outbox>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut connections = lock(&self.connections.by_key);
        connections.remove(&self.key);
        let none_left = connections.is_empty();
        drop(connections);
        // A connection without a close reason never began: it was to be handed over, and no other hub did so.
        if let Some(reason) = self.outbox.close_reason() {
            self.connections.metrics.disconnected(&reason);
        }
        self.connections.metrics.connections.dec();
        if none_left {
            self.connections.none_left.notify_waiters();
        }
    }
}
