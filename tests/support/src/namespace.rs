//! A namespace per test: created with the test, deleted with it, and described when it fails.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kube::Client;
use rand::Rng as _;
use serde_json::{Value, json};

use crate::children::{Child, Kind};
use crate::command::kubectl_with_input;
use crate::environment::client;

const POLL: Duration = Duration::from_millis(150);

/// A namespace that admits only pods of the `restricted` standard. It is deleted when dropped, unless
/// `CHATCLUSTER_KEEP` is set.
pub struct Namespace {
    /// The name, which is unique.
    pub name: String,
    /// A client of the cluster.
    pub client: Client,
}

impl Namespace {
    /// Creates a namespace whose name begins with the theme of the test.
    pub async fn new(theme: &str) -> Self {
        let client = client().await;
        let name = format!("{theme}-{:06x}", rand::rng().random_range(0..0x0100_0000));
        let this = Self { name, client };
        this.apply(json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": this.name,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted", "chatcluster.dev/test": theme},
            },
        }))
        .await;
        this
    }

    /// Applies an object as a user would: in this namespace, unless it is a namespace itself.
    pub async fn apply(&self, object: Value) {
        self.try_apply(object).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Like `apply`, for an object that may be refused.
    pub async fn try_apply(&self, object: Value) -> Result<(), String> {
        let args = ["apply", "--server-side", "--field-manager=a-user", "--force-conflicts"];
        let mut args = args.to_vec();
        if object["kind"] != "Namespace" {
            args.extend(["--namespace", &self.name]);
        }
        args.extend(["--filename", "-"]);
        kubectl_with_input(&args, &object.to_string()).await.map(|_| ())
    }

    /// Applies a Secret with these values, as a user would.
    pub async fn apply_secret(&self, name: &str, values: Value) {
        let metadata = json!({"name": name});
        self.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}))
            .await;
    }

    /// The object of this namespace with this kind and name, whether or not it exists.
    pub fn child(&self, kind: Kind, name: &str) -> Child {
        Child::new(self.client.clone(), &self.name, kind, name)
    }

    /// Waits until an object exists, and returns it.
    pub async fn wait_for(&self, child: &Child, bound: Duration) -> Value {
        self.eventually(bound, &format!("{child} is created"), async || child.seen().await).await
    }

    /// Waits until an object exists that is not the one with this uid, and returns it.
    pub async fn wait_for_another(&self, child: &Child, uid: &str, bound: Duration) -> Value {
        self.eventually(bound, &format!("{child} is recreated"), async || child.replaced(uid).await).await
    }

    /// Waits until an object is gone.
    pub async fn wait_until_gone(&self, child: &Child, bound: Duration) {
        self.eventually(bound, &format!("{child} is gone"), async || match child.find().await {
            None => Ok(()),
            Some(_) => Err("it still exists".into()),
        })
        .await;
    }

    /// Waits until the attempt returns a value. Its error describes what was seen instead, and the last one
    /// is shown when the bound is over.
    pub async fn eventually<T>(
        &self,
        bound: Duration,
        what: &str,
        attempt: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        self.try_eventually(bound, attempt).await.unwrap_or_else(|seen| {
            panic!("not within {bound:?}: {what}\nseen last: {seen}\n{}", self.report());
        })
    }

    /// Like `eventually`, for tests that go on afterwards: the error is the last one within the bound.
    pub async fn try_eventually<T>(
        &self,
        bound: Duration,
        mut attempt: impl AsyncFnMut() -> Result<T, String>,
    ) -> Result<T, String> {
        let start = Instant::now();
        loop {
            match attempt().await {
                Err(seen) if start.elapsed() > bound => return Err(seen),
                Err(_) => tokio::time::sleep(POLL).await,
                done => return done,
            }
        }
    }

    /// The conditions, objects, events and log lines that a person would look at first after a failure.
    pub fn report(&self) -> String {
        let mut report = format!("\n──── namespace {} ────\n", self.name);
        let conditions = "{range .items[*]}{.metadata.name}: generation {.metadata.generation}, seen \
             {.status.observedGeneration}{'\\n'}{range .status.conditions[*]}  {.type} {.status} {.reason}: \
             {.message}{'\\n'}{end}{end}"
            .replace('\'', "\"");
        let all = "statefulsets,deployments,pods,services,persistentvolumeclaims,secrets,configmaps,networkpolicies";
        for args in [
            &["get", "chatclusters", "--output", &format!("jsonpath={conditions}")][..],
            &["get", all, "--output", "wide"],
            &["events", "--types=Normal,Warning"],
        ] {
            let output = Command::new("kubectl").args(["--namespace", &self.name]).args(args).output();
            let text = output.map_or_else(
                |e| e.to_string(),
                |o| format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr)),
            );
            let _ = writeln!(report, "\n$ kubectl {} …\n{}", args[..2].join(" "), tail(&text, 60));
        }
        let _ = writeln!(report, "\n──── the operator's log ────\n{}", operator_log(&self.name));
        report
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::env::var_os("CHATCLUSTER_KEEP").is_none() {
            let _ =
                Command::new("kubectl").args(["delete", "namespace", &self.name, "--wait=false"]).output();
        }
    }
}

static OPERATOR_LOG: OnceLock<PathBuf> = OnceLock::new();

/// Sets the file in which the operator writes its log, when the tests run it as a process. Without it, the
/// log is read from the operator's Deployment.
pub fn operator_logs_are_in(path: PathBuf) {
    let _ = OPERATOR_LOG.set(path);
}

/// The last lines of the operator's log that mention a namespace.
fn operator_log(namespace: &str) -> String {
    let text = match OPERATOR_LOG.get() {
        Some(path) => std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string()),
        None => Command::new("kubectl")
            .args(["logs", "--namespace=chatcluster-system", "--prefix", "--tail=2000"])
            .args(["--selector=app.kubernetes.io/name=chatcluster-operator"])
            .output()
            .map_or_else(|error| error.to_string(), |o| String::from_utf8_lossy(&o.stdout).into_owned()),
    };
    let ours: Vec<&str> = text.lines().filter(|line| line.contains(namespace)).collect();
    if ours.is_empty() { tail(&text, 15) } else { tail(&ours.join("\n"), 25) }
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
