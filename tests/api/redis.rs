//! A real Redis at the address of a fake pod: the tests own the control plane's network namespace and may
//! give it any address. With this Redis, clusters become `Ready` without a container.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::support::{Chat, Kind, SOON, run};

/// A Redis that ends, and gives its address back, when dropped.
pub(crate) struct Redis {
    address: String,
    acl: PathBuf,
    server: Child,
}

impl Redis {
    /// Starts a Redis in place of the cluster's Redis pod, with the users of the cluster's Secret.
    pub(crate) async fn of(chat: &Chat<'_>) -> Self {
        let users = chat.secret_key("users.acl").await;
        Self::with_users(chat, &users).await
    }

    /// Starts a Redis with other users.
    pub(crate) async fn with_users(chat: &Chat<'_>, users: &str) -> Self {
        let pod = chat.child(Kind::Pod, "-redis-0");
        let address = chat
            .ns
            .eventually(SOON, "Redis's pod has an address", async || {
                let address = pod.seen().await?["status"]["podIP"].as_str().map(str::to_owned);
                address.ok_or_else(|| "none yet".into())
            })
            .await;
        // A new pod may get the address of an old one before the Redis in place of the old one has ended.
        let ours = format!("{address}/32");
        chat.ns
            .eventually(SOON, "the address of Redis's pod can be added", async || {
                run("ip", &["addr", "add", &ours, "dev", "lo"], None).await.map(|_| ())
            })
            .await;
        let acl =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}.acl", chat.ns.name, chat.name));
        std::fs::write(&acl, users).expect("writing the ACL file");
        // Debian's redis-tools contains the server under the name of another tool; it acts by the name it is
        // called by.
        let server = Command::new("redis-check-rdb")
            .arg0("redis-server")
            .args([
                "--port",
                "6379",
                "--bind",
                &address,
                "--protected-mode",
                "no",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args([std::ffi::OsStr::new("--aclfile"), acl.as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server: {error}; it is in Debian's package redis-tools"));
        Self { address, acl, server }
    }

    /// Subscribes as a hub's pod does: authenticates, sets the pod's name and subscribes. The subscription
    /// ends when the stream is dropped.
    pub(crate) async fn subscribe(&self, chat: &Chat<'_>, pod: &str) -> TcpStream {
        let what = format!("{pod} subscribes at {}", self.address);
        let password = chat.password().await;
        chat.ns
            .eventually(SOON, &what, async || {
                let stream =
                    TcpStream::connect((self.address.as_str(), 6379)).await.map_err(|e| e.to_string())?;
                let mut stream = BufReader::new(stream);
                for command in
                    [format!("AUTH {password}"), format!("CLIENT SETNAME {pod}"), "SUBSCRIBE x".into()]
                {
                    stream.write_all(format!("{command}\r\n").as_bytes()).await.map_err(|e| e.to_string())?;
                    let mut answer = String::new();
                    stream.read_line(&mut answer).await.map_err(|e| e.to_string())?;
                    if answer.starts_with('-') || answer.is_empty() {
                        return Err(format!("{answer:?}"));
                    }
                }
                Ok(stream.into_inner())
            })
            .await
    }

    /// Subscribes every hub pod of the cluster.
    pub(crate) async fn subscribe_all(&self, chat: &Chat<'_>) -> Vec<TcpStream> {
        let mut subscribers = Vec::new();
        for pod in hubs(chat).await {
            subscribers.push(self.subscribe(chat, &pod).await);
        }
        subscribers
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let address = format!("{}/32", self.address);
        // The next Redis may get the same address, and must find its port free.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("ip").args(["addr", "del", &address, "dev", "lo"]).status();
        let _ = std::fs::remove_file(&self.acl);
    }
}

/// The names of a cluster's hub pods, once the hubs are ready.
pub(crate) async fn hubs(chat: &Chat<'_>) -> Vec<String> {
    chat.becomes("HubReady", "True", "Ready", SOON).await;
    let selector = chat.get().await.status.and_then(|status| status.hub).unwrap_or_default().selector;
    let output = "--output=jsonpath={.items[*].metadata.name}";
    let args = ["get", "pods", "--namespace", &chat.ns.name, "--selector", &selector, output];
    let names = crate::support::kubectl(&args).await.unwrap_or_else(|error| panic!("{error}"));
    names.split_whitespace().map(str::to_owned).collect()
}

/// Gives the public Service an address, as a load balancer would.
pub(crate) async fn give_address(chat: &Chat<'_>, ip: &str) {
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}).to_string();
    let args = [
        "patch",
        "service",
        &chat.name,
        "--namespace",
        &chat.ns.name,
        "--subresource=status",
        "--type=merge",
    ];
    let args = [&args[..], &["--patch", &status]].concat();
    crate::support::kubectl(&args).await.unwrap_or_else(|error| panic!("{error}"));
}
