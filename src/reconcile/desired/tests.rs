//! Whole objects, compared with the documents in `expected/`. After an intended change, `UPDATE_EXPECTED=1
//! cargo test` rewrites them, and the difference is reviewed like code: each line of it restarts pods or
//! opens a port somewhere.

use std::path::PathBuf;

use serde_json::{Value, json};

use std::sync::Arc;

use super::Children;
use crate::reconcile::validate::hub_keys::HubKeys;
use crate::reconcile::validate::testing::{auth, cluster, defaults, keys, secret};
use crate::reconcile::validate::{Auth, Cluster, Restart, SecretKeyRef, UserSecret};
use chatcluster_api::names::hub_key;

/// Returns the children that the operator desires, with a key of the user's where the spec names one.
fn children(cluster: &Cluster, auth: &Auth, public: bool) -> Children {
    super::children(cluster, auth, &keys(cluster, &users_key()), &defaults(), public)
}

fn users_key() -> UserSecret {
    let named = SecretKeyRef { name: "mine".to_owned(), key: "jwt.key".to_owned() };
    UserSecret::Found(named, Arc::new(secret(&[("jwt.key", "jwt-s3cret-of-at-least-32-bytes-in-all")])))
}

/// Returns every object, one YAML document each.
fn documents(children: Children) -> String {
    let Children {
        auth,
        hub_token,
        redis_config,
        redis_nodes,
        redis_service,
        redis_policy,
        hub_policy,
        hub_budget,
        redis_set,
        hub_deployment,
        hub_autoscaler,
        public_service,
    } = children;
    let objects = [
        json!(auth),
        json!(hub_token),
        json!(redis_config),
        json!(redis_nodes),
        json!(redis_service),
        json!(redis_policy),
        json!(hub_policy),
        json!(hub_budget),
        json!(redis_set.unwrap()),
        json!(hub_deployment.unwrap()),
        json!(hub_autoscaler),
        json!(public_service),
    ];
    let document = |object: &Value| format!("---\n{}", serde_saphyr::to_string(object).unwrap());
    objects.iter().filter(|object| !object.is_null()).map(document).collect()
}

#[track_caller]
fn expect(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/reconcile/desired/expected").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{} is not what is desired now:\n{found}", path.display());
}

#[test]
fn an_empty_spec_gives_these_objects() {
    let found = documents(children(&cluster(json!({})), &auth(), true));

    expect("empty-spec.yaml", &found);
}

#[test]
fn every_field_of_the_spec_finds_its_place() {
    let spec = json!({
        "eventKey": "our-key",
        "hub": {
            "replicas": 3, "image": "example/own-hub:2", "imagePullPolicy": "Always", "port": 9090,
            "imagePullSecrets": [{"name": "registry"}],
            "env": [{"name": "REDIS", "value": "$(REDIS_SERVER):$(REDIS_PORT)"}],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "resources": {"limits": {"memory": "128Mi"}}, "verify": "Readiness",
            "autoscaling": {"minReplicas": 3, "maxReplicas": 9, "targetCPUUtilizationPercentage": 60},
            "passwordEnv": true, "drain": {"gracePeriodSeconds": 120},
            "auth": {"keySecret": {"name": "mine"}, "issuer": "https://id.example.com/$(POD_NAME)", "audience": "chat"},
            "allowedOrigins": ["https://example.com", "http://localhost:3000"],
            "limits": {
                "messageBytes": 65536, "connections": 5000, "roomsPerConnection": 10, "messagesPerSecond": 5,
                "connectionsPerSecondPerAddress": 20
            },
            "history": {"messages": 0, "retentionSeconds": 3600}, "rebalance": true,
            "podTemplate": {"spec": {"priorityClassName": "high", "containers": [
                {"name": "hub", "env": [{"name": "REDIS", "value": "other"}]}, {"name": "sidecar", "image": "example/sidecar:1"}
            ]}}
        },
        "redis": {
            "image": "example/own-redis:8", "persistence": "Snapshot", "config": {"maxmemory": "100mb"},
            "storage": {"size": "5Gi", "storageClassName": "fast", "retain": false},
            "resources": {"limits": {"memory": "256Mi"}},
            "podTemplate": {"spec": {"nodeSelector": {"disk": "ssd"}}}
        },
        "service": {
            "type": "LoadBalancer", "port": 8080, "annotations": {"example.com/tier": "gold"},
            "loadBalancerClass": "example.com/lb", "loadBalancerSourceRanges": ["192.0.2.0/24"],
            "externalTrafficPolicy": "Local", "publish": "Immediately", "sessionAffinity": "ClientIP",
            "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"]
        },
        "childMetadata": {"labels": {"team": "a"}, "annotations": {"example.com/owner": "us"}}
    });

    let mut cluster = cluster(spec);
    cluster.restart = Restart { hub: Some("h1".to_owned()), redis: Some("r1".to_owned()) };
    let found = documents(children(&cluster, &auth(), true));

    expect("every-field.yaml", &found);
}

#[test]
fn without_network_policies_and_before_it_is_public_those_are_not_wanted() {
    let cluster = cluster(json!({"networkPolicy": {"enabled": false}}));

    let found = children(&cluster, &auth(), false);

    assert_eq!((found.redis_policy, found.hub_policy, found.public_service), (None, None, None));
}

#[test]
fn without_persistence_there_is_no_volume() {
    let cluster = cluster(json!({"redis": {"persistence": "None"}}));

    let set = children(&cluster, &auth(), false).redis_set.unwrap().spec.unwrap();

    assert_eq!(set.volume_claim_templates, None);
    let volumes = set.template.spec.unwrap().volumes.unwrap();
    assert!(volumes.iter().any(|volume| volume.name == "data" && volume.empty_dir.is_some()));
}

#[test]
fn the_password_stands_in_the_secret_and_nowhere_else() {
    let children = children(&cluster(json!({})), &auth(), true);

    let all = documents(children.clone());
    let without_secret = all.replace(&serde_saphyr::to_string(&json!(children.auth)).unwrap(), "");

    // A Secret's values are base64: of the password itself, and of the URI with it.
    for trace in ["s3cret", "czNjcmV0", "OnMzY3JldE"] {
        assert!(!without_secret.contains(trace), "{trace} is in:\n{without_secret}");
    }
    assert!(all.contains("czNjcmV0"), "the Secret should hold it");
}

#[test]
fn the_hubs_keys_stand_in_their_secret_and_nowhere_else() {
    let with_auth = cluster(json!({"hub": {"auth": {"keySecret": {"name": "mine"}}}}));
    let children = children(&with_auth, &auth(), true);

    let all = documents(children.clone());
    let without_secret = all.replace(&serde_saphyr::to_string(&json!(children.hub_token)).unwrap(), "");

    // The beginnings of both keys, as they are and as base64.
    for (key, encoded) in [("t0ken-key", "dDBrZW4ta2V5"), ("jwt-s3cret", "and0LXMzY3Jld")] {
        assert!(!without_secret.contains(key) && !without_secret.contains(encoded), "{without_secret}");
        assert!(all.contains(encoded), "the Secret should hold it");
    }
}

#[test]
fn pods_restart_for_a_new_password_or_configuration_and_hubs_do_not() {
    let plain = children(&cluster(json!({})), &auth(), true);
    let changed_auth = Auth { revision: "r2".to_owned(), ..auth() };
    let rotated = children(&cluster(json!({})), &changed_auth, true);
    let configured = cluster(json!({"redis": {"config": {"maxmemory": "1mb"}}}));
    let reconfigured = children(&configured, &auth(), true);

    assert_ne!(plain.redis_set, rotated.redis_set);
    assert_ne!(plain.redis_set, reconfigured.redis_set);
    assert_eq!(plain.hub_deployment, rotated.hub_deployment);
    assert_eq!(plain.hub_deployment, reconfigured.hub_deployment);
}

#[test]
fn hubs_with_the_password_in_their_environment_are_rolled_when_it_changes() {
    let with_env = cluster(json!({"hub": {"passwordEnv": true}}));
    let of = |auth: &Auth| children(&with_env, auth, true).hub_deployment.unwrap().spec.unwrap();

    let (plain, rotated) = (of(&auth()), of(&Auth { revision: "r2".to_owned(), ..auth() }));

    assert_ne!(plain.template.metadata, rotated.template.metadata);
}

fn template_of_hubs(cluster: &Cluster, keys: &HubKeys) -> Value {
    let children = super::children(cluster, &auth(), keys, &defaults(), true);
    json!(children.hub_deployment.unwrap().spec.unwrap().template)
}

#[test]
fn hubs_are_rolled_for_another_key_of_connection_tokens_and_not_for_another_key_of_the_users() {
    let with_auth = cluster(json!({"hub": {"auth": {"keySecret": {"name": "mine"}}}}));
    let before = keys(&with_auth, &users_key());
    let mut other_token = before.clone();
    other_token.revision = "k2".to_owned();
    let named = SecretKeyRef { name: "mine".to_owned(), key: "jwt.key".to_owned() };
    let another = UserSecret::Found(named, Arc::new(secret(&[("jwt.key", &"x".repeat(40))])));
    let other_key = keys(&with_auth, &another);
    assert_ne!(before.client_keys, other_key.client_keys);

    let template = |keys| template_of_hubs(&with_auth, keys);

    assert_ne!(template(&before), template(&other_token));
    assert_eq!(template(&before), template(&other_key));
}

#[test]
fn hubs_whose_clients_cannot_be_told_stay_as_they_are_and_so_does_the_key_that_they_have() {
    let with_auth = cluster(json!({"hub": {"auth": {"keySecret": {"name": "mine"}}}}));
    let mut unusable = keys(&with_auth, &UserSecret::NotNamed);
    unusable.client_keys = keys(&with_auth, &users_key()).client_keys;

    let found = super::children(&with_auth, &auth(), &unusable, &defaults(), true);

    assert!(found.hub_deployment.unwrap_err().to_string().contains("hub.auth.keySecret"));
    assert!(found.hub_token.data.unwrap().contains_key(hub_key::HS256));
}

#[test]
fn a_setting_that_is_not_set_is_no_variable_and_one_of_zero_is() {
    let env = |spec: Value| {
        let cluster = cluster(spec);
        let template = template_of_hubs(&cluster, &keys(&cluster, &UserSecret::NotNamed));
        let env = template["spec"]["containers"][0]["env"].as_array().cloned().unwrap();
        env.into_iter().filter(|env| env["name"].as_str().unwrap().starts_with("HUB_")).collect::<Vec<_>>()
    };

    let names: Vec<_> =
        env(json!({"hub": {"allowedOrigins": []}})).iter().map(|e| e["name"].clone()).collect();
    let zero = env(json!({"hub": {"limits": {"connections": 0}}}));

    assert_eq!(names, ["HUB_PORT", "HUB_TOKEN_KEY_FILE"]);
    assert!(zero.contains(&json!({"name": "HUB_MAX_CONNECTIONS", "value": "0"})), "{zero:?}");
}

#[test]
fn who_gets_in_is_not_for_the_pod_template_to_say() {
    let spec = json!({"hub": {
        "auth": {"keySecret": {"name": "mine"}},
        "podTemplate": {"spec": {"containers": [{"name": "hub", "env": [{"name": "HUB_JWT_KEY_FILE", "$patch": "delete"}]}]}}
    }});

    let found = children(&cluster(spec), &auth(), true);

    let said = found.hub_deployment.unwrap_err().to_string();
    assert!(said.contains("must not change spec.containers[hub].env[HUB_JWT_KEY_FILE]"), "{said}");
}

#[test]
fn a_pod_template_that_cannot_be_used_keeps_no_other_child_from_being_made() {
    let wrong = cluster(json!({"redis": {"podTemplate": {"spec": {"nodeSelektor": {}, "x": 1}}}}));

    let found = children(&wrong, &auth(), true);

    assert!(found.redis_set.unwrap_err().to_string().starts_with("redis.podTemplate has a field spec."));
    assert!(found.hub_deployment.is_ok());
}
