//! `kubectl chat verify`: the operator's word first, then the proof: a message through every hub, received at
//! every other.

mod crossing;
mod hubs;
mod report;
mod token;

use std::path::PathBuf;
use std::time::Duration;

use chatcluster_api::ConditionType;
use kube::ResourceExt;
use kube::runtime::conditions::Condition;
use kube::runtime::wait::await_condition;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::forward::ready_hubs;
use crate::model::{Chat, condition, current};
use crate::output::Format;
use crate::text::{Paint, print};
use hubs::{Hubs, Refusal};
use report::{Messages, OperatorSays, Report};
use token::Token;

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The ChatCluster
    name: String,
    /// The longest time to wait for the operator to say that it is verified
    #[arg(long, value_parser = crate::text::duration, default_value = "60s", value_name = "DURATION")]
    timeout: Duration,
    /// The path at which hubs speak SignalR
    #[arg(long, default_value = "/hub")]
    path: String,
    /// A file with the token (JWT) for hubs that want one (hub.auth)
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print json or yaml, for programs
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Format>,
}

pub(crate) async fn run(options: &Options, cluster: &Cluster, paint: Paint) -> Result<(), Fault> {
    // Read before the wait for the operator, so that a mistake in the command is reported at once.
    let token = options.token_file.as_deref().map(Token::read).transpose()?;
    let operator = ask_the_operator(options, cluster).await?;
    // The operator has said enough about hubs that are not ready; the ready ones are tested, whatever it
    // says.
    let chat = cluster.chat(&options.name).await?;
    let messages = cross(options, cluster, &chat, token.as_ref()).await?;
    let report = Report::new(chat.namespace().unwrap_or_default(), options.name.clone(), operator, messages);
    match options.output {
        Some(format) => print(&format.write(&report)?),
        None => print(&report.draw(paint)),
    }
    if report.verified { Ok(()) } else { Err(Fault::No(format!("{} is not verified", options.name))) }
}

async fn ask_the_operator(options: &Options, cluster: &Cluster) -> Result<OperatorSays, Fault> {
    let mut chat = cluster.chat(&options.name).await?;
    if !Verified.matches_object(Some(&chat)) {
        eprintln!("waiting for the operator to say that {} is verified …", options.name);
        let waited = timeout(options.timeout, await_verified(options, cluster)).await;
        if let Ok(Err(fault)) = waited {
            return Err(fault);
        }
        chat = cluster.chat(&options.name).await?;
    }
    let says = condition(&chat, ConditionType::Verified);
    let up_to_date = current(&chat, ConditionType::Verified).is_some();
    Ok(OperatorSays {
        verified: Verified.matches_object(Some(&chat)),
        reason: says.map_or_else(|| "Unseen".to_owned(), |c| c.reason.clone()),
        message: match says {
            None => "no operator has looked at it yet; does one run for this namespace?".to_owned(),
            Some(_) if !up_to_date => {
                "the operator has not looked at the last change of the spec yet".to_owned()
            }
            Some(says) => says.message.clone(),
        },
    })
}

/// True if the operator says Verified of the present spec.
struct Verified;

impl Condition<Chat> for Verified {
    fn matches_object(&self, chat: Option<&Chat>) -> bool {
        chat.and_then(|chat| current(chat, ConditionType::Verified)).is_some_and(|c| c.status == "True")
    }
}

async fn await_verified(options: &Options, cluster: &Cluster) -> Result<(), Fault> {
    let waited = await_condition(cluster.chats(), &options.name, Verified).await;
    waited.map(|_| ()).map_err(|e| Fault::failed(format!("watch ChatCluster {}", options.name), e))
}

async fn cross(
    options: &Options,
    cluster: &Cluster,
    chat: &Chat,
    token: Option<&Token>,
) -> Result<Messages, Fault> {
    let hubs = ready_hubs(cluster, &options.name).await?;
    let Some(first) = hubs.first() else {
        return Ok(Messages::untested("no hub is ready"));
    };
    let at = Hubs::new(cluster, chat.spec.hub.port, &options.path, token);
    match at.negotiate(first).await {
        Ok(_) => Ok(crossing::run(&at, &hubs).await),
        Err(Refusal::Untestable(why)) => Ok(Messages::untested(&why)),
        Err(Refusal::Failed(why)) => Ok(Messages::failed(first, why)),
    }
}
