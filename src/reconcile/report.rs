//! Tells of what a reconcile did: in the log and the metrics, by events, and in the status.

use std::sync::Arc;

use chatcluster_api::{ChatCluster, ChatClusterStatus};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use tracing::{debug, info};

use super::apply::Work;
use super::error::ReconcileError;
use super::events::{self, Notice};
use super::memory::Memories;
use super::publisher::Publisher;
use crate::metrics::Metrics;

/// What it takes to tell.
pub(super) struct Reporter {
    pub(super) client: Client,
    pub(super) publisher: Arc<Publisher>,
    pub(super) metrics: Arc<Metrics>,
}

impl Reporter {
    /// Tells of what was written, and of what could not be. `before`: the status so far.
    pub(super) async fn writes(
        &self,
        memories: &Memories,
        object: &ChatCluster,
        before: &ChatClusterStatus,
        work: &Work,
    ) {
        for (kind, word) in work.errors().filter_map(|error| error.write()) {
            self.metrics.wrote(kind, word);
        }
        for done in &work.applied {
            let (kind, name) = (done.child.kind.as_deref().unwrap_or_default(), done.child.name.as_deref());
            if done.outcome.is_something() {
                info!(kind, name, outcome = ?done.outcome, "wrote a child");
            }
            if let Some(word) = done.outcome.word() {
                self.metrics.wrote(kind, word);
            }
        }
        let formers = memories.children_applied(object, before, &work.applied);
        for (done, former) in work.applied.iter().zip(&formers) {
            if events::is_drift(&done.outcome, *former) {
                self.metrics.drift_repaired(done.child.kind.as_deref().unwrap_or_default());
            }
        }
        self.publish(object, events::of_writes(&work.applied, &formers)).await;
    }

    /// Writes the status `after` where it is another than `before`, the status so far, and tells what is new in it.
    pub(super) async fn status(
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
        // It is of our own type: the API server need not look for fields that the schema does not have.
        let params = PatchParams::default().validation_ignore();
        match api.patch_status(&object.name_any(), &params, &patch).await {
            Ok(written) => {
                self.metrics.wrote_status();
                memories.status_written(object, written);
            }
            // It was deleted meanwhile, or made anew under its name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
            Err(error) => return Err(ReconcileError::Status(error)),
        }
        self.publish(object, events::of_conditions(before, after)).await;
        Ok(())
    }

    async fn publish(&self, object: &ChatCluster, notices: Vec<Notice>) {
        for notice in notices {
            self.publisher.publish(&object.object_ref(&()), notice).await;
        }
    }
}

/// Lays the fields of `status` over `base`, whose other fields stay: a merge patch removes only what it names as null.
fn merge(base: &mut serde_json::Value, status: &ChatClusterStatus) {
    let fields = serde_json::to_value(status).expect("a status has string keys only");
    if let (Some(base), serde_json::Value::Object(fields)) = (base.as_object_mut(), fields) {
        base.extend(fields);
    }
}
