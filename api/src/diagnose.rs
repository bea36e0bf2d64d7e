//! Why a pod does not run: what its status says, in words that name the object and the remedy.

use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::ResourceExt;

use crate::pods::container_status;

/// How much of a container's last words a message takes up, in bytes.
const LAST_WORDS: usize = 300;

/// What keeps a pod from running. Each waits for a person, or for time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No node takes the pod.
    Unschedulable(String),
    /// The image cannot be had.
    ImagePullFailed(String),
    /// The kubelet cannot start the container, as when a Secret or a key that it needs is missing.
    CannotStart(String),
    /// The container ends again and again.
    Crashing(String),
}

/// What keeps `pod` from running, by the state of its main `container`. `image_field`: the field of the spec with its image.
pub fn trouble(pod: &Pod, container: &str, image_field: &str) -> Option<Trouble> {
    unschedulable(pod).or_else(|| container_trouble(pod, container, image_field))
}

fn unschedulable(pod: &Pod) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let refused = conditions.iter().find(|c| {
        c.type_ == "PodScheduled" && c.status == "False" && c.reason.as_deref() == Some("Unschedulable")
    })?;
    Some(Trouble::Unschedulable(format!(
        "no node takes pod {}: {}",
        pod.name_any(),
        refused.message.as_deref().unwrap_or("the scheduler gives no reason")
    )))
}

fn container_trouble(pod: &Pod, container: &str, image_field: &str) -> Option<Trouble> {
    let status = container_status(pod, container)?;
    let name = pod.name_any();
    let waiting = status.state.as_ref()?.waiting.as_ref();
    let said = waiting.and_then(|w| w.message.as_deref()).unwrap_or("the kubelet gives no reason");
    match waiting?.reason.as_deref()? {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ErrImageNeverPull"
        | "InvalidImageName"
        | "ImageInspectError"
        | "RegistryUnavailable" => Some(Trouble::ImagePullFailed(format!(
            "pod {name} cannot get its image {}: {said}; correct {image_field}, load the image on the nodes, or name a \
             pull secret in spec.hub.imagePullSecrets",
            status.image
        ))),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Trouble::CannotStart(format!("pod {name} cannot be started: {said}")))
        }
        "CrashLoopBackOff" => Some(Trouble::Crashing(format!(
            "pod {name} ends again and again{}; see: kubectl logs {name} --previous",
            last_words(status.last_state.as_ref())
        ))),
        _ => None,
    }
}

fn last_words(state: Option<&ContainerState>) -> String {
    let Some(terminated) = state.and_then(|state| state.terminated.as_ref()) else { return String::new() };
    let words = terminated.message.as_deref().unwrap_or_default().trim();
    if words.is_empty() {
        return format!(" (exit code {})", terminated.exit_code);
    }
    let mut start = words.len().saturating_sub(LAST_WORDS);
    while !words.is_char_boundary(start) {
        start += 1;
    }
    format!(" (exit code {}): {}", terminated.exit_code, &words[start..])
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
        let found = trouble(&waiting("ImagePullBackOff", "not found"), "hub", "spec.hub.image");

        let Some(Trouble::ImagePullFailed(message)) = found else { panic!("{found:?}") };
        assert!(message.contains("example/hub:1") && message.contains("correct spec.hub.image"), "{message}");
    }

    #[test]
    fn a_crashing_container_is_quoted() {
        let found = trouble(&waiting("CrashLoopBackOff", "back-off"), "hub", "spec.hub.image");

        let Some(Trouble::Crashing(message)) = found else { panic!("{found:?}") };
        assert!(message.contains("(exit code 2): bad flag"), "{message}");
    }

    #[test]
    fn a_pod_that_no_node_takes_says_why() {
        let pod = pod(&json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
        ]}));

        let found = trouble(&pod, "hub", "spec.hub.image");

        assert_eq!(
            found,
            Some(Trouble::Unschedulable("no node takes pod lobby-hub-x: 0/2 nodes".to_owned()))
        );
    }

    #[test]
    fn a_pod_that_is_being_created_is_in_no_trouble() {
        assert_eq!(trouble(&waiting("ContainerCreating", ""), "hub", "spec.hub.image"), None);
    }
}
