//! The children of an almost empty spec, as the API server stores them.

use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::operator;
use crate::support::{Kind, SOON, objects_that_hold};

/// The smallest spec whose Service is created, too, although no Redis answers.
fn at_once() -> Value {
    json!({"service": {"publish": "Immediately"}})
}

#[tokio::test]
async fn an_empty_spec_gets_every_child_but_the_service_that_waits_for_verification() {
    let ns = operator::namespace("empty").await;

    let lobby = ns.chat("lobby", json!({})).await;

    for child in lobby.children() {
        if child.kind == Kind::Service && child.name == "lobby" {
            continue;
        }
        ns.wait_for(&child, SOON).await;
    }
    lobby.becomes("Published", "False", "NotVerified", SOON).await;
    assert_eq!(
        lobby.child(Kind::Service, "").find().await,
        None,
        "the Service was created before the cluster was verified"
    );
}

#[tokio::test]
async fn every_child_is_owned_by_its_chatcluster_and_labelled() {
    let ns = operator::namespace("owned").await;
    let lobby = ns.chat("lobby", at_once()).await;
    lobby.has_all_children().await;
    let uid = lobby.get().await.metadata.uid.expect("a uid");

    for child in lobby.children() {
        let metadata = child.get().await["metadata"].clone();
        assert_eq!(
            metadata["ownerReferences"],
            json!([{
                "apiVersion": "chatcluster.dev/v1alpha1",
                "kind": "ChatCluster",
                "name": "lobby",
                "uid": uid,
                "controller": true,
            }]),
            "owner references of {child}"
        );
        let labels = &metadata["labels"];
        assert_eq!(labels["app.kubernetes.io/name"], "chatcluster", "labels of {child}");
        assert_eq!(labels["app.kubernetes.io/instance"], "lobby", "labels of {child}");
        assert_eq!(labels["app.kubernetes.io/managed-by"], "chatcluster-operator", "labels of {child}");
        assert_eq!(labels["app.kubernetes.io/part-of"], "chatcluster", "labels of {child}");
        let component = if child.name.contains("-redis") { "backplane" } else { "hub" };
        assert_eq!(labels["app.kubernetes.io/component"], component, "labels of {child}");
        assert!(
            metadata["annotations"]["chatcluster.dev/applied"].is_string(),
            "the applied hash of {child}"
        );
    }
}

#[tokio::test]
async fn the_secret_holds_the_address_the_password_and_its_digest_for_redis() {
    let ns = operator::namespace("secret").await;
    let lobby = ns.chat("lobby", json!({})).await;
    ns.wait_for(&lobby.child(Kind::Secret, "-redis-auth"), SOON).await;

    let password = lobby.password().await;

    assert!(password.len() >= 32, "a password of 32 random bytes has at least as many characters");
    assert!(
        password.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
        "the password needs no escaping in a URI"
    );
    assert_eq!(lobby.secret_key("redis.port").await, "6379");
    let server = lobby.secret_key("redis.server").await;
    assert!(server == "lobby-redis" || server.starts_with(&format!("lobby-redis.{}", ns.name)), "{server}");
    let uri = lobby.secret_key("uri").await;
    assert!(uri.starts_with("redis://") && uri.contains(&password) && uri.contains("lobby-redis"), "the uri");
    let acl = lobby.secret_key("users.acl").await;
    let digest = format!("{:x}", Sha256::digest(&password));
    assert!(
        acl.contains(&format!("user default on #{digest} ~* &* +@all")),
        "the ACL has the password's digest"
    );
    assert!(!acl.contains(&password), "the ACL contains the password itself");
}

#[tokio::test]
async fn the_hub_deployment_honours_the_hub_contract() {
    let ns = operator::namespace("hub").await;
    let spec = json!({"eventKey": "the.key", "hub": {"port": 9000, "env": [{"name": "EXTRA", "value": "$(REDIS_SERVER)"}]}});
    let lobby = ns.chat("lobby", spec).await;
    let deployment = ns.wait_for(&lobby.child(Kind::Deployment, "-hub"), SOON).await;

    let template = &deployment["spec"]["template"];
    let hub = &template["spec"]["containers"][0];
    let env = |name: &str| {
        let all = hub["env"].as_array().expect("env");
        all.iter().find(|e| e["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:#?}")).clone()
    };

    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(hub["image"], "localhost/hub:sim", "the hub image that the operator was installed with");
    assert!(env("REDIS_SERVER")["value"].as_str().expect("a hostname").starts_with("lobby-redis"));
    assert_eq!(env("REDIS_PORT")["value"], "6379");
    assert_eq!(env("BACKPLANE_EVENT_KEY")["value"], "the.key");
    assert_eq!(env("HUB_PORT")["value"], "9000");
    assert_eq!(env("POD_NAME")["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
    assert_eq!(env("POD_IP")["valueFrom"]["fieldRef"]["fieldPath"], "status.podIP");
    assert_eq!(env("EXTRA")["value"], "$(REDIS_SERVER)");
    for (name, secret) in
        [("REDIS_PASSWORD_FILE", "lobby-redis-auth"), ("HUB_TOKEN_KEY_FILE", "lobby-hub-token")]
    {
        let file = env(name)["value"].as_str().expect("a path").to_owned();
        let (directory, key) = file.rsplit_once('/').expect("a file in a directory");
        let mounts = hub["volumeMounts"].as_array().expect("volume mounts");
        let mount = mounts.iter().find(|m| m["mountPath"] == directory);
        let mount = mount.unwrap_or_else(|| panic!("{file} is not in a volume: {mounts:#?}"));
        assert!(mount.get("subPath").is_none(), "a mount with a subPath would not follow a change of {name}");
        assert_eq!(mount["readOnly"], true, "{name}");
        let volumes = template["spec"]["volumes"].as_array().expect("volumes");
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).expect("the volume");
        assert_eq!(volume["secret"]["secretName"], secret, "{name}");
        assert_eq!(volume["secret"]["items"], json!([{"key": key, "path": key}]), "{name}");
    }
    assert_eq!(hub["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(hub["ports"][0]["containerPort"], 9000);
}

#[tokio::test]
async fn the_services_select_their_pods_and_redis_has_no_external_address() {
    let ns = operator::namespace("services").await;
    let lobby = ns.chat("lobby", json!({"service": {"publish": "Immediately", "port": 8000}})).await;
    lobby.has_all_children().await;

    let public = lobby.child(Kind::Service, "").get().await;
    let redis = lobby.child(Kind::Service, "-redis").get().await;
    let nodes = lobby.child(Kind::Service, "-redis-nodes").get().await;

    assert_eq!(public["spec"]["type"], "LoadBalancer");
    assert_eq!(public["spec"]["ports"][0]["port"], 8000);
    assert_eq!(public["spec"]["ports"].as_array().map(Vec::len), Some(1));
    assert_eq!(public["spec"]["selector"]["app.kubernetes.io/component"], "hub");
    assert_eq!(public["spec"]["selector"]["app.kubernetes.io/instance"], "lobby");
    assert_eq!(redis["spec"]["type"], "ClusterIP");
    assert_eq!(redis["spec"]["ports"][0]["port"], 6379);
    assert_eq!(redis["spec"]["selector"]["app.kubernetes.io/component"], "backplane");
    assert_eq!(redis["spec"]["selector"]["app.kubernetes.io/instance"], "lobby");
    assert_eq!(nodes["spec"]["clusterIP"], "None");
    for inside in [redis, nodes] {
        assert_eq!(inside["spec"]["externalIPs"], Value::Null);
        assert_eq!(inside["status"]["loadBalancer"], json!({}));
        assert_eq!(inside["spec"]["ports"][0].get("nodePort"), None);
    }
}

#[tokio::test]
async fn redis_keeps_its_data_on_a_volume_unless_told_otherwise() {
    let ns = operator::namespace("volumes").await;
    let kept = ns.chat("kept", json!({"redis": {"storage": {"size": "2Gi"}}})).await;
    let bare = ns.chat("bare", json!({"redis": {"persistence": "None"}})).await;
    let gone = ns.chat("gone", json!({"redis": {"storage": {"retain": false}}})).await;
    let sets = [&kept, &bare, &gone].map(|chat| chat.child(Kind::StatefulSet, "-redis"));
    let mut made = Vec::new();
    for set in &sets {
        made.push(ns.wait_for(set, SOON).await);
    }

    let claims: Vec<&Value> = made.iter().map(|set| &set["spec"]["volumeClaimTemplates"]).collect();

    assert_eq!(claims[0][0]["metadata"]["name"], "data");
    assert_eq!(claims[0][0]["spec"]["resources"]["requests"]["storage"], "2Gi");
    assert_eq!(claims[0][0]["spec"]["accessModes"], json!(["ReadWriteOnce"]));
    assert_eq!(*claims[1], Value::Null);
    let retention = |set: &Value| set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"].clone();
    assert_eq!(retention(&made[0]), "Retain");
    assert_eq!(retention(&made[2]), "Delete");
}

#[tokio::test]
async fn all_pods_pass_the_restricted_standard_and_mount_no_api_token() {
    let ns = operator::namespace("restricted").await; // like every test namespace, it enforces the standard
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;

    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(ns.client.clone(), &ns.name);
    let pods = pods.list(&ListParams::default()).await.expect("pods").items;

    assert_eq!(pods.len(), 3, "two hubs and Redis are admitted");
    for pod in pods {
        let name = pod.metadata.name.unwrap_or_default();
        let spec = serde_json::to_value(pod.spec).expect("JSON");
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        assert!(!spec["volumes"].to_string().contains("serviceAccountToken"), "{name}");
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        for container in spec["containers"].as_array().expect("containers") {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{name}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
        }
    }
}

#[tokio::test]
async fn the_password_and_the_hubs_keys_are_in_their_secrets_and_nowhere_else() {
    let ns = operator::namespace("password").await;
    let clients = "a-secret-that-clients-tokens-are-signed-with";
    ns.apply_secret("issuer", json!({"jwt.key": clients})).await;
    let spec = json!({
        "hub": {"auth": {"keySecret": {"name": "issuer"}}},
        "redis": {"persistence": "None"},
        "service": {"publish": "Immediately"},
    });
    let lobby = ns.chat("lobby", spec).await;
    lobby.has_all_children().await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let log = std::fs::read_to_string(operator::log()).expect("the operator's log");

    for secret in [lobby.password().await, lobby.token_key().await, clients.to_owned()] {
        let (looked_at, found) = objects_that_hold(&ns, &secret).await;

        assert!(
            looked_at.contains("Pod") && looked_at.contains("ConfigMap") && looked_at.contains("Event"),
            "{looked_at:?}"
        );
        assert_eq!(found, Vec::<String>::new(), "a secret, or its digest, is also in these objects");
        assert!(!log.contains(&secret), "a secret is in the operator's log");
    }
}

#[tokio::test]
async fn network_policies_go_when_they_are_switched_off_and_come_back_when_switched_on() {
    let ns = operator::namespace("netpol").await;
    let lobby = ns.chat("lobby", json!({})).await;
    let policies = ["-redis", "-hub"].map(|suffix| lobby.child(Kind::NetworkPolicy, suffix));
    for policy in &policies {
        ns.wait_for(policy, SOON).await;
    }

    lobby.set(json!({"networkPolicy": {"enabled": false}})).await;

    for policy in &policies {
        ns.wait_until_gone(policy, SOON).await;
    }
    lobby.set(json!({"networkPolicy": {"enabled": true}})).await;
    for policy in &policies {
        ns.wait_for(policy, SOON).await;
    }
}
