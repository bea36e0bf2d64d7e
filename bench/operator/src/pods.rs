//! A watch of the clusters' pods: their readiness, and the addresses that Redis pods would have.

use crate::api::Api;
use anyhow::{Context, Result};
use futures::{AsyncBufReadExt, StreamExt};
use http::Request;
use serde::Deserialize;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const WATCH: &str = "/api/v1/pods?watch=true&timeoutSeconds=7200&labelSelector=app.kubernetes.io/instance";

/// A cluster's namespace and name.
type Key = (String, String);

/// The pods that the watch has shown so far.
#[derive(Clone, Default)]
pub(crate) struct Pods {
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// Pods by cluster and name.
    clusters: HashMap<Key, HashMap<String, Pod>>,
    /// Clusters by the address of their Redis.
    redis: HashMap<IpAddr, Key>,
}

#[derive(Clone, Debug)]
struct Pod {
    ready: bool,
    address: Option<IpAddr>,
    is_hub: bool,
}

impl Pods {
    /// Watches until the process ends.
    pub(crate) fn watch(api: &Api) -> Self {
        let pods = Self::default();
        let (watched, api) = (pods.clone(), api.clone());
        tokio::spawn(async move {
            loop {
                if let Err(error) = watched.follow(&api).await {
                    eprintln!("watching pods: {error:#}; once more");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        });
        pods
    }

    /// The number of a cluster's pods that are ready.
    pub(crate) fn ready(&self, namespace: &str, cluster: &str) -> usize {
        let key = (namespace.to_owned(), cluster.to_owned());
        self.lock().clusters.get(&key).map_or(0, |pods| pods.values().filter(|pod| pod.ready).count())
    }

    /// The ready hubs, by name and address, of the cluster whose Redis would have this address.
    pub(crate) fn hubs_at(&self, address: IpAddr) -> Vec<(String, IpAddr)> {
        let known = self.lock();
        let pods = known.redis.get(&address).and_then(|cluster| known.clusters.get(cluster));
        let hubs = pods.into_iter().flatten().filter(|(_, pod)| pod.is_hub && pod.ready);
        hubs.filter_map(|(name, pod)| Some((name.clone(), pod.address?))).collect()
    }

    async fn follow(&self, api: &Api) -> Result<()> {
        let request = Request::get(WATCH).body(Vec::new())?;
        let stream = api.client().request_stream(request).await?;
        // A watch without a resource version begins with all pods that exist.
        *self.lock() = Known::default();
        let mut lines = stream.lines();
        while let Some(line) = lines.next().await {
            let event: Event = serde_json::from_str(&line?).context("an event of the watch")?;
            self.lock().take(event);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn take(&mut self, event: Event) {
        let Event { type_, object: Object { metadata, status } } = event;
        let label = |label: &str| metadata.labels.get(label).cloned().unwrap_or_default();
        let cluster = (metadata.namespace.clone(), label("app.kubernetes.io/instance"));
        if type_ == "DELETED" {
            if let Some(pods) = self.clusters.get_mut(&cluster)
                && let Some(pod) = pods.remove(&metadata.name)
                && let Some(address) = pod.address.filter(|_| !pod.is_hub)
                // Another pod may have the address already.
                && self.redis.get(&address) == Some(&cluster)
            {
                self.redis.remove(&address);
            }
            return;
        }
        let is_hub = label("app.kubernetes.io/component") == "hub";
        let address = status.pod_ip.and_then(|ip| ip.parse().ok());
        if let Some(address) = address.filter(|_| !is_hub) {
            self.redis.insert(address, cluster.clone());
        }
        let ready = metadata.deletion_timestamp.is_none()
            && status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
        self.clusters.entry(cluster).or_default().insert(metadata.name, Pod { ready, address, is_hub });
    }
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    type_: String,
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(default)]
    labels: HashMap<String, String>,
    deletion_timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(type_: &str, name: &str, component: &str, ip: &str, ready: &str) -> Event {
        let labels =
            json!({"app.kubernetes.io/instance": "c00001", "app.kubernetes.io/component": component});
        serde_json::from_value(json!({"type": type_, "object": {
            "metadata": {"name": name, "namespace": "bench-000", "labels": labels},
            "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
        }}))
        .unwrap()
    }

    #[test]
    fn redis_at_an_address_knows_its_ready_hubs() {
        let pods = Pods::default();
        let address: IpAddr = "198.19.0.7".parse().unwrap();
        let take = |event| pods.lock().take(event);

        take(event("ADDED", "c00001-redis-0", "backplane", "198.19.0.7", "True"));
        take(event("ADDED", "c00001-hub-a", "hub", "198.19.0.8", "True"));
        take(event("MODIFIED", "c00001-hub-b", "hub", "198.19.0.9", "False"));

        assert_eq!(pods.hubs_at(address), [("c00001-hub-a".to_owned(), "198.19.0.8".parse().unwrap())]);
        assert_eq!(pods.ready("bench-000", "c00001"), 2);

        take(event("DELETED", "c00001-redis-0", "backplane", "198.19.0.7", "True"));
        assert_eq!(pods.hubs_at(address), []);
        assert_eq!(pods.ready("bench-000", "c00001"), 1);
    }
}
