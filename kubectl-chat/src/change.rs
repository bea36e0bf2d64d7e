//! `kubectl chat pause`, `resume` and `restart`: small changes of one `ChatCluster`, explained in words.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::fault::{Fault, is_missing};
use crate::model::{Chat, Part, held};
use crate::rollout;
use crate::text::print;

/// The field manager of our changes.
const MANAGER: &str = "kubectl-chat";

#[derive(clap::Args, Debug)]
pub(crate) struct Named {
    /// The ChatCluster
    pub(crate) name: String,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Restart {
    /// The ChatCluster
    pub(crate) name: String,
    /// The hubs, one after another (the default)
    #[arg(long)]
    pub(crate) hub: bool,
    /// Redis; for a few seconds, messages reach only clients on the same hub
    #[arg(long)]
    pub(crate) redis: bool,
    /// Wait until the new pods are ready
    #[arg(long)]
    pub(crate) wait: bool,
    /// The longest time to wait
    #[arg(long, value_parser = crate::text::duration, default_value = "5m", value_name = "DURATION")]
    pub(crate) timeout: Duration,
}

impl Restart {
    fn parts(&self) -> Vec<Part> {
        match (self.hub, self.redis) {
            (true, true) => vec![Part::Redis, Part::Hub],
            (false, true) => vec![Part::Redis],
            (_, false) => vec![Part::Hub],
        }
    }
}

pub(crate) async fn pause(named: &Named, cluster: &Cluster) -> Result<(), Fault> {
    set_paused(&named.name, cluster, true).await
}

pub(crate) async fn resume(named: &Named, cluster: &Cluster) -> Result<(), Fault> {
    set_paused(&named.name, cluster, false).await
}

async fn set_paused(name: &str, cluster: &Cluster, paused: bool) -> Result<(), Fault> {
    let before = cluster.chat(name).await?;
    if before.spec.paused != paused {
        patch(cluster, name, &json!({"spec": {"paused": paused}})).await?;
    }
    print(&said(name, before.spec.paused, paused));
    Ok(())
}

fn said(name: &str, before: bool, now: bool) -> String {
    match (before, now) {
        (false, true) => format!(
            "{name} is paused: its chat goes on, and the operator changes and repairs nothing.\n\
             See what it would do with: kubectl chat plan {name}; go on with: kubectl chat resume {name}\n"
        ),
        (true, true) => format!("{name} was paused already; go on with: kubectl chat resume {name}\n"),
        (true, false) => format!(
            "{name} is resumed: the operator now makes the changes that it held back; follow with: kubectl chat status {name} -w\n"
        ),
        (false, false) => format!("{name} was not paused\n"),
    }
}

pub(crate) async fn restart(options: &Restart, cluster: &Cluster) -> Result<(), Fault> {
    let name = &options.name;
    let chat = cluster.chat(name).await?;
    let held = held(&chat);
    if let (Some(why), true) = (&held, options.wait) {
        return Err(Fault::Refused(format!("nothing would restart now; {why}, or leave out --wait")));
    }
    let parts = options.parts();
    // A fraction of a second in it makes it differ from the value before, which may be of this very second.
    let value = Timestamp::now().to_string();
    let annotations: Value = parts
        .iter()
        .map(|part| (part.annotation().to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    patch(cluster, name, &json!({"metadata": {"annotations": annotations}})).await?;
    for part in &parts {
        print(&match (part, &held) {
            (Part::Hub, None) => {
                format!("the hubs of {name} restart one after another; clients reconnect to another\n")
            }
            (Part::Redis, None) => {
                format!(
                    "Redis of {name} restarts; until it is back, messages reach only clients on the same hub\n"
                )
            }
            (Part::Hub, Some(why)) => {
                format!("the hubs of {name} are marked; they restart once nothing is held back: {why}\n")
            }
            (Part::Redis, Some(why)) => {
                format!("Redis of {name} is marked; it restarts once nothing is held back: {why}\n")
            }
        });
    }
    if options.wait {
        for part in parts {
            rollout::wait(cluster, name, part, &value, options.timeout).await?;
        }
    }
    Ok(())
}

async fn patch(cluster: &Cluster, name: &str, patch: &Value) -> Result<Chat, Fault> {
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match cluster.chats().patch(name, &params, &Patch::Merge(patch)).await {
        Ok(chat) => Ok(chat),
        Err(error) if is_missing(&error) => Err(cluster.no_such(name).await),
        Err(error) => Err(Fault::of(format!("change ChatCluster {name}"), &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(hub: bool, redis: bool) -> Restart {
        Restart { name: "lobby".into(), hub, redis, wait: false, timeout: Duration::ZERO }
    }

    #[test]
    fn hubs_restart_unless_only_redis_is_named() {
        assert_eq!(options(false, false).parts(), [Part::Hub]);
        assert_eq!(options(true, false).parts(), [Part::Hub]);
        assert_eq!(options(false, true).parts(), [Part::Redis]);
        assert_eq!(options(true, true).parts(), [Part::Redis, Part::Hub], "hubs meet the new Redis");
    }
}
