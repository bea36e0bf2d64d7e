//! Two hubs with one Redis.

use std::path::PathBuf;

use super::{Client, Folder, HubProcess, Redis, until};

pub(crate) const PASSWORD: &str = "s3cret-one";

/// A sixteenth of the key for connection tokens: the key repeats it 16 times.
pub(crate) const TOKEN_KEY: &str = "k3y-";

pub(crate) struct Cluster {
    pub(crate) redis: Redis,
    pub(crate) folder: Folder,
    pub(crate) hub_a: HubProcess,
    pub(crate) hub_b: HubProcess,
    file: PathBuf,
}

impl Cluster {
    /// Two ready hubs with a Redis that loses its data when it ends.
    pub(crate) async fn start() -> Self {
        Self::with(Redis::start(PASSWORD).await, &[]).await
    }

    /// Two ready hubs with a Redis that keeps everything that it confirmed.
    pub(crate) async fn durable() -> Self {
        Self::with(Redis::durable(PASSWORD).await, &[]).await
    }

    /// Two ready hubs with these arguments.
    pub(crate) async fn with(redis: Redis, more: &[&str]) -> Self {
        let folder = Folder::new();
        let file = folder.write("password", &format!("{PASSWORD}\n"));
        let hub_a = HubProcess::start_with(&redis, &file, "hub-a", more).await;
        let hub_b = HubProcess::start_with(&redis, &file, "hub-b", more).await;
        let cluster = Self { redis, folder, hub_a, hub_b, file };
        cluster.ready().await;
        cluster
    }

    /// Two ready hubs with these arguments and the same key for connection tokens: each accepts requests of
    /// the other's clients.
    pub(crate) async fn with_one_key(more: &[&str]) -> Self {
        let folder = Folder::new();
        let key = folder.write("key", &TOKEN_KEY.repeat(16));
        let key = ["--token-key-file", key.to_str().expect("the path is UTF-8")];
        Self::with(Redis::start(PASSWORD).await, &[&key, more].concat()).await
    }

    /// Waits until both hubs are ready.
    pub(crate) async fn ready(&self) {
        self.hub_a.ready().await;
        self.hub_b.ready().await;
    }

    /// Waits until both hubs have reconnected to Redis at least once.
    pub(crate) async fn reconnected(&self) {
        for hub in [&self.hub_a, &self.hub_b] {
            until("the hub has reconnected to Redis", async || {
                let count = hub.metric("chatcluster_hub_backplane_reconnects_total").await;
                (count >= 1.0).then_some(())
            })
            .await;
        }
    }

    /// Fails the test if some part of the hubs has panicked.
    pub(crate) fn has_not_panicked(&self) {
        self.hub_a.has_not_panicked();
        self.hub_b.has_not_panicked();
    }

    /// Starts another hub.
    pub(crate) async fn another(&self, pod: &str) -> HubProcess {
        HubProcess::with(&self.redis, &self.file, pod).await
    }

    /// A client on each hub, both in the lobby.
    pub(crate) async fn members(&self) -> (Client, Client) {
        let ada = Client::join(&self.hub_a.url(), "lobby", "Ada").await;
        let grace = Client::join(&self.hub_b.url(), "lobby", "Grace").await;
        (ada, grace)
    }
}
