//! Two hubs of one Redis.

use std::path::PathBuf;

use super::{Client, Folder, HubProcess, Redis};

pub(crate) const PASSWORD: &str = "s3cret-one";

/// Sixteen times, for connection tokens.
pub(crate) const TOKEN_KEY: &str = "k3y-";

pub(crate) struct Cluster {
    pub(crate) redis: Redis,
    pub(crate) folder: Folder,
    pub(crate) a: HubProcess,
    pub(crate) b: HubProcess,
    file: PathBuf,
}

impl Cluster {
    /// Both are ready; Redis forgets all when it ends.
    pub(crate) async fn start() -> Self {
        Self::with(Redis::start(PASSWORD).await, &[]).await
    }

    /// Both are ready; Redis has all it confirmed when it starts again.
    pub(crate) async fn durable() -> Self {
        Self::with(Redis::durable(PASSWORD).await, &[]).await
    }

    /// Both are ready, and run with these arguments.
    pub(crate) async fn with(redis: Redis, more: &[&str]) -> Self {
        let folder = Folder::new();
        let file = folder.write("password", &format!("{PASSWORD}\n"));
        let a = HubProcess::start_with(&redis, &file, "hub-a", more).await;
        let b = HubProcess::start_with(&redis, &file, "hub-b", more).await;
        a.ready().await;
        b.ready().await;
        Self { redis, folder, a, b, file }
    }

    /// Both are ready, run with these arguments, and have one key for connection tokens: either takes requests of the other's
    /// clients.
    pub(crate) async fn with_one_key(more: &[&str]) -> Self {
        let folder = Folder::new();
        let key = folder.write("key", &TOKEN_KEY.repeat(16));
        let key = ["--token-key-file", key.to_str().expect("the path is UTF-8")];
        Self::with(Redis::start(PASSWORD).await, &[&key, more].concat()).await
    }

    /// One more hub.
    pub(crate) async fn another(&self, pod: &str) -> HubProcess {
        HubProcess::with(&self.redis, &self.file, pod).await
    }

    /// A client on each hub, both in the lobby.
    pub(crate) async fn members(&self) -> (Client, Client) {
        let ada = Client::join(&self.a.url(), "lobby", "Ada").await;
        let grace = Client::join(&self.b.url(), "lobby", "Grace").await;
        (ada, grace)
    }
}
