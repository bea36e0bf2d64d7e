//! Port-forwards to hub pods. Each connection has a port-forward of its own, which ends with its pod.

use std::sync::atomic::{AtomicUsize, Ordering};

use chatcluster_api::names::Component;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::io::{DuplexStream, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::read::{is_ready, pods};

/// Connects to a port of a pod. The connection ends with its pod.
pub(crate) async fn connect(cluster: &Cluster, pod: &str, port: u16) -> Result<DuplexStream, Fault> {
    let what = || format!("forward a port to pod {pod}");
    let forwarder = cluster.api::<Pod>().portforward(pod, &[port]).await;
    let mut forwarder = forwarder.map_err(|e| Fault::of(what(), &e))?;
    forwarder.take_stream(port).ok_or_else(|| Fault::failed(what(), "no stream was made"))
}

/// The names of the hub pods that are ready.
pub(crate) async fn ready_hubs(cluster: &Cluster, name: &str) -> Result<Vec<String>, Fault> {
    let pods = pods(cluster, name, Component::Hub).await?;
    Ok(pods.iter().filter(|pod| is_ready(pod)).map(ResourceExt::name_any).collect())
}

/// A local port whose connections are forwarded to hubs.
pub(crate) struct Door {
    pub(crate) cluster: Cluster,
    pub(crate) name: String,
    pub(crate) hub_port: u16,
    /// Counts connections, so that they are spread over the hubs
    pub(crate) turn: AtomicUsize,
}

impl Door {
    /// Forwards each connection to a ready hub, round robin, until an error ends it.
    pub(crate) async fn serve(&'static self, listener: TcpListener) -> Fault {
        loop {
            match listener.accept().await {
                Ok((near, _)) => tokio::spawn(async move {
                    if let Err(fault) = self.lead(near).await {
                        eprintln!("a connection ended: {fault}");
                    }
                }),
                Err(error) => return Fault::failed("accept a connection", error),
            };
        }
    }

    async fn lead(&self, mut near: TcpStream) -> Result<(), Fault> {
        let mut far = self.connect().await?;
        // However it ends, the client notices and reconnects, to a hub that is ready.
        let _ = near.set_nodelay(true);
        let _ = copy_bidirectional(&mut near, &mut far).await;
        Ok(())
    }

    /// Connects to the next hub in turn, or to another if that one has just gone.
    async fn connect(&self) -> Result<DuplexStream, Fault> {
        let hubs = ready_hubs(&self.cluster, &self.name).await?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut last =
            Fault::No(format!("no hub of {} is ready: kubectl chat status {}", self.name, self.name));
        for i in 0..hubs.len() {
            match connect(&self.cluster, &hubs[(turn + i) % hubs.len()], self.hub_port).await {
                Ok(connection) => return Ok(connection),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }
}
