//! Random walks over valid specs: whatever a cluster has been, it ends as a fresh one with the same spec does. Specs that
//! are not valid are refused by the API server, or reported, and never stop the operator.
//!
//! `CHATCLUSTER_FUZZ_SEED` repeats one walk; `CHATCLUSTER_FUZZ_WALKS` says how many are made, each from a seed of its own
//! that is printed when it fails.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;
use kube::api::{Patch, PatchParams};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::audit::Audit;
use crate::operator;
use crate::spec::Walk;
use crate::support::{A_WHILE, Chat, Kind, Namespace, SOON};

/// How many walks a run of the tests makes, how many at once, and how many steps each has.
const WALKS: u64 = 6;
const AT_ONCE: usize = 2;
const STEPS: u32 = 3;

#[tokio::test]
async fn whatever_a_cluster_has_been_it_ends_as_a_fresh_one_does() {
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

    assert!(failed.is_empty(), "repeat one with CHATCLUSTER_FUZZ_SEED:\n{}", failed.join("\n\n"));
    println!("{} random walks of {STEPS} steps ran clean", seeds.len());
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
    at_rest(&ns).await
}

/// The user's own Secret, which some specs name.
async fn secrets(ns: &Namespace) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"},
        "stringData": {
            "pw": "correct horse battery staple",
            "jwt": "another secret that is not shorter than 32 bytes",
            "jwks": r#"{"keys": [{"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB"}]}"#,
        }
    });
    ns.apply(secret).await;
}

async fn replace(lobby: &Chat<'_>, spec: &Value) -> Result<(), String> {
    let operation = json!([{"op": "replace", "path": "/spec", "value": spec}]);
    let patch = Patch::Json::<()>(serde_json::from_value(operation).expect("an RFC 6902 patch"));
    lobby.api().patch(&lobby.name, &PatchParams::default(), &patch).await.map_err(|e| e.to_string())?;
    Ok(())
}

/// Makes a fresh cluster with the same spec, of the same name, and waits until both have the same children.
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
            // The autoscaler's, within its bounds.
            let replicas = hub_replicas(&found);
            for hub in [&mut found, &mut expected] {
                hub.get_mut("Deployment lobby-hub").expect("a Deployment")["spec"]["replicas"] =
                    replicas.clone();
            }
        }
        match expected.iter().find(|(name, child)| found.get(*name) != Some(child)) {
            Some((name, child)) => {
                Err(format!("{name} is {}, fresh it is {child}", found.get(name).unwrap_or(&Value::Null)))
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

/// All children that are there, without what differs from one cluster to the next.
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

/// An object without its identity, its history, and what the API server drew for it.
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

/// Puts something into the spec that does not belong there. The API server refuses it, or the operator goes on and says
/// how things stand with it.
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
    let what = format!("the operator speaks of {broken}");
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

/// No write of the operator for a while: no hot loop.
async fn at_rest(ns: &Namespace) -> Result<(), String> {
    ns.try_eventually(SOON, async || {
        let audit = Audit::from_now();
        tokio::time::sleep(A_WHILE).await;
        let requests = audit.requests(ns).await;
        if requests.is_empty() { Ok(()) } else { Err(format!("not at rest: {requests:#?}")) }
    })
    .await
}
