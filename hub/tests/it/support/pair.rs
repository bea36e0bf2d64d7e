//! Two hubs that are one to their clients.

use super::{Folder, HubProcess, Redis};

pub(crate) struct Pair {
    pub(crate) a: HubProcess,
    pub(crate) b: HubProcess,
    _redis: Redis,
    _folder: Folder,
}

impl Pair {
    /// Two ready hubs of one Redis with a password and with one key for connection tokens, so that either takes requests of
    /// the other's clients.
    pub(crate) async fn start(more: &[&str]) -> Self {
        let redis = Redis::start("s3cret").await;
        let folder = Folder::new();
        let password = folder.write("password", "s3cret\n");
        let key = folder.write("key", &"k3y-".repeat(16));
        let key = ["--token-key-file", key.to_str().expect("the path is UTF-8")];
        let flags = [key.as_slice(), more].concat();
        let a = HubProcess::start_with(&redis, &password, "hub-a", &flags).await;
        let b = HubProcess::start_with(&redis, &password, "hub-b", &flags).await;
        a.ready().await;
        b.ready().await;
        Self { a, b, _redis: redis, _folder: folder }
    }
}
