//! Users' pod templates, labels and annotations: they reach the children and stay, and faults are reported.

use serde_json::{Value, json};

use crate::audit::Audit;
use crate::operator;
use crate::support::{A_WHILE, Chat, Kind, Namespace, SOON};

fn no_volume(more: &Value) -> Value {
    let mut spec = json!({"redis": {"persistence": "None"}, "service": {"publish": "Immediately"}});
    for part in ["hub", "redis"] {
        for (key, value) in more[part].as_object().into_iter().flatten() {
            spec[part][key] = value.clone();
        }
    }
    spec
}

async fn has(ns: &Namespace, lobby: &Chat<'_>, child: (Kind, &str), pointer: &str, wanted: Value) {
    let child = lobby.child(child.0, child.1);
    ns.eventually(SOON, &format!("{child} has {pointer} = {wanted}"), async || {
        let now = child.seen().await?.pointer(pointer).cloned().unwrap_or_default();
        if now == wanted { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
}

/// A pod template with a bit of everything, including values that the API server stores in another form.
fn overlay() -> Value {
    json!({
        "metadata": {"labels": {"team": "a"}, "annotations": {"example.com/note": "n"}},
        "spec": {
            "priorityClassName": "system-cluster-critical",
            "hostNetwork": false,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"operator": "Exists"}],
            "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["db"]}],
            "containers": [
                {
                    "name": "hub",
                    "env": [{"name": "EMPTY", "value": ""}],
                    "ports": [{"containerPort": 9999, "name": "admin"}],
                    "resources": {"limits": {"cpu": 1, "memory": "0.5Gi"}},
                    "livenessProbe": null
                },
                {"name": "sidecar", "image": "localhost/sidecar:1", "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}
                }}
            ]
        }
    })
}

#[tokio::test]
async fn a_pod_template_reaches_the_pods_and_causes_no_drift() {
    let ns = operator::namespace("overlay").await;
    let hub = (Kind::Deployment, "-hub");

    let lobby = ns.chat("lobby", no_volume(&json!({"hub": {"podTemplate": overlay()}}))).await;

    has(&ns, &lobby, hub, "/spec/template/spec/containers/1/name", json!("sidecar")).await;
    has(&ns, &lobby, hub, "/spec/template/metadata/labels/team", json!("a")).await;
    has(&ns, &lobby, hub, "/spec/template/spec/containers/0/livenessProbe", Value::Null).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    // Values that the API server stored in another form are neither written again nor reported as repairs.
    let audit = Audit::from_now();
    lobby.touch().await;
    tokio::time::sleep(A_WHILE).await;
    let writes: Vec<_> =
        audit.requests(&ns).await.into_iter().filter(|r| r.contains("deployments")).collect();
    assert_eq!(writes, Vec::<String>::new());
    let events = lobby.events().await;
    assert!(events.iter().all(|event| event.reason.as_deref() != Some("Repaired")), "{events:#?}");

    lobby.set(json!({"hub": {"podTemplate": null}})).await;

    has(&ns, &lobby, hub, "/spec/template/spec/containers/1", Value::Null).await;
    has(&ns, &lobby, hub, "/spec/template/metadata/labels/team", Value::Null).await;
    has(&ns, &lobby, hub, "/spec/template/spec/priorityClassName", Value::Null).await;
}

#[tokio::test]
async fn an_invalid_pod_template_is_reported_and_leaves_the_workload_as_it_is() {
    let ns = operator::namespace("bad-overlay").await;
    let lobby = ns.chat("lobby", no_volume(&json!({}))).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let hub = lobby.child(Kind::Deployment, "-hub");
    let before = hub.get().await["spec"].clone();
    let wrong = [
        (json!({"spec": {"nodeSelektor": {"a": "b"}}}), "spec.nodeSelektor"),
        (json!({"spec": {"nodeSelector": {"a": 1}}}), "spec.nodeSelector.a"),
        (json!({"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}}), "app.kubernetes.io/instance"),
        (json!({"spec": {"containers": [{"name": "hub", "$patch": "delete"}]}}), "spec.containers[hub]"),
    ];

    for (overlay, place) in wrong {
        lobby.set(json!({"hub": {"podTemplate": null}})).await;
        lobby.set(json!({"hub": {"podTemplate": overlay}})).await;

        let said = lobby
            .says("Ready", SOON, place, |c| c.reason == "PodTemplateInvalid" && c.message.contains(place));
        assert_eq!(said.await.status, "False");
        assert_eq!(hub.get().await["spec"], before, "the hubs stay as they are");
    }
    lobby.tells("PodTemplateInvalid", &["hub.podTemplate"]).await;

    // Faults that only the API server detects are reported in its words.
    let refused = json!({"spec": {"containers": [{"name": "hub", "imagePullPolicy": "Sometimes"}]}});
    lobby.set(json!({"hub": {"podTemplate": null}})).await;
    lobby.set(json!({"hub": {"podTemplate": refused}})).await;
    let said = lobby
        .says("Ready", SOON, "Sometimes", |c| c.reason == "ApplyFailed" && c.message.contains("Sometimes"));
    said.await;

    lobby.set(json!({"hub": {"podTemplate": null}})).await;
    lobby
        .says("Ready", SOON, "no longer reports the fault", |c| {
            !["ApplyFailed", "PodTemplateInvalid"].contains(&c.reason.as_str())
        })
        .await;
}

#[tokio::test]
async fn labels_and_annotations_reach_every_child_and_can_be_removed() {
    let ns = operator::namespace("metadata").await;
    let theirs = json!({"labels": {"team": "a"}, "annotations": {"example.com/owner": "us"}});
    let mut spec = no_volume(&json!({"hub": {"autoscaling": {}}}));
    spec["childMetadata"] = theirs;

    let lobby = ns.chat("lobby", spec).await;

    lobby.has_all_children().await;
    let mut children = lobby.children();
    children.push(lobby.child(Kind::HorizontalPodAutoscaler, "-hub"));
    let each = async |team: Value, owner: Value| {
        for child in &children {
            ns.eventually(SOON, &format!("{child} has the team {team}"), async || {
                let metadata = child.seen().await?["metadata"].clone();
                let seen = (&metadata["labels"]["team"], &metadata["annotations"]["example.com/owner"]);
                if seen == (&team, &owner) { Ok(()) } else { Err(metadata.to_string()) }
            })
            .await;
        }
    };
    each(json!("a"), json!("us")).await;
    lobby.set(json!({"childMetadata": {"labels": {"team": "b"}, "annotations": null}})).await;
    each(json!("b"), Value::Null).await;
}

#[tokio::test]
async fn hubs_can_get_the_password_from_the_environment_and_are_rolled_for_a_new_one() {
    let ns = operator::namespace("password-env").await;
    let lobby = ns.chat("lobby", no_volume(&json!({"hub": {"passwordEnv": true}}))).await;
    let hub = lobby.child(Kind::Deployment, "-hub");
    let revision = "/spec/template/metadata/annotations/chatcluster.dev~1auth-revision";
    let before = ns
        .eventually(SOON, "the Deployment of the hubs is created", async || {
            let hub = hub.seen().await?;
            hub.pointer(revision).cloned().ok_or_else(|| format!("{hub:#}"))
        })
        .await;
    let env = hub.get().await["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let password = env.as_array().and_then(|all| all.iter().find(|env| env["name"] == "REDIS_PASSWORD"));
    let source = password.expect("REDIS_PASSWORD")["valueFrom"]["secretKeyRef"].clone();
    assert_eq!(source, json!({"name": "lobby-redis-auth", "key": "redis.password"}));

    lobby.child(Kind::Secret, "-redis-auth").delete().await;

    ns.eventually(SOON, "the hubs are rolled", async || {
        let now = hub.seen().await?.pointer(revision).cloned().unwrap_or_default();
        if now == before { Err("the same revision".to_owned()) } else { Ok(()) }
    })
    .await;
}
