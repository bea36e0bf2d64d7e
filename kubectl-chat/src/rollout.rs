//! Waits until a part's pods have been replaced and are ready.

use std::time::Duration;

use chatcluster_api::names::{self, RESTARTED_AT};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::runtime::wait::{Error, await_condition};
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::model::Part;
use crate::text::print;

/// Waits for the rollout of the template that carries `value`.
pub(crate) async fn wait(
    cluster: &Cluster,
    name: &str,
    part: Part,
    value: &str,
    patience: Duration,
) -> Result<(), Fault> {
    let (object, waited) = match part {
        Part::Hub => {
            let object = names::hub(name);
            let done = |d: Option<&Deployment>| d.is_some_and(|d| hubs_are_new(d, value));
            let waited = timeout(patience, await_condition(cluster.api::<Deployment>(), &object, done)).await;
            (format!("Deployment {object}"), waited.map(|result| result.map(|_| ())))
        }
        Part::Redis => {
            let object = names::redis(name);
            let done = |s: Option<&StatefulSet>| s.is_some_and(|s| redis_is_new(s, value));
            let waited =
                timeout(patience, await_condition(cluster.api::<StatefulSet>(), &object, done)).await;
            (format!("StatefulSet {object}"), waited.map(|result| result.map(|_| ())))
        }
    };
    match waited {
        Ok(Ok(())) => {
            print(&format!("{object} is up again\n"));
            Ok(())
        }
        Ok(Err(error)) => Err(failed(&object, &error)),
        Err(_) => Err(Fault::No(format!(
            "{object} is not up again after {patience:?}; see: kubectl chat status {name} (an operator that holds changes \
             back, or is older than 0.2, restarts nothing)"
        ))),
    }
}

fn failed(object: &str, error: &Error) -> Fault {
    match error {
        Error::ProbeFailed(kube::runtime::watcher::Error::InitialListFailed(error)) => {
            Fault::of(format!("watch {object}"), error)
        }
        other @ Error::ProbeFailed(_) => Fault::failed(format!("watch {object}"), other),
    }
}

fn carries(template: &PodTemplateSpec, value: &str) -> bool {
    let annotations = template.metadata.as_ref().and_then(|meta| meta.annotations.as_ref());
    annotations.and_then(|all| all.get(RESTARTED_AT)).is_some_and(|found| found == value)
}

fn hubs_are_new(deployment: &Deployment, value: &str) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else { return false };
    let wanted = spec.replicas.unwrap_or(1);
    carries(&spec.template, value)
        && status.observed_generation >= deployment.metadata.generation
        && [status.updated_replicas, status.replicas, status.available_replicas]
            .iter()
            .all(|count| count.unwrap_or(0) == wanted)
}

fn redis_is_new(set: &StatefulSet, value: &str) -> bool {
    let (Some(spec), Some(status)) = (&set.spec, &set.status) else { return false };
    carries(&spec.template, value)
        && status.observed_generation >= set.metadata.generation
        && status.current_revision == status.update_revision
        && status.ready_replicas.unwrap_or(0) == spec.replicas.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(value: &str, updated: i32, generation: i64) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"generation": generation},
            "spec": {"replicas": 2, "selector": {}, "template": {"metadata": {"annotations": {RESTARTED_AT: value}}}},
            "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": updated, "availableReplicas": 2}
        }))
        .unwrap()
    }

    #[test]
    fn a_rollout_is_done_when_every_pod_is_of_the_template_that_was_asked_for() {
        assert!(hubs_are_new(&deployment("now", 2, 3), "now"));
        assert!(
            !hubs_are_new(&deployment("before", 2, 3), "now"),
            "the operator has not copied the value yet"
        );
        assert!(!hubs_are_new(&deployment("now", 1, 3), "now"), "one pod is old");
        assert!(!hubs_are_new(&deployment("now", 2, 4), "now"), "the status speaks of the template before");
    }

    #[test]
    fn redis_is_new_once_its_revision_is_the_current_one() {
        let set = |current: &str| -> StatefulSet {
            serde_json::from_value(json!({
                "metadata": {"generation": 1},
                "spec": {"selector": {}, "serviceName": "x", "template": {"metadata": {"annotations": {RESTARTED_AT: "now"}}}},
                "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "currentRevision": current,
                           "updateRevision": "b"}
            }))
            .unwrap()
        };

        assert!(redis_is_new(&set("b"), "now"));
        assert!(!redis_is_new(&set("a"), "now"));
    }
}
