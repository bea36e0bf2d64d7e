//! All `ChatCluster`s as a table: the columns of `kubectl get chat`, and the number of held changes.

use chatcluster_api::ConditionType;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use crate::model::{Chat, condition};
use crate::output::SHAPE;
use crate::read::NONE;
use crate::text::{Cell, Paint, Table, Tone, age};

/// The summary of a cluster: its condition Ready, hubs and address.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) ready: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Ready and desired hubs, such as `2/2`
    pub(crate) hubs: String,
    pub(crate) address: Option<String>,
}

impl Summary {
    pub(super) fn of(chat: &Chat) -> Self {
        let status = chat.status.clone().unwrap_or_default();
        let ready = condition(chat, ConditionType::Ready);
        Self {
            ready: ready.is_some_and(|c| c.status == "True"),
            reason: ready.map_or_else(|| "Unseen".to_owned(), |c| c.reason.clone()),
            message: ready.map_or_else(
                || "no operator has seen it yet; if that lasts, does one run for this namespace?".to_owned(),
                |c| c.message.clone(),
            ),
            hubs: status.hub.summary,
            address: status.address,
        }
    }
}

/// The summaries of all clusters.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct All {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Row>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    namespace: String,
    name: String,
    created: Option<Timestamp>,
    #[serde(flatten)]
    summary: Summary,
    paused: bool,
    /// The number of writes that are held back
    pending: usize,
}

impl All {
    pub(super) fn of(chats: &[Chat]) -> Self {
        let row = |chat: &Chat| Row {
            namespace: chat.namespace().unwrap_or_default(),
            name: chat.name_any(),
            created: chat.metadata.creation_timestamp.as_ref().map(|time| time.0),
            summary: Summary::of(chat),
            paused: chat.spec.paused,
            pending: chat.status.as_ref().map_or(0, |status| status.pending.len()),
        };
        let mut items: Vec<Row> = chats.iter().map(row).collect();
        items.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Self { api_version: SHAPE, kind: "ChatClusterStatusList", items }
    }

    pub(super) fn draw(&self, paint: Paint, now: Timestamp) -> String {
        if self.items.is_empty() {
            return NONE.to_owned();
        }
        let mut table =
            Table::new(&["NAMESPACE", "NAME", "READY", "REASON", "HUBS", "ADDRESS", "PENDING", "AGE"]);
        for row in &self.items {
            let tone = if row.summary.ready { Tone::Good } else { Tone::Waiting };
            table.row(vec![
                row.namespace.clone().into(),
                Cell(row.name.clone(), Tone::Strong),
                Cell(if row.summary.ready { "✓" } else { "…" }.to_owned(), tone),
                Cell(row.summary.reason.clone(), tone),
                dash(&row.summary.hubs).into(),
                dash(row.summary.address.as_deref().unwrap_or_default()).into(),
                if row.pending == 0 { "-".to_owned() } else { row.pending.to_string() }.into(),
                row.created.map(|created| age(created, now)).unwrap_or_default().into(),
            ]);
        }
        table.draw(paint)
    }
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}
