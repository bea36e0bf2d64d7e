//! The problem that keeps a pod from running, read from its status, as a message that names the object and
//! the remedy.

use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::ResourceExt;

use crate::pods::container_status;

/// The number of bytes of a crashed container's termination message that are quoted, counted from its end.
const QUOTED_BYTES: usize = 300;

/// A problem that keeps a pod from running, with a message for the user. It may pass by itself or need a
/// person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodProblem {
    /// The scheduler finds no node for the pod.
    Unschedulable(String),
    /// The kubelet cannot pull the image.
    ImagePullFailed(String),
    /// The kubelet cannot start the container, for example because a Secret that it needs is missing.
    CannotStart(String),
    /// The container keeps crashing.
    Crashing(String),
}

/// Returns the problem that keeps `pod` from running, if there is one. `container` is its main container, and
/// `image_field` the field of the `ChatCluster` that sets the container's image.
pub fn pod_problem(pod: &Pod, container: &str, image_field: &str) -> Option<PodProblem> {
    unschedulable(pod).or_else(|| container_problem(pod, container, image_field))
}

fn unschedulable(pod: &Pod) -> Option<PodProblem> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let refused = conditions.iter().find(|c| {
        c.type_ == "PodScheduled" && c.status == "False" && c.reason.as_deref() == Some("Unschedulable")
    })?;
    Some(PodProblem::Unschedulable(format!(
        "pod {} cannot be scheduled: {}",
        pod.name_any(),
        refused.message.as_deref().unwrap_or("the scheduler gives no reason")
    )))
}

fn container_problem(pod: &Pod, container: &str, image_field: &str) -> Option<PodProblem> {
    let status = container_status(pod, container)?;
    let name = pod.name_any();
    let waiting = status.state.as_ref()?.waiting.as_ref();
    let why = waiting.and_then(|w| w.message.as_deref()).unwrap_or("the kubelet gives no reason");
    match waiting?.reason.as_deref()? {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ErrImageNeverPull"
        | "InvalidImageName"
        | "ImageInspectError"
        | "RegistryUnavailable" => Some(PodProblem::ImagePullFailed(format!(
            "pod {name} cannot pull its image {}: {why}; correct {image_field}, load the image on the nodes, \
             or name a pull secret in spec.hub.imagePullSecrets",
            status.image
        ))),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(PodProblem::CannotStart(format!("pod {name} cannot start its container: {why}")))
        }
        "CrashLoopBackOff" => Some(PodProblem::Crashing(format!(
            "pod {name} keeps crashing{}; see: kubectl logs {name} --previous",
            exit_of(status.last_state.as_ref())
        ))),
        _ => None,
    }
}

fn exit_of(state: Option<&ContainerState>) -> String {
    let Some(terminated) = state.and_then(|state| state.terminated.as_ref()) else { return String::new() };
    let message = terminated.message.as_deref().unwrap_or_default().trim();
    if message.is_empty() {
        return format!(" (exit code {})", terminated.exit_code);
    }
    let mut start = message.len().saturating_sub(QUOTED_BYTES);
    while !message.is_char_boundary(start) {
        start += 1;
    }
    format!(" (exit code {}): {}", terminated.exit_code, &message[start..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "lobby-hub-x"}, "status": status})).unwrap()
    }

    fn waiting(reason: &str, message: &str) -> Pod {
        pod(&json!({"containerStatuses": [{
            "name": "hub", "image": "example/hub:1", "imageID": "", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": reason, "message": message}},
            "lastState": {"terminated": {"exitCode": 2, "message": "bad flag\n"}}
        }]}))
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_named_with_the_field_to_correct() {
        let found = pod_problem(&waiting("ImagePullBackOff", "not found"), "hub", "spec.hub.image");

        let Some(PodProblem::ImagePullFailed(message)) = found else { panic!("{found:?}") };
        assert!(message.contains("example/hub:1") && message.contains("correct spec.hub.image"), "{message}");
    }

    #[test]
    fn a_crashing_container_is_quoted() {
        let found = pod_problem(&waiting("CrashLoopBackOff", "back-off"), "hub", "spec.hub.image");

        let Some(PodProblem::Crashing(message)) = found else { panic!("{found:?}") };
        assert!(message.contains("(exit code 2): bad flag"), "{message}");
    }

    #[test]
    fn a_pod_that_cannot_be_scheduled_says_why() {
        let pod = pod(&json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
        ]}));

        let found = pod_problem(&pod, "hub", "spec.hub.image");

        assert_eq!(
            found,
            Some(PodProblem::Unschedulable("pod lobby-hub-x cannot be scheduled: 0/2 nodes".to_owned()))
        );
    }

    #[test]
    fn a_pod_that_is_being_created_has_no_problem() {
        assert_eq!(pod_problem(&waiting("ContainerCreating", ""), "hub", "spec.hub.image"), None);
    }
}
