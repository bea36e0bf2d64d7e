//! The command line of `chatcluster-operator`. Every option can also be set by an environment variable.

mod check;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use kube::{Client, Config};
use tracing::{error, info};

use crate::client::access::{Access, Guard};
use crate::client::requests::Counting;
use crate::client::wire;
use crate::controller::Operator;
use crate::hex::random_hex;
use crate::http::{self, Health};
use crate::lease::{LeaseLock, Tenure};
use crate::metrics::Metrics;
use crate::reconcile::validate::Defaults;
use crate::shutdown;
use crate::store::scope::Scope;
use crate::telemetry::{LogFormat, Telemetry};
use chatcluster_api::crd;
use chatcluster_api::names::OPERATOR;
use check::check;

#[derive(Debug, Parser)]
#[command(name = OPERATOR, version, about = "Turns ChatCluster objects into running real-time chat services")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator (the default)
    Run(Run),
    /// Print the custom resource definition, as YAML
    Crd,
    /// Ask HTTP servers, for half a minute each, until they answer with success
    Check {
        /// Such as <http://chatcluster-operator:8080/readyz>
        #[arg(required = true)]
        urls: Vec<String>,
    },
}

#[derive(Args, Debug)]
struct Run {
    /// The hub image of ChatClusters that name none
    #[arg(long, env = "HUB_IMAGE", default_value = concat!("localhost/chatcluster-hub:", env!("CARGO_PKG_VERSION")))]
    hub_image: String,
    /// The Redis image of ChatClusters that name none
    #[arg(long, env = "REDIS_IMAGE", default_value = "docker.io/library/redis:7.2")]
    redis_image: String,
    /// The namespace of the operator's pod, which Redis admits; unset outside a cluster
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
    /// The namespaces to serve; all if none is given. The operator needs rights in these and in its own only
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// The name under which events are reported
    #[arg(long, env = "POD_NAME", default_value = OPERATOR)]
    instance: String,
    /// The port of /healthz, /readyz and /metrics; 0 serves none
    #[arg(long, env = "HTTP_PORT", default_value_t = 8080)]
    http_port: u16,
    /// Change nothing, and list in each ChatCluster's status.pending what would be done
    #[arg(long, env = "HOLD", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    hold: bool,
    /// The format of log lines
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// Parses the command line and runs the command.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Crd) => print_crd(),
        Some(Command::Check { urls }) => check_all(&urls).await,
        Some(Command::Run(run)) => run.run().await,
        None => cli.run.run().await,
    }
}

fn print_crd() -> ExitCode {
    match serde_saphyr::to_string(&crd()) {
        Ok(yaml) => {
            print!("{yaml}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{OPERATOR}: the CustomResourceDefinition cannot be written as YAML: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn check_all(urls: &[String]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for url in urls {
        match check(url).await {
            Ok(answer) => println!("{url} answers: {answer}"),
            Err(error) => {
                eprintln!("{url}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

impl Run {
    async fn run(self) -> ExitCode {
        let telemetry = Telemetry::start(self.log_format);
        let code = self.operate().await;
        telemetry.end().await;
        code
    }

    async fn operate(self) -> ExitCode {
        // First of all, because signals that arrive before this are lost.
        let ending = match shutdown::asked() {
            Ok(ending) => ending,
            Err(error) => {
                error!("cannot listen for signals: {error}");
                return ExitCode::FAILURE;
            }
        };
        let scope = Scope::of(self.watch_namespaces);
        let access = Arc::new(Access::default());
        let metrics = Arc::new(Metrics::default());
        let namespace = self.namespace.filter(|namespace| !namespace.is_empty());
        let tenure = if namespace.is_some() { Tenure::waiting() } else { Tenure::alone() };
        let clients = Clients::infer(&access, &tenure, &metrics).await;
        let Clients { client, for_election } = match clients {
            Ok(clients) => clients,
            Err(error) => {
                error!(
                    "no access to a Kubernetes API server (in a pod: its service account; elsewhere: KUBECONFIG): {error}"
                );
                return ExitCode::FAILURE;
            }
        };
        info!(
            version = env!("CARGO_PKG_VERSION"),
            hub = self.hub_image,
            redis = self.redis_image,
            ?scope,
            "the operator starts"
        );
        let health = Arc::new(Health::new(access.clone(), tenure.clone(), &scope));
        if self.http_port != 0 {
            serve(self.http_port, health.clone(), metrics.clone());
        }
        let lock = namespace
            .as_deref()
            .map(|namespace| LeaseLock::new(for_election, namespace, &identity(&self.instance), tenure));
        if lock.is_none() {
            info!("no election, because POD_NAMESPACE is not set: no other operator may run on this cluster");
        }
        let defaults = Defaults {
            hub_image: self.hub_image,
            redis_image: self.redis_image,
            hold: self.hold,
            operator_namespace: namespace,
        };
        let operator =
            Operator { client, access, scope, defaults, instance: self.instance, health, metrics, ending };
        match operator.run(lock).await {
            Ok(()) => ExitCode::SUCCESS,
            // Another operator may lead already: not one more write.
            Err(error) => {
                error!(%error, "this operator leads no longer: it ends");
                ExitCode::FAILURE
            }
        }
    }
}

/// Returns the identity that takes the Lease. Only the name of a pod is sure to belong to one process at a
/// time.
fn identity(instance: &str) -> String {
    if instance == OPERATOR { format!("{OPERATOR}-{}", random_hex::<4>()) } else { instance.to_owned() }
}

fn serve(port: u16, health: Arc<Health>, metrics: Arc<Metrics>) {
    tokio::spawn(async move {
        if let Err(error) = http::serve(port, health, metrics).await {
            error!(
                "cannot listen on port {port} for health and metrics: {error}; choose another --http-port"
            );
            std::process::exit(1);
        }
    });
}

/// The clients of the API server.
struct Clients {
    /// Client that writes only while this operator leads.
    client: Client,
    /// Client that always writes, over connections of its own, so that a renewal waits for nothing else.
    for_election: Client,
}

impl Clients {
    async fn infer(
        access: &Arc<Access>,
        tenure: &Tenure,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut config = Config::infer().await?;
        let agent = format!("{OPERATOR}/{}", env!("CARGO_PKG_VERSION"));
        config.headers.push(("user-agent".parse()?, agent.parse()?));
        // kube's retries are off: they would repeat a write long after this operator has stopped leading, and
        // keep a reconcile waiting for minutes. Reconciles and watches have back-offs of their own.
        config.default_retry = false;
        let guarded = |tenure: Option<Tenure>| -> Result<Client, kube::Error> {
            let way = wire::way(&config, tenure.as_ref())?;
            // Only requests that the guard lets pass are counted.
            let counting = Counting(metrics.clone());
            Ok(way.with_layer(&counting).with_layer(&Guard { access: access.clone(), tenure }).build())
        };
        Ok(Self { client: guarded(Some(tenure.clone()))?, for_election: guarded(None)? })
    }
}
