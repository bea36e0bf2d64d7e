//! `kubectl chat plan`: the changes that the operator holds back.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::model::{Chat, Pending, held};
use crate::operator::{self, OperatorView};
use crate::output::{Format, SHAPE};
use crate::pending::changes;
use crate::read::{self, NONE};
use crate::text::{Paint, Tone, print};

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The ChatCluster [default: all of the namespace]
    name: Option<String>,
    /// All ChatClusters of all namespaces
    #[arg(short = 'A', long, conflicts_with = "name")]
    all_namespaces: bool,
    /// Print json or yaml, for programs
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Format>,
}

/// The changes that are held back, of all clusters that were asked for.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    api_version: &'static str,
    kind: &'static str,
    operator: Option<OperatorView>,
    items: Vec<Item>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    namespace: String,
    name: String,
    /// Whether changes are held back: by `paused`, or by the operator's `--hold`
    held: bool,
    paused: bool,
    /// Whether the status is about the present generation of the spec
    up_to_date: bool,
    /// The parts whose pods would restart
    restarts: Vec<String>,
    pending: Vec<Pending>,
    created: Option<Timestamp>,
}

pub(crate) async fn run(options: &Options, cluster: &Cluster, paint: Paint) -> Result<(), Fault> {
    let chats = match &options.name {
        Some(name) => vec![cluster.chat(name).await?],
        None => read::chats(cluster, options.all_namespaces).await?,
    };
    let operator = operator::find(cluster).await?.as_ref().map(OperatorView::of);
    let plan = Plan::of(&chats, operator);
    match options.output {
        Some(format) => print(&format.write(&plan)?),
        None => print(&plan.draw(paint)),
    }
    Ok(())
}

impl Plan {
    fn of(chats: &[Chat], operator: Option<OperatorView>) -> Self {
        let hold = operator.as_ref().is_some_and(|operator| operator.hold);
        let item = |chat: &Chat| {
            let status = chat.status.clone().unwrap_or_default();
            let mut restarts: Vec<String> =
                status.pending.iter().filter_map(|p| p.restarts.clone()).collect();
            restarts.sort();
            restarts.dedup();
            Item {
                namespace: chat.namespace().unwrap_or_default(),
                name: chat.name_any(),
                // A user without the right to see the operator learns from the status that it holds back.
                held: hold || held(chat).is_some() || !status.pending.is_empty(),
                paused: chat.spec.paused,
                up_to_date: status.observed_generation == chat.metadata.generation,
                restarts,
                pending: status.pending,
                created: chat.metadata.creation_timestamp.as_ref().map(|time| time.0),
            }
        };
        Self {
            api_version: SHAPE,
            kind: "ChatClusterPlan",
            operator,
            items: chats.iter().map(item).collect(),
        }
    }

    fn draw(&self, paint: Paint) -> String {
        let mut text = vec![match &self.operator {
            Some(OperatorView { version, namespace, hold: true, .. }) => {
                format!("The operator, version {version} in namespace {namespace}, holds all changes back.\n")
            }
            Some(OperatorView { version, namespace, .. }) => {
                format!("The operator has version {version}, in namespace {namespace}.\n")
            }
            None => {
                "The operator's version is not known: it was not found, or you may not see it.\n".to_owned()
            }
        }];
        for item in &self.items {
            let name = format!("{}/{}", item.namespace, item.name);
            text.push(format!("\n{}\n", paint.paint(Tone::Strong, &name)));
            text.push(item.draw(paint));
        }
        if self.items.is_empty() {
            text.push(NONE.to_owned());
        } else if self.items.iter().all(|item| !item.held) {
            text.push(HOW_TO_HOLD.to_owned());
        } else if self.operator.as_ref().is_some_and(|operator| operator.hold) {
            text.push(HOW_TO_LET_GO.to_owned());
        }
        text.concat()
    }
}

const HOW_TO_HOLD: &str = "
Nothing is held back, so there is nothing to plan: what the operator would do, it has done. To see what another version of
the operator would change before it does:

  helm upgrade chatcluster charts/chatcluster -n chatcluster-system --reset-then-reuse-values --set hold=true   # and the new image
  kubectl chat plan -A
  helm upgrade chatcluster charts/chatcluster -n chatcluster-system --reset-then-reuse-values --set hold=false

For one cluster only: kubectl chat pause NAME, change its spec, kubectl chat plan NAME, kubectl chat resume NAME.
";

const HOW_TO_LET_GO: &str = "
To have it done: helm upgrade chatcluster charts/chatcluster -n chatcluster-system --reset-then-reuse-values --set hold=false
";

impl Item {
    fn draw(&self, paint: Paint) -> String {
        if !self.held {
            return "  nothing is held back: all is applied as it comes\n".to_owned();
        }
        let mut text = Vec::new();
        if !self.up_to_date {
            let what =
                "  the operator has not looked at the last change of the spec yet: ask again in a moment\n";
            text.push(what.to_owned());
        }
        if self.pending.is_empty() {
            text.push(paint.paint(Tone::Good, "  ✓ nothing would change, and no pod would restart\n"));
            return text.concat();
        }
        text.push(changes(&self.pending, paint));
        let parts: Vec<String> = self.restarts.iter().map(|part| said(part)).collect();
        text.push(match parts.as_slice() {
            [] => paint.paint(Tone::Good, "  ✓ no pod would restart\n"),
            parts => paint.paint(Tone::Waiting, &format!("  ! restarts: {}\n", parts.join("; "))),
        });
        if self.paused {
            let resume = format!("kubectl chat resume {} -n {}", self.name, self.namespace);
            text.push(format!("  it is paused; to have it done: {resume}\n"));
        }
        text.concat()
    }
}

/// The effect of a restart of this part on people who chat.
fn said(part: &str) -> String {
    match part {
        "hub" => "the hubs, one after another; clients reconnect to another".to_owned(),
        "redis" => "Redis, for seconds; meanwhile messages reach only clients on the same hub".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(spec: &serde_json::Value, pending: &serde_json::Value) -> Chat {
        serde_json::from_value(
            serde_json::json!({"apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
            "metadata": {"name": "lobby", "namespace": "town", "generation": 2}, "spec": spec,
            "status": {"observedGeneration": 2, "pending": pending}}),
        )
        .unwrap()
    }

    fn drawn(chats: &[Chat], hold: bool) -> String {
        let operator = OperatorView {
            namespace: "chatcluster-system".into(),
            version: "0.2.0".into(),
            ready_replicas: 1,
            replicas: 1,
            hold,
        };
        Plan::of(chats, Some(operator)).draw(Paint::NEVER)
    }

    #[test]
    fn a_plan_names_each_change_and_what_restarts() {
        let pending = serde_json::json!([
            {"child": "Deployment/lobby-hub", "action": "Update", "restarts": "hub",
             "fields": ["spec.template.spec.containers[hub].image"]},
            {"child": "PodDisruptionBudget/lobby-hub", "action": "Create"}]);

        let text = drawn(&[chat(&serde_json::json!({}), &pending)], true);

        assert_eq!(
            text,
            "The operator, version 0.2.0 in namespace chatcluster-system, holds all changes back.

town/lobby
  Update  Deployment/lobby-hub           restarts hub  spec.template.spec.containers[hub].image
  Create  PodDisruptionBudget/lobby-hub
  ! restarts: the hubs, one after another; clients reconnect to another

To have it done: helm upgrade chatcluster charts/chatcluster -n chatcluster-system --reset-then-reuse-values --set hold=false
"
        );
    }

    #[test]
    fn a_paused_cluster_says_how_it_goes_on() {
        let pending =
            serde_json::json!([{"child": "Service/lobby", "action": "Update", "fields": ["spec.type"]}]);

        let text = drawn(&[chat(&serde_json::json!({"paused": true}), &pending)], false);

        assert!(text.contains("✓ no pod would restart"), "{text}");
        assert!(text.contains("kubectl chat resume lobby -n town"), "{text}");
    }

    #[test]
    fn where_nothing_is_held_back_it_says_how_to() {
        let text = drawn(&[chat(&serde_json::json!({}), &serde_json::json!([]))], false);

        assert!(text.contains("nothing is held back") && text.contains("--set hold=true"), "{text}");
    }

    #[test]
    fn an_upgrade_that_changes_nothing_is_good_news() {
        let text = drawn(&[chat(&serde_json::json!({}), &serde_json::json!([]))], true);

        assert!(text.contains("nothing would change, and no pod would restart"), "{text}");
    }
}
