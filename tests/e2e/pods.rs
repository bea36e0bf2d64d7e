//! The pods of a cluster, and pods that tests start to look at Redis from inside the cluster.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use crate::support::{Chat, Kind, PODS, env, kubectl};

/// The name, in the cluster, of an image with `redis-cli`.
pub(crate) fn redis_image() -> String {
    std::env::var("CHATCLUSTER_REDIS_IMAGE").unwrap_or_else(|_| "localhost/redis:7.0.15".into())
}

/// The pods of a cluster's component, `hub` or `backplane`, that are not being deleted.
pub(crate) async fn pods(chat: &Chat<'_>, component: &str) -> Vec<Pod> {
    let api: Api<Pod> = Api::namespaced(chat.ns.client.clone(), &chat.ns.name);
    let labels = format!(
        "app.kubernetes.io/name=chatcluster,app.kubernetes.io/instance={},app.kubernetes.io/component={component}",
        chat.name
    );
    let pods = api.list(&ListParams::default().labels(&labels)).await.expect("pods");
    pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
}

pub(crate) fn name_of(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().expect("every pod has a name")
}

/// Kills a pod at once, so that it cannot say goodbye to its clients.
pub(crate) async fn kill(chat: &Chat<'_>, pod: &str) {
    let args =
        ["delete", "pod", pod, "--namespace", &chat.ns.name, "--grace-period=0", "--force", "--wait=false"];
    kubectl(&args).await.unwrap_or_else(|error| panic!("{error}"));
}

/// A pod beside the cluster that can run `redis-cli` and has the password.
pub(crate) struct Probe<'a> {
    chat: &'a Chat<'a>,
    name: String,
}

impl<'a> Probe<'a> {
    /// Starts a probe with the labels of a hub. It is never ready, so that no Service sends clients to it.
    pub(crate) async fn like_a_hub(chat: &'a Chat<'a>) -> Self {
        let labels = json!({
            "app.kubernetes.io/name": "chatcluster",
            "app.kubernetes.io/instance": chat.name,
            "app.kubernetes.io/component": "hub",
        });
        Self::start(chat, "like-a-hub", labels).await
    }

    /// Starts a probe without the labels of a hub.
    pub(crate) async fn stranger(chat: &'a Chat<'a>) -> Self {
        Self::start(chat, "stranger", json!({"app.kubernetes.io/name": "stranger"})).await
    }

    async fn start(chat: &'a Chat<'a>, name: &str, labels: Value) -> Self {
        let name = format!("{name}-{:06x}", rand::random::<u32>() >> 8);
        let password =
            json!({"secretKeyRef": {"name": format!("{}-redis-auth", chat.name), "key": "redis.password"}});
        chat.ns
            .apply(json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": labels},
                "spec": {
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": 0,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": 999,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "probe",
                        "image": redis_image(),
                        "command": ["sleep", "100000"],
                        "env": [{"name": "PASSWORD", "valueFrom": password}],
                        "readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 60},
                        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    }],
                },
            }))
            .await;
        let probe = Self { chat, name };
        chat.ns
            .eventually(PODS, &format!("the pod {} runs", probe.name), async || probe.shell("true").await)
            .await;
        probe
    }

    pub(crate) async fn end(self) {
        self.chat.ns.child(Kind::Pod, &self.name).delete().await;
    }

    /// Runs a shell command in the pod. Returns its output, or both outputs if it fails.
    pub(crate) async fn shell(&self, command: &str) -> Result<String, String> {
        let args = ["exec", "--namespace", &self.chat.ns.name, &self.name, "--", "sh", "-c", command];
        kubectl(&args).await
    }

    /// The answer of Redis to a command, with the password of the cluster. Gives up after 5 s.
    pub(crate) async fn redis(&self, command: &str) -> Result<String, String> {
        self.redis_as("REDISCLI_AUTH=$PASSWORD", command).await
    }

    /// Like `redis`, with another login.
    pub(crate) async fn redis_as(&self, login: &str, command: &str) -> Result<String, String> {
        self.redis_at(&format!("{}-redis", self.chat.name), login, command).await
    }

    /// Like `redis_as`, at the address of Redis's pod: the Service does not lead to a pod that is not ready.
    pub(crate) async fn redis_pod_as(&self, login: &str, command: &str) -> Result<String, String> {
        let pod = self.chat.child(Kind::Pod, "-redis-0").get().await;
        self.redis_at(pod["status"]["podIP"].as_str().expect("an address"), login, command).await
    }

    async fn redis_at(&self, host: &str, login: &str, command: &str) -> Result<String, String> {
        let line = format!("{login} timeout 5 redis-cli --no-auth-warning -e -h {host} {command}");
        self.shell(&line).await.map(|answer| answer.trim().to_owned())
    }

    /// Waits until the probe reaches Redis: it takes a moment until the network policy admits a new pod.
    pub(crate) async fn reaches_redis(&self) {
        let ns = self.chat.ns;
        ns.eventually(PODS, &format!("{} reaches Redis", self.name), async || {
            match self.redis("ping").await {
                Ok(answer) if answer == "PONG" => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
}

/// Runs a shell command as root on every node, and returns the output of each. The input is passed on
/// standard input, so that it does not show in the arguments.
pub(crate) async fn on_every_node(chat: &Chat<'_>, command: &str, input: &str) -> Vec<(String, String)> {
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(chat.ns.client.clone());
    let count = nodes.list(&ListParams::default()).await.expect("nodes").items.len();
    let mut said = Vec::new();
    for node in 1..=count {
        let number = node.to_string();
        let args = ["node-exec", number.as_str(), "sh", "-c", command];
        let output = crate::support::run(&env("CHATCLUSTER_CLUSTER"), &args, Some(input)).await;
        said.push((format!("node {node}"), output.unwrap_or_else(|error| panic!("{error}"))));
    }
    said
}
