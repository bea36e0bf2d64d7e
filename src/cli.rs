//! The command line of `chatcluster-operator`. Every option is an environment variable too.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use tracing::{error, info};

use crate::api::crd;
use crate::check::check;
use crate::controller;
use crate::http::{self, Health};
use crate::metrics::Metrics;
use crate::names::OPERATOR;
use crate::requests::Counting;
use crate::telemetry::{LogFormat, Telemetry};
use crate::validate::Defaults;

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
    /// Ask HTTP servers, for half a minute each, until they answer well
    Check {
        /// Such as <http://chatcluster-operator:8080/readyz>
        #[arg(required = true)]
        urls: Vec<String>,
    },
}

#[derive(Args, Debug)]
struct Run {
    /// The image of hubs that name none
    #[arg(long, env = "HUB_IMAGE", default_value = concat!("localhost/chatcluster-hub:", env!("CARGO_PKG_VERSION")))]
    hub_image: String,
    /// The image of Redis where none is named
    #[arg(long, env = "REDIS_IMAGE", default_value = "docker.io/library/redis:7.2")]
    redis_image: String,
    /// The namespace of the operator's pod, which Redis admits; unset outside a cluster
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
    /// The name that events are reported under
    #[arg(long, env = "POD_NAME", default_value = OPERATOR)]
    instance: String,
    /// The port of /healthz, /readyz and /metrics; 0: none
    #[arg(long, env = "HTTP_PORT", default_value_t = 8080)]
    http_port: u16,
    /// Change nothing: what would be done stands in each ChatCluster's status.pending
    #[arg(long, env = "HOLD", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    hold: bool,
    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// What `main` does.
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
        let metrics = Arc::new(Metrics::default());
        let client = match client(metrics.clone()).await {
            Ok(client) => client,
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
            "the operator starts"
        );
        let health = Arc::new(Health::default());
        if self.http_port != 0 {
            let port = self.http_port;
            let served = http::serve(port, health.clone(), metrics.clone());
            tokio::spawn(async move {
                if let Err(error) = served.await {
                    error!(
                        "cannot listen on port {port} for health and metrics: {error}; choose another --http-port"
                    );
                    std::process::exit(1);
                }
            });
        }
        let defaults = Defaults {
            hub_image: self.hub_image,
            redis_image: self.redis_image,
            hold: self.hold,
            operator_namespace: self.namespace.filter(|namespace| !namespace.is_empty()),
        };
        controller::run(client, defaults, self.instance, health, metrics).await;
        ExitCode::SUCCESS
    }
}

async fn client(metrics: Arc<Metrics>) -> Result<Client, Box<dyn std::error::Error>> {
    let mut config = Config::infer().await?;
    let agent = format!("{OPERATOR}/{}", env!("CARGO_PKG_VERSION"));
    config.headers.push(("user-agent".parse()?, agent.parse()?));
    Ok(ClientBuilder::try_from(config)?.with_layer(&Counting(metrics)).build())
}
