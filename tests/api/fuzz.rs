//! Random walks over valid specs: whatever specs a cluster has had, it ends with the same children as a fresh
//! cluster with the same spec. Invalid specs are refused by the API server, or reported, and never stop the
//! operator.
//!
//! `CHATCLUSTER_FUZZ_SEED` repeats one walk. `CHATCLUSTER_FUZZ_WALKS` sets the number of walks, each with a
//! seed of its own that is printed when it fails.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;
use kube::api::{Patch, PatchParams};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::audit::comes_to_rest;
use crate::operator;
use crate::spec::Walk;
use crate::support::{Chat, Kind, Namespace, SOON};

/// The number of walks in a run of the tests.
const WALKS: u64 = 6;
/// The number of walks at a time.
const AT_ONCE: usize = 2;
/// The number of steps of a walk.
const STEPS: u32 = 3;

#[tokio::test]
async fn whatever_specs_a_cluster_has_had_it_ends_like_a_fresh_one() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let seeds: Vec<u64> = match number("CHATCLUSTER_FUZZ_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("CHATCLUSTER_FUZZ_WALKS").unwrap_or(WALKS)).map(|_| rand::random()).collect(),
    };

    let failed: Vec<String> = stream::iter(&seeds)
        .map(|seed| async move { walk(*seed).await.err().map(|why| format!("seed {seed}: {why}")) })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;

    assert!(failed.is_empty(), "repeat a walk with CHATCLUSTER_FUZZ_SEED:\n{}", failed.join("\n\n"));
    println!("{} random walks of {STEPS} steps succeeded", seeds.len());
}

async fn walk(seed: u64) -> Result<(), String> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut walk = Walk::new(&mut random);
    let ns = operator::namespace("walk").await;
    secrets(&ns).await;
    let lobby = ns.chat("lobby", walk.spec.clone()).await;
    for step in 0..STEPS {
        let told = |why: String| format!("step {step}, spec {}:\n{why}", walk.spec);
        like_a_fresh_one(&ns, &lobby, &walk.spec).await.map_err(told)?;
        if random.random_bool(0.3) {
            nonsense(&lobby, &mut random, &walk.spec).await.map_err(told)?;
        }
        walk.step(&mut random);
        replace(&lobby, &walk.spec).await.map_err(|why| format!("step {step}, spec {}: {why}", walk.spec))?;
    }
    like_a_fresh_one(&ns, &lobby, &walk.spec)
        .await
        .map_err(|why| format!("the end, {}:\n{why}", walk.spec))?;
    comes_to_rest(&ns).await
}

/// Applies the user's own Secret, which some specs name.
async fn secrets(ns: &Namespace) {
    let values = json!({
        "pw": "correct horse battery staple",
        "jwt": "another secret that is not shorter than 32 bytes",
        "jwks": r#"{"keys": [{"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB"}]}"#,
    });
    ns.apply_secret("mine", values).await;
}

async fn replace(lobby: &Chat<'_>, spec: &Value) -> Result<(), String> {
    let operation = json!([{"op": "replace", "path": "/spec", "value": spec}]);
    let patch = Patch::Json::<()>(serde_json::from_value(operation).expect("an RFC 6902 patch"));
    lobby.api().patch(&lobby.name, &PatchParams::default(), &patch).await.map_err(|e| e.to_string())?;
    Ok(())
}

/// Creates a fresh cluster with the same name and spec, and waits until both have the same children.
async fn like_a_fresh_one(ns: &Namespace, lobby: &Chat<'_>, spec: &Value) -> Result<(), String> {
    let other = operator::namespace("fresh").await;
    secrets(&other).await;
    let fresh = other.chat("lobby", spec.clone()).await;
    let expected = other
        .try_eventually(SOON, async || {
            let status = fresh.get().await.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|c| c.type_ == "Ready").ok_or("no status yet")?;
            if ["NameTaken", "ApplyFailed", "PodTemplateInvalid"].contains(&ready.reason.as_str()) {
                return Err(format!("the fresh one: {}", ready.message));
            }
            Ok(children(&fresh).await)
        })
        .await?;
    let hub_replicas = |of: &BTreeMap<String, Value>| of["Deployment lobby-hub"]["spec"]["replicas"].clone();
    ns.try_eventually(SOON, async || {
        let mut found = children(lobby).await;
        let mut expected = expected.clone();
        if spec["hub"]["autoscaling"].is_object() && found.contains_key("Deployment lobby-hub") {
            // The autoscaler chooses the number, within its bounds.
            let replicas = hub_replicas(&found);
            for hub in [&mut found, &mut expected] {
                hub.get_mut("Deployment lobby-hub").expect("a Deployment")["spec"]["replicas"] =
                    replicas.clone();
            }
        }
        match expected.iter().find(|(name, child)| found.get(*name) != Some(child)) {
            Some((name, child)) => {
                let found = found.get(name).unwrap_or(&Value::Null);
                Err(format!("{name} is {found}, in a fresh cluster it is {child}"))
            }
            None if found.len() > expected.len() => {
                let extra: Vec<_> = found.keys().filter(|name| !expected.contains_key(*name)).collect();
                Err(format!("left over: {extra:?}"))
            }
            None => Ok(()),
        }
    })
    .await
}

/// All existing children, without the parts that differ from one cluster to the next.
async fn children(chat: &Chat<'_>) -> BTreeMap<String, Value> {
    let mut all = chat.children();
    all.push(chat.child(Kind::HorizontalPodAutoscaler, "-hub"));
    let mut found = BTreeMap::new();
    for child in all {
        if let Some(object) = child.find().await {
            found.insert(child.to_string(), essence(child.kind, object));
        }
    }
    found
}

/// An object without its identity, its history, and the values that were drawn for it.
fn essence(kind: Kind, mut object: Value) -> Value {
    let metadata = object["metadata"].take();
    let mut annotations = metadata["annotations"].clone();
    for history in ["chatcluster.dev/applied", "deployment.kubernetes.io/revision"] {
        remove(&mut annotations, history);
    }
    object["metadata"] = json!({"labels": metadata["labels"], "annotations": annotations});
    for template in ["/spec/template/metadata/annotations"] {
        if let Some(annotations) = object.pointer_mut(template) {
            for drawn in [
                "chatcluster.dev/auth-revision",
                "chatcluster.dev/token-revision",
                "kubectl.kubernetes.io/restartedAt",
            ] {
                remove(annotations, drawn);
            }
        }
    }
    remove(&mut object, "status");
    match kind {
        Kind::Secret => {
            let keys: Vec<String> =
                object["data"].as_object().map(|data| data.keys().cloned().collect()).unwrap_or_default();
            object["data"] = json!(keys);
        }
        Kind::Service => {
            for drawn in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
                remove(&mut object["spec"], drawn);
            }
            for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
                remove(port, "nodePort");
            }
        }
        _ => {}
    }
    object
}

fn remove(map: &mut Value, key: &str) {
    if let Some(map) = map.as_object_mut() {
        map.remove(key);
    }
}

/// Puts a value into the spec that does not belong there. The API server refuses it, or the operator goes on
/// and reports its state.
async fn nonsense(lobby: &Chat<'_>, random: &mut StdRng, spec: &Value) -> Result<(), String> {
    let values =
        [json!(-1), json!("\n"), json!([[]]), json!({"a": {}}), json!(true), json!(1e300), Value::Null];
    let mut broken = spec.clone();
    let places =
        ["/hub", "/redis", "/service", "/hub/podTemplate", "/redis/podTemplate", "/hub/env", "/redis/config"];
    let place = places.choose(random).expect("some");
    let names = ["image", "spec", "replicas", "resources", "annotations", "name", "$patch", "metadata"];
    let name = names.choose(random).expect("some");
    let value = values.choose(random).expect("some").clone();
    match broken.pointer_mut(place) {
        Some(Value::Object(map)) => drop(map.insert((*name).to_owned(), value)),
        Some(other) => *other = value,
        None => broken[place.split('/').nth(1).expect("a field")] = value,
    }
    if replace(lobby, &broken).await.is_err() {
        return Ok(());
    }
    let what = format!("the operator has observed {broken}");
    lobby
        .ns
        .try_eventually(SOON, async || {
            let chat = lobby.get().await;
            let status = chat.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|c| c.type_ == "Ready").ok_or("no condition")?;
            if status.observed_generation == chat.metadata.generation {
                Ok(())
            } else {
                Err(ready.message.clone())
            }
        })
        .await
        .map_err(|seen| format!("{what}: {seen}"))
}
