//! The specs that the API server itself refuses, each with a message that names the remedy.

mod settings;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::operator;
use crate::support::{Chat, kubectl};

/// A spec, and a part of the API server's message about it.
type Refused = (Value, &'static str);

/// Specs that cannot be created.
fn refused_from_the_start() -> Vec<Refused> {
    [refused_hubs(), settings::refused(), refused_redis(), refused_others(), reserved_names()].concat()
}

fn many(n: usize) -> serde_json::Map<String, Value> {
    (0..n).map(|i| (format!("k{i}"), json!("v"))).collect()
}

fn refused_hubs() -> Vec<Refused> {
    let names = |n: usize| (0..n).map(|i| json!({"name": format!("n{i}")})).collect::<Vec<_>>();
    let refs =
        |n: usize| (0..n).map(|i| json!({"configMapRef": {"name": format!("n{i}")}})).collect::<Vec<_>>();
    let long = "x".repeat(2000);
    vec![
        (json!({"hub": {"replicas": -1}}), "spec.hub.replicas in body should be greater than or equal to 0"),
        (
            json!({"hub": {"replicas": 1001}}),
            "spec.hub.replicas in body should be less than or equal to 1000",
        ),
        (json!({"hub": {"image": ""}}), "spec.hub.image"),
        (json!({"hub": {"image": "a b"}}), "spec.hub.image in body should match"),
        (json!({"hub": {"image": long}}), "may not be more than 512"),
        (json!({"hub": {"imagePullPolicy": "Sometimes"}}), "\"IfNotPresent\", \"Always\", \"Never\""),
        (json!({"hub": {"imagePullSecrets": names(17)}}), "must have at most 16 items"),
        (json!({"hub": {"port": 80}}), "spec.hub.port in body should be greater than or equal to 1024"),
        (json!({"hub": {"port": 65536}}), "spec.hub.port in body should be less than or equal to 65535"),
        (json!({"hub": {"env": names(65)}}), "must have at most 64 items"),
        (json!({"hub": {"env": [{"name": "A"}, {"name": "A"}]}}), "Duplicate value"),
        (json!({"hub": {"envFrom": refs(17)}}), "must have at most 16 items"),
        (json!({"hub": {"verify": "Never"}}), "\"Backplane\", \"Readiness\""),
        (
            json!({"hub": {"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}}),
            "must not be greater than maxReplicas: lower minReplicas or raise maxReplicas",
        ),
        (json!({"hub": {"autoscaling": {"minReplicas": 0}}}), "should be greater than or equal to 1"),
        (
            json!({"hub": {"autoscaling": {"targetCPUUtilizationPercentage": 0}}}),
            "greater than or equal to 1",
        ),
        (
            json!({"hub": {"passwordEnv": true, "env": [{"name": "REDIS_PASSWORD", "value": "x"}]}}),
            "hub.passwordEnv sets REDIS_PASSWORD: remove it from hub.env",
        ),
        (json!({"hub": {"drain": {"gracePeriodSeconds": 4}}}), "should be greater than or equal to 5"),
        (json!({"hub": {"podTemplate": []}}), "spec.hub.podTemplate in body must be of type object"),
    ]
}

fn refused_redis() -> Vec<Refused> {
    let long = "x".repeat(2000);
    vec![
        (json!({"redis": {"podTemplate": "x"}}), "spec.redis.podTemplate in body must be of type object"),
        (json!({"redis": {"image": ""}}), "spec.redis.image"),
        (json!({"redis": {"image": "a b"}}), "spec.redis.image in body should match"),
        (json!({"redis": {"image": long}}), "may not be more than 512"),
        (json!({"redis": {"persistence": "Sometimes"}}), "\"AppendOnly\", \"Snapshot\", \"None\""),
        (json!({"redis": {"storage": {"size": "0"}}}), "spec.redis.storage.size in body should match"),
        (json!({"redis": {"storage": {"size": "a lot"}}}), "spec.redis.storage.size in body should match"),
        (json!({"redis": {"storage": {"size": "-1Gi"}}}), "spec.redis.storage.size in body should match"),
        (json!({"redis": {"storage": {"storageClassName": ""}}}), "spec.redis.storage.storageClassName"),
        (
            json!({"redis": {"config": {"Max Memory": "1"}}}),
            "by their lower-case names, such as maxmemory: 100mb",
        ),
        (json!({"redis": {"config": {"maxmemory": "1\nrequirepass x"}}}), "should match"),
        (json!({"redis": {"config": {"maxmemory": long}}}), "may not be more than 1024"),
        (json!({"redis": {"config": many(65)}}), "must have at most 64 items"),
        (
            json!({"redis": {"auth": {"existingSecret": {"key": "k"}}}}),
            "spec.redis.auth.existingSecret.name: Required",
        ),
        (json!({"redis": {"auth": {"existingSecret": {"name": ""}}}}), "spec.redis.auth.existingSecret.name"),
        (
            json!({"redis": {"auth": {"existingSecret": {"name": "s", "key": "a/b"}}}}),
            "existingSecret.key in body should match",
        ),
    ]
}

fn refused_others() -> Vec<Refused> {
    vec![
        // eventKey
        (json!({"eventKey": ""}), "spec.eventKey"),
        (json!({"eventKey": "a b"}), "spec.eventKey in body should match"),
        (json!({"eventKey": "*"}), "spec.eventKey in body should match"),
        (json!({"eventKey": "x".repeat(129)}), "may not be more than 128"),
        // service
        (json!({"service": {"type": "ExternalName"}}), "\"LoadBalancer\", \"NodePort\", \"ClusterIP\""),
        (json!({"service": {"port": 0}}), "spec.service.port in body should be greater than or equal to 1"),
        (
            json!({"service": {"port": 65536}}),
            "spec.service.port in body should be less than or equal to 65535",
        ),
        (json!({"service": {"annotations": many(65)}}), "must have at most 64 items"),
        (json!({"service": {"publish": "Later"}}), "\"WhenVerified\", \"Immediately\""),
        (json!({"service": {"externalTrafficPolicy": "Global"}}), "\"Cluster\", \"Local\""),
        (
            json!({"service": {"type": "NodePort", "loadBalancerClass": "x"}}),
            "needs service.type LoadBalancer",
        ),
        (
            json!({"service": {"type": "ClusterIP", "loadBalancerSourceRanges": ["203.0.113.0/24"]}}),
            "change the type or remove the ranges",
        ),
        (
            json!({"service": {"type": "ClusterIP", "externalTrafficPolicy": "Local"}}),
            "needs service.type LoadBalancer or NodePort",
        ),
        (json!({"service": {"loadBalancerSourceRanges": ["203.0.113.0"]}}), "such as 203.0.113.0/24"),
        (
            json!({"service": {"loadBalancerSourceRanges": vec!["203.0.113.0/24"; 65]}}),
            "must have at most 64 items",
        ),
        (json!({"service": {"sessionAffinity": "Cookie"}}), "\"None\", \"ClientIP\""),
        (json!({"service": {"ipFamilyPolicy": "Dual"}}), "\"PreferDualStack\", \"RequireDualStack\""),
        (json!({"service": {"ipFamilies": ["IPv5"]}}), "\"IPv4\", \"IPv6\""),
        (json!({"service": {"ipFamilies": ["IPv4", "IPv4"]}}), "must name each family only once"),
        (json!({"networkPolicy": {"enabled": "yes"}}), "spec.networkPolicy.enabled"),
        (
            json!({"childMetadata": {"labels": {"app.kubernetes.io/name": "x"}}}),
            "are reserved for the operator: choose other names in childMetadata.labels",
        ),
        (json!({"childMetadata": {"labels": {"-x": "x"}}}), "a label's name has up to 63 letters"),
        (json!({"childMetadata": {"labels": {"x": "a b"}}}), "should match"),
        (json!({"childMetadata": {"labels": many(33)}}), "must have at most 32 items"),
        (
            json!({"childMetadata": {"annotations": {"chatcluster.dev/applied": "x"}}}),
            "are reserved: choose other names in childMetadata.annotations",
        ),
        (
            json!({"childMetadata": {"annotations": {"a/b/c": "x"}}}),
            "an annotation's name has up to 63 letters",
        ),
        (json!({"paused": "yes"}), "spec.paused"),
    ]
}

/// Specs that set variables and directives which the operator sets itself.
fn reserved_names() -> Vec<Refused> {
    let env = |name: &str| json!({"hub": {"env": [{"name": name, "value": "x"}]}});
    let mut cases = Vec::new();
    for name in [
        "REDIS_SERVER",
        "REDIS_PORT",
        "REDIS_PASSWORD_FILE",
        "BACKPLANE_EVENT_KEY",
        "POD_NAME",
        "POD_IP",
        "HUB_PORT",
        "HUB_TOKEN_KEY_FILE",
    ] {
        cases.push((env(name), "remove them from hub.env"));
    }
    for directive in
        ["aclfile", "requirepass", "port", "bind", "dir", "save", "appendonly", "include", "loadmodule"]
    {
        cases.push((
            json!({"redis": {"config": {directive: "x"}}}),
            "the operator sets this directive itself",
        ));
    }
    cases
}

/// A spec, a change that it cannot undergo, and a part of the API server's message.
fn refused_later() -> Vec<(Value, Value, &'static str)> {
    vec![
        (
            json!({}),
            json!({"eventKey": "new"}),
            "eventKey can be set only when the ChatCluster is created, not added",
        ),
        (json!({"eventKey": "a"}), json!({"eventKey": null}), "not added or removed later"),
        (json!({"eventKey": "a"}), json!({"eventKey": "b"}), "eventKey cannot be changed"),
        (json!({}), json!({"redis": {"persistence": "None"}}), "redis.persistence cannot be changed yet"),
        (
            json!({"redis": {"persistence": "None"}}),
            json!({"redis": {"persistence": "Snapshot"}}),
            "redis.persistence cannot",
        ),
        (json!({}), json!({"redis": {"storage": {"size": "512Mi"}}}), "storage.size can grow but not shrink"),
        (
            json!({"service": {"ipFamilies": ["IPv4", "IPv6"]}}),
            json!({"service": {"ipFamilies": ["IPv6", "IPv4"]}}),
            "the first family of service.ipFamilies cannot be changed",
        ),
        (
            json!({}),
            json!({"redis": {"storage": {"storageClassName": "a"}}}),
            "storageClassName cannot be changed",
        ),
        (
            json!({"redis": {"storage": {"storageClassName": "a"}}}),
            json!({"redis": {"storage": {"storageClassName": "b"}}}),
            "storageClassName cannot be changed",
        ),
        (
            json!({"redis": {"storage": {"storageClassName": "a"}}}),
            json!({"redis": {"storage": {"storageClassName": null}}}),
            "storageClassName cannot be changed",
        ),
        (json!({}), json!({"service": {"loadBalancerClass": "a"}}), "set service.type to ClusterIP first"),
        (
            json!({"service": {"loadBalancerClass": "a"}}),
            json!({"service": {"loadBalancerClass": "b"}}),
            "set service.type to ClusterIP first",
        ),
        (
            json!({"service": {"loadBalancerClass": "a"}}),
            json!({"service": {"loadBalancerClass": null}}),
            "set service.type to ClusterIP first",
        ),
    ]
}

/// A spec, and a change that is allowed.
fn allowed_later() -> Vec<(Value, Value)> {
    vec![
        (json!({}), json!({"redis": {"storage": {"size": "1024Mi"}}})), // another notation of the same size
        (json!({}), json!({"redis": {"storage": {"size": "2Gi"}}})),
        (json!({}), json!({"hub": {"autoscaling": {"minReplicas": 3, "maxReplicas": 3}}})),
        (json!({}), json!({"redis": {"storage": {"retain": false}}})),
        (json!({}), json!({"service": {"type": "ClusterIP"}})),
        (
            json!({"service": {"type": "ClusterIP"}}),
            json!({"service": {"type": "LoadBalancer", "loadBalancerClass": "a"}}),
        ),
        (json!({}), json!({"hub": {"replicas": 0}})),
        (json!({"eventKey": "a"}), json!({"eventKey": "a", "paused": false})),
        (json!({}), json!({"hub": {"allowedOrigins": ["*"]}})),
        (json!({}), json!({"hub": {"allowedOrigins": ["https://a.b-c.example:8443", "http://[::1]:3000"]}})),
        // The user may set the variable of a field that is not set.
        (
            json!({"hub": {"rebalance": false, "limits": {"connections": 0}, "allowedOrigins": []}}),
            json!({"hub": {"env": [
                {"name": "HUB_REBALANCE", "value": "true"}, {"name": "HUB_MAX_MESSAGE_BYTES", "value": "1"},
                {"name": "HUB_ALLOWED_ORIGINS", "value": "*"}, {"name": "HUB_JWT_ISSUER", "value": "x"},
                {"name": "HUB_HISTORY_SECONDS", "value": "1"}
            ]}}),
        ),
    ]
}

fn refused_names() -> Vec<(String, &'static str)> {
    vec![
        ("x".repeat(41), "at most 40 characters"),
        ("9lives".into(), "begin with a letter"),
        ("a.b".into(), "use lower-case letters, digits and '-'"),
    ]
}

#[tokio::test]
async fn a_spec_that_breaks_a_rule_is_refused_with_the_rules_message() {
    let ns = operator::namespace("rules").await;
    let mut wrong = Vec::new();
    let mut said = String::new();
    let mut check = |case: String, answer: Result<(), String>, expected: &str| match answer {
        Err(message) if message.contains(expected) => said.push_str(&message),
        Err(message) => wrong.push(format!("{case}: expected “{expected}”, but the message is: {message}")),
        Ok(()) => wrong.push(format!("{case}: expected “{expected}”, but the spec was accepted")),
    };

    for (spec, expected) in refused_from_the_start() {
        let answer = Chat::named(&ns, "never").try_create(spec.clone(), true).await;
        check(spec.to_string(), answer.map(|_| ()).map_err(|e| e.to_string()), expected);
    }
    for (name, expected) in refused_names() {
        let answer = Chat::named(&ns, &name).try_create(json!({}), true).await;
        check(name, answer.map(|_| ()).map_err(|e| e.to_string()), expected);
    }
    for (i, (before, change, expected)) in refused_later().into_iter().enumerate() {
        let chat = ns.chat(&format!("refused-{i}"), paused(before.clone())).await;
        let answer = chat.try_set(change.clone(), true).await;
        check(format!("{before} then {change}"), answer.map(|_| ()).map_err(|e| e.to_string()), expected);
    }

    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(rules_not_tried(&said).await, BTreeSet::new(), "rules of the CRD without a case here");
}

#[tokio::test]
async fn a_spec_that_breaks_no_rule_is_accepted() {
    let ns = operator::namespace("allowed").await;

    for (i, (before, change)) in allowed_later().into_iter().enumerate() {
        let chat = ns.chat(&format!("allowed-{i}"), paused(before.clone())).await;
        let changed = chat.try_set(change.clone(), true).await;
        changed.unwrap_or_else(|error| panic!("{before} then {change}: {error}"));
    }
    let longest = "x".repeat(40);
    let created = Chat::named(&ns, &longest).try_create(json!({}), true).await;
    created.unwrap_or_else(|error| panic!("a name of 40 characters: {error}"));
}

/// The spec of a paused cluster: these tests ask the API server alone, so the operator has nothing to do.
fn paused(mut spec: Value) -> Value {
    spec["paused"] = json!(true);
    spec
}

/// The messages of the CRD's own rules that do not occur in `said`.
async fn rules_not_tried(said: &str) -> BTreeSet<String> {
    fn messages(node: &Value, into: &mut BTreeSet<String>) {
        for rule in node["x-kubernetes-validations"].as_array().into_iter().flatten() {
            into.insert(rule["message"].as_str().unwrap_or("a rule without a message").to_owned());
        }
        match node {
            Value::Object(fields) => fields.values().for_each(|field| messages(field, into)),
            Value::Array(items) => items.iter().for_each(|item| messages(item, into)),
            _ => (),
        }
    }
    let crd =
        kubectl(&["get", "crd", "chatclusters.chatcluster.dev", "--output=json"]).await.expect("the CRD");
    let mut all = BTreeSet::new();
    messages(&serde_json::from_str(&crd).expect("JSON"), &mut all);
    assert!(!all.is_empty(), "the CRD has no rules");
    all.retain(|message| !said.contains(message.as_str()));
    all
}
