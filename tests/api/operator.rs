//! The operator as a process of the tests, with the CRD and the namespace that it needs in the cluster.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kube::Api;
use kube::runtime::conditions;
use kube::runtime::wait::await_condition;
use tokio::sync::OnceCell;

use crate::support::{Namespace, env, kubectl, operator_logs_are_in, repo};

/// The chart's grace period for the operator.
const GRACE: Duration = Duration::from_secs(10);
/// The bound for the API server to serve a new kind: far longer than it takes.
const SERVED: Duration = Duration::from_secs(30);

static SET_UP: OnceCell<()> = OnceCell::const_new();
static RUNNING: Mutex<Option<Process>> = Mutex::new(None);

struct Process {
    pid: u32,
    waits: JoinHandle<()>,
}

/// A namespace for a test, with the operator running.
pub(crate) async fn namespace(theme: &str) -> Namespace {
    SET_UP.get_or_init(set_up).await;
    Namespace::new(theme).await
}

async fn set_up() {
    install_crds().await;
    // The namespace may exist from an earlier run, with the Lease of that run's operator, which was killed.
    let _ = kubectl(&["create", "namespace", "chatcluster-system"]).await;
    let _ = kubectl(&["delete", "leases", "--all", "--namespace=chatcluster-system"]).await;

    operator_logs_are_in(log());
    let _ = std::fs::remove_file(log());
    *RUNNING.lock().unwrap() = Some(start());
}

/// Installs the committed CRD, and waits until it is served.
pub(crate) async fn install_crds() {
    let client = crate::support::client().await;
    let crds = repo().join("crds");
    // The conflicts are forced because a test may have changed the CRD.
    let apply = ["apply", "--server-side", "--force-conflicts", "--filename", &crds.display().to_string()];
    let applied = kubectl(&apply).await;
    applied.unwrap_or_else(|error| panic!("the committed CRD: {error}"));
    // `kubectl wait` would fail if it came before the CRD has its first condition.
    let established =
        await_condition(Api::all(client), "chatclusters.chatcluster.dev", conditions::is_crd_established());
    let established = tokio::time::timeout(SERVED, established).await;
    established.expect("the committed CRD is established").expect("it can be watched");
}

/// Ends the operator as Kubernetes would, and starts another.
pub(crate) async fn restart() {
    tokio::task::spawn_blocking(|| {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let old = running.take().expect("the operator runs");
        let ended = Command::new("kill").arg(old.pid.to_string()).status().expect("kill");
        assert!(ended.success(), "the operator had already ended; its log: {}", log().display());
        let asked = Instant::now();
        while !old.waits.is_finished() {
            if asked.elapsed() > GRACE {
                let _ = Command::new("kill").args(["-KILL", &old.pid.to_string()]).status();
                *running = Some(start());
                panic!("the operator did not end within {GRACE:?}; its log: {}", log().display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        *running = Some(start());
    })
    .await
    .expect("the operator restarts");
}

pub(crate) fn log() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("api-operator.log")
}

/// Starts the operator in a thread that does nothing else: the kernel kills the process when that thread is
/// gone, so the operator dies with the tests however they end.
fn start() -> Process {
    let (tell, started) = mpsc::channel();
    let operator = env("CHATCLUSTER_OPERATOR_BIN");
    let waits = std::thread::spawn(move || {
        let log = File::options().create(true).append(true).open(log()).expect("the operator's log file");
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", &operator, "run"])
            .env("HUB_IMAGE", "localhost/hub:sim")
            .env("REDIS_IMAGE", "localhost/redis:sim")
            .env("POD_NAMESPACE", "chatcluster-system")
            .env("POD_NAME", "operator-of-the-api-tests")
            .env("HTTP_PORT", "0")
            .env("RUST_LOG", "info,chatcluster=debug")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the operator's log file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv {operator}: {error}"));
        let _ = tell.send(child.id());
        let _ = child.wait();
    });
    let pid = started.recv().expect("the operator starts");
    Process { pid, waits }
}
