//! The operator, as its Deployment says.

use chatcluster_api::names::OPERATOR;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde::Serialize;

use crate::cluster::Cluster;
use crate::fault::{Fault, is_forbidden};

/// The operator's Deployment, in whichever namespace it is. Without the right to look in all namespaces, only
/// the namespace of the chart's documentation is searched.
pub(crate) async fn find(cluster: &Cluster) -> Result<Option<Deployment>, Fault> {
    let labels = ListParams::default().labels(&format!("app.kubernetes.io/name={OPERATOR}"));
    let everywhere = Api::<Deployment>::all(cluster.client.clone()).list(&labels).await;
    let found = match everywhere {
        Err(error) if is_forbidden(&error) => {
            let there: Api<Deployment> = Api::namespaced(cluster.client.clone(), "chatcluster-system");
            there.list(&labels).await
        }
        other => other,
    };
    match found {
        Ok(list) => Ok(list.items.into_iter().next()),
        Err(error) if is_forbidden(&error) => Ok(None),
        Err(error) => Err(Fault::of("list deployments", &error)),
    }
}

/// The operator, as its Deployment says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperatorView {
    pub(crate) namespace: String,
    pub(crate) version: String,
    pub(crate) ready_replicas: i32,
    pub(crate) replicas: i32,
    /// Whether the operator writes plans only (`--hold`)
    pub(crate) hold: bool,
}

impl OperatorView {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let container = pod.and_then(|pod| pod.containers.first());
        let image = container.and_then(|c| c.image.clone()).unwrap_or_default();
        let label = deployment.labels().get("app.kubernetes.io/version").cloned();
        let flag = |text: &str| text == "--hold" || text == "--hold=true";
        let args = container.map(|c| [c.command.clone(), c.args.clone()].into_iter().flatten().flatten());
        let env = container.and_then(|c| c.env.clone()).unwrap_or_default();
        Self {
            namespace: deployment.namespace().unwrap_or_default(),
            version: tag(&image).map(str::to_owned).or(label).unwrap_or_else(|| "unknown".to_owned()),
            ready_replicas: deployment.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0),
            replicas: deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1),
            hold: env.iter().any(|e| e.name == "HOLD" && e.value.as_deref() == Some("true"))
                || args.into_iter().flatten().any(|text| flag(&text)),
        }
    }
}

/// The tag of an image's reference; `None` if it has none, or only a digest.
fn tag(image: &str) -> Option<&str> {
    let named = image.split('@').next()?;
    let (_, last) = named.rsplit_once('/').unwrap_or(("", named));
    last.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_tag_not_the_registrys_port() {
        assert_eq!(tag("localhost:5000/team/operator:0.2.0"), Some("0.2.0"));
        assert_eq!(tag("localhost:5000/operator"), None);
        assert_eq!(tag("operator:0.2.0@sha256:abc"), Some("0.2.0"));
    }

    #[test]
    fn the_operator_holds_by_variable_or_by_flag() {
        let deployment = |container: serde_json::Value| -> Deployment {
            serde_json::from_value(serde_json::json!({"spec": {"selector": {}, "template": {"spec":
                {"containers": [container]}}}}))
            .unwrap()
        };
        let holds = |container| OperatorView::of(&deployment(container)).hold;

        assert!(holds(serde_json::json!({"name": "o", "env": [{"name": "HOLD", "value": "true"}]})));
        assert!(holds(serde_json::json!({"name": "o", "args": ["run", "--hold"]})));
        assert!(!holds(serde_json::json!({"name": "o", "env": [{"name": "HOLD", "value": "false"}]})));
    }
}
