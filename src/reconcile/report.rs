//! Reports the results of a reconcile: in the log and the metrics, by events, and in the status.

use std::sync::Arc;

use chatcluster_api::{ChatCluster, ChatClusterStatus};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use tracing::{debug, info};

use super::apply::ApplyResults;
use super::error::ReconcileError;
use super::events::{self, EventContent};
use super::memory::Memories;
use super::publisher::Publisher;
use crate::metrics::Metrics;

/// Reports the results of reconciles.
pub(super) struct Reporter {
    pub(super) client: Client,
    pub(super) publisher: Arc<Publisher>,
    pub(super) metrics: Arc<Metrics>,
}

impl Reporter {
    /// Reports the writes to children and the failures of such writes. `before`: the status so far.
    pub(super) async fn report_writes(
        &self,
        memories: &Memories,
        object: &ChatCluster,
        before: &ChatClusterStatus,
        results: &ApplyResults,
    ) {
        for (kind, word) in results.errors().filter_map(|error| error.write_labels()) {
            self.metrics.wrote(kind, word);
        }
        for done in &results.applied {
            let (kind, name) = (done.child.kind.as_deref().unwrap_or_default(), done.child.name.as_deref());
            if done.outcome.is_notable() {
                info!(kind, name, outcome = ?done.outcome, "wrote a child");
            }
            if let Some(word) = done.outcome.label() {
                self.metrics.wrote(kind, word);
            }
        }
        let prior_states = memories.record_children(object, before, &results.applied);
        for (done, prior) in results.applied.iter().zip(&prior_states) {
            if events::is_drift(&done.outcome, *prior) {
                self.metrics.drift_repaired(done.child.kind.as_deref().unwrap_or_default());
            }
        }
        self.publish(object, events::about_writes(&results.applied, &prior_states)).await;
    }

    /// Writes the status `after` if it differs from `before`, the status so far, and publishes events about
    /// the changes of conditions.
    pub(super) async fn write_status(
        &self,
        memories: &Memories,
        object: &ChatCluster,
        before: &ChatClusterStatus,
        after: &ChatClusterStatus,
    ) -> Result<(), ReconcileError> {
        if before == after {
            return Ok(());
        }
        debug!("writing the status");
        let api: Api<ChatCluster> =
            Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let mut status = serde_json::json!({"address": null, "hub": null, "pending": null, "conditions": []});
        merge(&mut status, after);
        let patch = Patch::Merge(serde_json::json!({"metadata": {"uid": object.uid()}, "status": status}));
        // The patch is made of our own type: the API server need not look for fields that the schema does not
        // have.
        let params = PatchParams::default().validation_ignore();
        match api.patch_status(&object.name_any(), &params, &patch).await {
            Ok(written) => {
                self.metrics.wrote_status();
                memories.record_status(object, written);
            }
            // The object was deleted meanwhile, or recreated under its name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
            Err(error) => return Err(ReconcileError::Status(error)),
        }
        self.publish(object, events::about_conditions(before, after)).await;
        Ok(())
    }

    async fn publish(&self, object: &ChatCluster, events: Vec<EventContent>) {
        for event in events {
            self.publisher.publish(&object.object_ref(&()), event).await;
        }
    }
}

/// Sets the fields of `status` in `base`, whose other fields stay: a merge patch removes only the fields that
/// it sets to null.
fn merge(base: &mut serde_json::Value, status: &ChatClusterStatus) {
    let fields = serde_json::to_value(status).expect("a status has string keys only");
    if let (Some(base), serde_json::Value::Object(fields)) = (base.as_object_mut(), fields) {
        base.extend(fields);
    }
}
