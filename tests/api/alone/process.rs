//! One operator as a process, and what can happen to it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::proxy::Proxy;
use crate::support::Namespace;

/// The control plane's network namespace is ours: nothing else listens there, and none of these is given to a client.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

/// Killed when dropped.
pub(super) struct Operator {
    process: Child,
    port: u16,
    log: PathBuf,
}

impl Operator {
    /// Starts one whose pod has that name, and whose Lease is in the namespace. Its log is that of all operators that the
    /// test starts.
    pub(super) fn start(ns: &Namespace, name: &str, proxy: &Proxy) -> Self {
        Self::start_as(ns, name, proxy.kubeconfig(), &[])
    }

    /// As `start`, with another way to the API server and more environment.
    pub(super) fn start_as(ns: &Namespace, name: &str, kubeconfig: &Path, env: &[(&str, &str)]) -> Self {
        let log = log(ns);
        let file = File::options().create(true).append(true).open(&log).expect("the operator's log file");
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        // Should the test process itself be killed, the kernel kills what it started.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", &crate::support::env("CHATCLUSTER_OPERATOR_BIN"), "run"])
            .env("KUBECONFIG", kubeconfig)
            .envs(env.iter().copied())
            .env("HUB_IMAGE", "localhost/hub:sim")
            .env("REDIS_IMAGE", "localhost/redis:sim")
            .env("POD_NAMESPACE", &ns.name)
            .env("POD_NAME", name)
            .env("HTTP_PORT", port.to_string())
            .env("RUST_LOG", "info,chatcluster=debug")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the operator's log file"))
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv: {error}"));
        Self { process, port, log }
    }

    /// `STOP`, `CONT`, `TERM` or `KILL`.
    pub(super) async fn signal(&self, signal: &str) {
        let pid = self.process.id().expect("the operator runs").to_string();
        crate::support::run("kill", &[&format!("-{signal}"), &pid], None).await.expect("kill");
    }

    /// Waits for its end.
    pub(super) async fn ends(&mut self) -> ExitStatus {
        let bound = std::time::Duration::from_secs(20);
        let ended = tokio::time::timeout(bound, self.process.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("it runs after {bound:?}; its log: {}", self.log()));
        ended.expect("its exit status")
    }

    /// Starts one, and another whenever it has ended because it lost its Lease, as a kubelet would: on a busy machine the API
    /// server may take too long for that, too.
    pub(super) async fn keep(ns: &Namespace, name: &str, proxy: &Proxy) {
        loop {
            let mut operator = Self::start(ns, name, proxy);
            operator.loses().await;
        }
    }

    /// Until it has ended because it lost its Lease.
    pub(super) async fn loses(&mut self) {
        let status = self.process.wait().await.expect("its exit status");
        assert_eq!(status.code(), Some(1), "{}", self.log());
        assert!(self.log().contains("leads no longer"), "{}", self.log());
    }

    pub(super) async fn kill(&mut self) {
        self.process.kill().await.expect("kill");
    }

    /// The status code and body of `GET path`, if it listens yet.
    pub(super) async fn get(&self, path: &str) -> Result<(u16, String), String> {
        let ask = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map(|_| answer)
        };
        let answer: std::io::Result<String> = ask.await;
        let answer = answer.map_err(|error| error.to_string())?;
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned());
        code.zip(body).ok_or(answer)
    }

    /// What it and the test's other operators have logged.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn log(ns: &Namespace) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.log", ns.name))
}
