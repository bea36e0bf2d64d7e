//! The stage on which a scene of `tests/page` is played: two hubs with one Redis, a balancer in front of
//! them, and the browser's process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use super::{Balancer, Folder, HubProcess, Redis, drivers};

const HUBS: [&str; 2] = ["hub-a", "hub-b"];

/// The key that signs tokens, in the scenes that need them.
const TOKEN_KEY: &str = "a key that only these tests have, and that is long enough";

pub(crate) struct Stage {
    redis: Redis,
    folder: Folder,
    password_file: PathBuf,
    /// The flags of both hubs.
    flags: Vec<String>,
    hubs: BTreeMap<&'static str, HubProcess>,
    addresses: BTreeMap<&'static str, SocketAddr>,
    balancer: Balancer,
    token_key: Option<&'static str>,
}

impl Stage {
    /// Two ready hubs with these flags.
    pub(crate) async fn set(flags: &[&str]) -> Self {
        Self::set_in(Folder::new(), flags).await
    }

    /// Two ready hubs that require a token.
    pub(crate) async fn with_tokens() -> Self {
        let folder = Folder::new();
        let file = folder.write("token-key", TOKEN_KEY);
        let flags = ["--jwt-key-file", file.to_str().expect("the path is UTF-8")];
        Self { token_key: Some(TOKEN_KEY), ..Self::set_in(folder, &flags).await }
    }

    async fn set_in(folder: Folder, flags: &[&str]) -> Self {
        let redis = Redis::start("s3cret").await;
        let password_file = folder.write("password", "s3cret");
        let mut hubs = BTreeMap::new();
        for pod in HUBS {
            let hub = HubProcess::start_with(&redis, &password_file, pod, flags).await;
            hub.ready().await;
            hubs.insert(pod, hub);
        }
        let addresses: BTreeMap<_, _> = hubs.iter().map(|(pod, hub)| (*pod, hub.address())).collect();
        let balancer = Balancer::before(addresses.values().copied().collect()).await;
        let flags = flags.iter().map(ToString::to_string).collect();
        Self { redis, folder, password_file, flags, hubs, addresses, balancer, token_key: None }
    }

    /// Plays a scene, and fails the test if the scene fails.
    pub(crate) async fn play(mut self, scene: &str) {
        let page = |address: SocketAddr| format!("http://{address}");
        let mut stage = json!({
            "a": page(self.addresses["hub-a"]), "b": page(self.addresses["hub-b"]), "any": page(self.balancer.address()),
        });
        if let Some(key) = self.token_key {
            stage["key"] = json!(key);
        }
        let folder = drivers::packages("page");
        let mut process = Command::new("node")
            .arg(folder.join("play.mjs"))
            .args([scene, &stage.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Browsers leave files behind.
            .env("TMPDIR", self.folder.path())
            .kill_on_drop(true)
            .spawn()
            .expect("these tests need node in PATH");
        let mut input = process.stdin.take().expect("its input is a pipe");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is a pipe")).lines();
        let mut errors = process.stderr.take().expect("its errors are a pipe");
        let told = tokio::spawn(async move {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text).await;
            text
        });

        // A scene has its own timeouts, and ends by itself.
        while let Some(line) = lines.next_line().await.expect("the scene's output is readable") {
            let line: Value = serde_json::from_str(&line).expect("the scene says JSON");
            self.change(line["ask"].as_str().expect("the scene asks for something")).await;
            input.write_all(b"{\"done\":true}\n").await.expect("the scene reads");
        }
        let status = process.wait().await.expect("the scene's end can be seen");
        let told = told.await.expect("its errors can be read");
        assert!(status.success(), "{scene}: {told}");
    }

    /// Carries out a wish of a scene: `kill` or `start`, and the name of a hub or `redis`.
    async fn change(&mut self, wish: &str) {
        let pod = |name: &str| HUBS.into_iter().find(|pod| *pod == name);
        match wish.split_once(' ') {
            Some(("kill", "redis")) => self.redis.kill().await,
            Some(("start", "redis")) => self.redis.start_again().await,
            Some(("kill", name)) => {
                let pod = pod(name).expect("one of the hubs");
                self.hubs.get_mut(pod).expect("the hub runs").kill().await;
            }
            Some(("start", name)) => {
                let pod = pod(name).expect("one of the hubs");
                // The hub gets its old address, because its page keeps trying that one.
                let address = self.addresses[pod].to_string();
                let mut flags = vec!["--listen", &address];
                flags.extend(self.flags.iter().map(String::as_str));
                let hub = HubProcess::start_with(&self.redis, &self.password_file, pod, &flags).await;
                hub.ready().await;
                self.hubs.insert(pod, hub);
            }
            _ => panic!("nobody knows how to {wish}"),
        }
    }
}
