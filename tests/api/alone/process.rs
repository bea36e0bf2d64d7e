//! One operator as a process, which can be sent signals, killed and asked over HTTP.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::proxy::Proxy;
use crate::support::{Namespace, SOON};

/// The next port to give to an operator. Only the tests listen in the control plane's network namespace, and
/// clients there get none of these ports.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

/// An operator process, killed when dropped.
pub(super) struct Operator {
    process: Child,
    port: u16,
    log: PathBuf,
}

impl Operator {
    /// Starts an operator whose pod has that name, and whose Lease is in the namespace. All operators of a
    /// test write to the same log.
    pub(super) fn start(ns: &Namespace, name: &str, proxy: &Proxy) -> Self {
        Self::start_as(ns, name, proxy.kubeconfig(), &[])
    }

    /// Like `start`, with another kubeconfig and more environment variables.
    pub(super) fn start_as(ns: &Namespace, name: &str, kubeconfig: &Path, env: &[(&str, &str)]) -> Self {
        let log = log(ns);
        let file = File::options().create(true).append(true).open(&log).expect("the operator's log file");
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        // With `setpriv` the kernel kills the operator when the test process itself is killed.
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

    /// Sends a signal: `STOP`, `CONT`, `TERM` or `KILL`.
    pub(super) async fn signal(&self, signal: &str) {
        let pid = self.process.id().expect("the operator runs").to_string();
        crate::support::run("kill", &[&format!("-{signal}"), &pid], None).await.expect("kill");
    }

    /// Waits for the end of the process.
    pub(super) async fn ends(&mut self) -> ExitStatus {
        let bound = std::time::Duration::from_secs(20);
        let ended = tokio::time::timeout(bound, self.process.wait()).await;
        let ended =
            ended.unwrap_or_else(|_| panic!("it still runs after {bound:?}; its log: {}", self.log()));
        ended.expect("its exit status")
    }

    /// Keeps an operator running: starts another whenever one has ended because it lost its Lease, as a
    /// kubelet would. On a busy machine an operator loses its Lease, too, when the API server is slow.
    pub(super) async fn keep(ns: &Namespace, name: &str, proxy: &Proxy) {
        loop {
            let mut operator = Self::start(ns, name, proxy);
            operator.loses().await;
        }
    }

    /// Waits until the operator has ended because it lost its Lease.
    pub(super) async fn loses(&mut self) {
        let status = self.process.wait().await.expect("its exit status");
        assert_eq!(status.code(), Some(1), "{}", self.log());
        assert!(self.log().contains("leads no longer"), "{}", self.log());
    }

    pub(super) async fn kill(&mut self) {
        self.process.kill().await.expect("kill");
    }

    /// The status code and body of `GET path`, if the operator listens already.
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

    /// Waits until `GET path` is answered with this status code and a body that contains these words.
    pub(super) async fn answers(&self, ns: &Namespace, path: &str, code: u16, words: &str) {
        ns.eventually(SOON, &format!("{path} is {code}: {words}"), async || {
            let answer = self.get(path).await?;
            if answer.0 == code && answer.1.contains(words) { Ok(()) } else { Err(format!("{answer:?}")) }
        })
        .await;
    }

    /// The log of this and the test's other operators.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn log(ns: &Namespace) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.log", ns.name))
}
