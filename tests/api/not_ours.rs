//! The other half of the drift matrix: the operator touches no field that it does not own, and writes nothing
//! when others change or add such fields.

use serde_json::{Value, json};

use crate::audit::Audit;
use crate::mutations::{add, others};
use crate::operator;
use crate::owned::{escaped, find};
use crate::redis::give_address;
use crate::subject::{Subject, subjects};
use crate::support::{A_WHILE, Child, Kind, SOON};

/// Additions that users, controllers and webhooks make to a child of this kind and name.
fn additions(child: &Child) -> Vec<(&'static str, Value)> {
    let sidecar = json!({"name": "injected", "image": "localhost/sidecar:1"});
    let mut all = vec![
        ("/metadata/annotations/example.com~1note", json!("mine")),
        ("/metadata/labels/example.com~1team", json!("a")),
        ("/metadata/finalizers", json!(["example.com/hold"])),
    ];
    match child.kind {
        Kind::Deployment | Kind::StatefulSet => all.extend([
            ("/spec/minReadySeconds", json!(1)),
            ("/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt", json!("now")),
            ("/spec/template/metadata/labels/example.com~1team", json!("a")),
            ("/spec/template/spec/containers/-", sidecar),
            ("/spec/template/spec/initContainers", json!([{"name": "first", "image": "localhost/first:1"}])),
            ("/spec/template/spec/volumes/-", json!({"name": "injected", "emptyDir": {}})),
            ("/spec/template/spec/containers/0/env/-", json!({"name": "INJECTED", "value": "1"})),
            (
                "/spec/template/spec/containers/0/volumeMounts/-",
                json!({"name": "injected", "mountPath": "/injected"}),
            ),
            ("/spec/template/spec/tolerations", json!([{"operator": "Exists"}])),
            ("/spec/template/spec/nodeSelector", json!({"kubernetes.io/os": "linux"})),
            ("/spec/template/spec/priorityClassName", json!("system-cluster-critical")),
            ("/spec/template/spec/imagePullSecrets", json!([{"name": "injected"}])),
        ]),
        Kind::Service if !child.name.contains("-redis") => {
            all.push(("/spec/externalIPs", json!(["192.0.2.1"])));
        }
        Kind::ConfigMap => all.push(("/data/more", json!("theirs"))),
        Kind::Secret => all.push(("/data/more", json!("dGhlaXJz"))),
        Kind::HorizontalPodAutoscaler => {
            all.push(("/spec/behavior", json!({"scaleDown": {"stabilizationWindowSeconds": 60}})));
        }
        _ => {}
    }
    all
}

/// The plain values of an object's spec and data that are not ours, as JSON pointers.
fn unowned(subject: &Subject<'_>) -> Vec<String> {
    let ours: Vec<String> = subject
        .leaves
        .iter()
        .filter(|leaf| !leaf.presence)
        .filter_map(|leaf| find(&subject.object, &leaf.steps))
        .map(|(pointer, _)| pointer)
        .collect();
    let mut found = Vec::new();
    for part in ["spec", "data"] {
        scalars(&subject.object[part], format!("/{part}"), &mut found);
    }
    found.retain(|pointer| !ours.iter().any(|p| pointer == p || pointer.starts_with(&format!("{p}/"))));
    found
}

fn scalars(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                scalars(item, format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                scalars(field, format!("{pointer}/{}", escaped(name)), found);
            }
        }
        _ => found.push(pointer),
    }
}

/// Changes all fields that are not ours, and adds others, as far as the API server accepts it. Returns the
/// places and their values afterwards.
async fn meddle(subject: &Subject<'_>) -> Vec<(String, Value)> {
    let mut done = Vec::new();
    for pointer in unowned(subject) {
        let value = subject.object.pointer(&pointer).expect("it was found there");
        for other in others(value) {
            let way = json!([{"op": "replace", "path": pointer, "value": other}]);
            let Ok(now) = subject.child.try_edit(&way).await else { continue };
            assert_eq!(subject.changed(&now), Vec::<String>::new(), "{}: {way}", subject.child);
            let kept = now.pointer(&pointer).cloned().unwrap_or_default();
            if kept != *value {
                done.push((pointer, kept));
                break;
            }
        }
    }
    for (pointer, value) in additions(&subject.child) {
        let now = subject.child.get().await;
        let (parent, name) = pointer.rsplit_once('/').expect("a JSON pointer");
        let (way, pointer) = match (now.pointer(parent), name) {
            (Some(Value::Array(there)), "-") => (add(pointer, &value), format!("{parent}/{}", there.len())),
            (None, "-") => (add(parent, &json!([value])), format!("{parent}/0")),
            (None, name) => (add(parent, &json!({name.replace("~1", "/"): value})), pointer.to_owned()),
            _ => (add(pointer, &value), pointer.to_owned()),
        };
        subject.child.edit(json!([way])).await;
        let now = subject.child.get().await;
        assert_eq!(subject.changed(&now), Vec::<String>::new(), "{}: {pointer}", subject.child);
        let value = now.pointer(&pointer).expect("it was added").clone();
        done.push((pointer, value));
    }
    done
}

#[tokio::test]
async fn fields_that_are_not_ours_are_left_alone_without_a_write() {
    let ns = operator::namespace("not-ours").await;
    let spec = json!({"hub": {"autoscaling": {}}, "service": {"publish": "Immediately"}});
    let lobby = ns.chat("lobby", spec).await;
    let subjects = subjects(&lobby, true).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let audit = Audit::from_now();

    let mut all = Vec::new();
    for subject in &subjects {
        all.push((subject, meddle(subject).await));
    }
    let hub = lobby.child(Kind::Deployment, "-hub");
    hub.merge(json!({"spec": {"replicas": 5}})).await;
    give_address(&lobby, "192.0.2.9").await;
    ns.eventually(SOON, "the operator has seen the last change", async || {
        match lobby.get().await.status.and_then(|status| status.address) {
            Some(address) if address == "192.0.2.9" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    lobby.touch().await;
    tokio::time::sleep(A_WHILE).await;

    let mut changes = 0;
    for (subject, done) in &all {
        let now = subject.child.get().await;
        assert_eq!(subject.changed(&now), Vec::<String>::new(), "{}", subject.child);
        for (pointer, value) in done {
            let scaled = subject.child.kind == Kind::Deployment && pointer == "/spec/replicas";
            let kept = if scaled { json!(5) } else { value.clone() };
            assert_eq!(now.pointer(pointer).unwrap_or(&Value::Null), &kept, "{}: {pointer}", subject.child);
        }
        changes += done.len();
    }
    assert_eq!(hub.get().await["spec"]["replicas"], 5, "the autoscaler's number of hubs stays");
    let requests = audit.requests(&ns).await;
    assert!(requests.iter().any(|request| request.contains("/chatclusters/lobby/status")), "{requests:#?}");
    assert_eq!(writes(&requests), Vec::<&String>::new());
    let told = lobby.events().await.into_iter().filter(|e| e.reason.as_deref() == Some("Repaired"));
    assert_eq!(told.map(|event| event.note).collect::<Vec<_>>(), Vec::new());
    println!("drift matrix: {changes} changes of others in {} children are left alone", all.len());

    for subject in &subjects {
        subject.child.edit(json!([{"op": "remove", "path": "/metadata/finalizers"}])).await;
    }
}

/// The operator's requests that change anything but its events and statuses.
fn writes(requests: &[String]) -> Vec<&String> {
    let is_report = |uri: &str| uri.contains("/events") || uri.contains("/chatclusters/");
    let is_write = |request: &&String| {
        request
            .split_once(' ')
            .is_some_and(|(verb, uri)| !["get", "list", "watch"].contains(&verb) && !is_report(uri))
    };
    requests.iter().filter(is_write).collect()
}
