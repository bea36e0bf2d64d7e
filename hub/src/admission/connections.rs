//! The connections that are open, and whether one more may be.

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

/// See the module.
#[derive(Debug)]
pub struct Connections {
    by_key: Mutex<HashMap<ConnectionKey, Arc<Outbox>>>,
    /// 0: no limit.
    most: usize,
    per_address: PerAddress,
    outbox_factory: Arc<OutboxFactory>,
    metrics: Arc<Metrics>,
    none_left: Notify,
    draining: AtomicBool,
}

impl Connections {
    /// None yet, and never more than `most` at once; 0: no limit.
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

    /// Notes a connection until the result is dropped. While the hub shuts down, it is told so at once.
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
        // After the insertion, so that either this or the drain sees the other.
        if self.is_draining() {
            outbox.end(CloseReason::Draining);
        }
        self.metrics.connections.inc();
        Ok(Admission { connections: Arc::clone(self), key, id, identity: Arc::new(identity), outbox })
    }

    /// Not ready from now on. Gives the connections that have to be let go.
    pub fn start_draining(&self) -> Vec<Arc<Outbox>> {
        self.draining.store(true, Ordering::SeqCst);
        self.outboxes()
    }

    /// Whether the hub shuts down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Those of all connections.
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

/// A connection that the hub knows of.
#[derive(Debug)]
pub struct Admission {
    connections: Arc<Connections>,
    /// The connection, in this process.
    pub key: ConnectionKey,
    /// The connection, for its client.
    pub id: ConnectionId,
    /// Whose it is.
    pub identity: Arc<ClientIdentity>,
    /// Its queue.
    pub outbox: Arc<Outbox>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut connections = lock(&self.connections.by_key);
        connections.remove(&self.key);
        let none_left = connections.is_empty();
        drop(connections);
        // A connection without a close reason never began: no other hub has handed it over.
        if let Some(reason) = self.outbox.close_reason() {
            self.connections.metrics.disconnected(&reason);
        }
        self.connections.metrics.connections.dec();
        if none_left {
            self.connections.none_left.notify_waiters();
        }
    }
}
