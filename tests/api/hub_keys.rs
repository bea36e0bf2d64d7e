//! The keys of the hubs: the key of connection tokens, which is generated once, and the user's own key for
//! clients' tokens, with the reports of a missing or invalid one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::operator;
use crate::support::{Chat, Child, Kind, Namespace, SOON};

const SECRET: &str = "a-secret-of-at-least-32-bytes-in-all";
const PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArMqSCm+Ne242Xg5xtIlO
IrmhmwCiSM1hJfpwB1fsMEywnxrDo3WWNt5wCpGsG5fNh1APsQsqqywxcn14xZsn
jYFPYQzAz9CYk+ZF1fAMYhcW7RLPlRR+kYAYyAT+TRcgKTc3oyM8U8SJeIiI1QBl
14jHWUu9El70lbogb4kmeLlLOobB47emHKNDfeU1r8dtnwmuRAR2KaazeY9UOPDm
h1kXnEaCuYuXdcSZ3noXrgQFHZGRR4xAbTgq8uXQnEt3SKMFUbFtEkn6Q9BLVNd+
dyxhfWnbWCjWMnAaFb5pdCl//sg0ZbQDMl1eYUEq9ZGjOhaUVYN5fpps2B9VWDuB
HQIDAQAB
-----END PUBLIC KEY-----
";

/// The pointer to the annotation whose change rolls the hubs.
const REVISION: &str = "/spec/template/metadata/annotations/chatcluster.dev~1token-revision";

async fn issuer(ns: &Namespace, data: Value) {
    ns.apply_secret("issuer", data).await;
}

/// The spec of a cluster without a volume whose clients need a token.
fn with_auth(auth: &Value) -> Value {
    json!({"hub": {"auth": auth}, "redis": {"persistence": "None"}})
}

async fn hubs_run(lobby: &Chat<'_>) -> Child {
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    lobby.child(Kind::Deployment, "-hub")
}

async fn has_key(lobby: &Chat<'_>, key: &str, wanted: Option<&str>) {
    let secret = lobby.child(Kind::Secret, "-hub-token");
    let wanted = wanted.map(|text| STANDARD.encode(text));
    lobby
        .ns
        .eventually(SOON, &format!("{secret} has {key} as wanted"), async || {
            let now = secret.seen().await?["data"][key].clone();
            if now.as_str() == wanted.as_deref() { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
}

#[tokio::test]
async fn the_key_of_connection_tokens_has_256_bits_differs_between_clusters_and_is_generated_once() {
    let ns = operator::namespace("token").await;
    let spec = json!({"redis": {"persistence": "None"}});
    let (lobby, games) = (ns.chat("lobby", spec.clone()).await, ns.chat("games", spec).await);
    hubs_run(&games).await;
    let hub = hubs_run(&lobby).await;
    let (key, revision) = (lobby.token_key().await, hub.get().await.pointer(REVISION).cloned());

    lobby.set(json!({"hub": {"port": 9000}})).await;
    lobby.child(Kind::Secret, "-hub-token").merge(json!({"metadata": {"ownerReferences": null}})).await;

    ns.eventually(SOON, "the Secret has its owner again", async || {
        let secret = lobby.child(Kind::Secret, "-hub-token").seen().await?;
        if secret["metadata"]["ownerReferences"].is_array() { Ok(()) } else { Err("no owner".into()) }
    })
    .await;
    hubs_run(&lobby).await;
    assert!(key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit()), "32 bytes as hexadecimal digits");
    assert_eq!(lobby.token_key().await, key);
    assert_eq!(hub.get().await.pointer(REVISION).cloned(), revision);
    assert_ne!(games.token_key().await, key);
}

#[tokio::test]
async fn a_key_that_is_emptied_or_deleted_is_recreated_and_hubs_are_rolled() {
    let ns = operator::namespace("emptied").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    let hub = hubs_run(&lobby).await;
    let secret = lobby.child(Kind::Secret, "-hub-token");

    for (how, edit) in [
        ("emptied", Some(json!([{"op": "replace", "path": "/data/token.key", "value": ""}]))),
        ("removed", Some(json!([{"op": "remove", "path": "/data/token.key"}]))),
        ("deleted", None),
    ] {
        let (key, revision) = (lobby.token_key().await, hub.get().await.pointer(REVISION).cloned());
        match edit {
            Some(edit) => secret.edit(edit).await,
            None => secret.delete().await,
        }

        ns.eventually(SOON, &format!("there is another key after it was {how}"), async || {
            let there = secret.seen().await?["data"]["token.key"].as_str().is_some_and(|key| !key.is_empty());
            if there && lobby.token_key().await != key { Ok(()) } else { Err("the same, or none".into()) }
        })
        .await;
        ns.eventually(SOON, &format!("the hubs are rolled after the key was {how}"), async || {
            let now = hub.seen().await?.pointer(REVISION).cloned();
            if now == revision { Err(format!("{now:?}")) } else { Ok(()) }
        })
        .await;
        lobby.becomes("HubReady", "True", "Ready", SOON).await;
        assert_eq!(lobby.token_key().await.len(), 64, "{how}");
    }
}

#[tokio::test]
async fn a_missing_secret_a_missing_key_and_an_invalid_one_are_each_reported_and_heal() {
    let ns = operator::namespace("issuer").await;
    let auth =
        json!({"keySecret": {"name": "issuer", "key": "secret"}, "issuer": "https://id.example/$(POD_NAME)"});
    let lobby = ns.chat("lobby", with_auth(&auth)).await;
    let hub = lobby.child(Kind::Deployment, "-hub");
    let says = async |reason: &str, words: &[&str]| {
        let condition = lobby.becomes("HubReady", "False", reason, SOON).await;
        for word in words {
            assert!(condition.message.contains(word), "{word}: {}", condition.message);
        }
        lobby.becomes("Ready", "False", reason, SOON).await;
        let event = lobby.tells(reason, words).await;
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(hub.find().await, None, "hubs without the key would be stuck, or let everyone in");
    };

    says("AuthSecretMissing", &["issuer", "create it with the key secret"]).await;
    issuer(&ns, json!({"other": "x"})).await;
    says("AuthSecretKeyMissing", &["issuer", "no key secret", "it has other"]).await;
    issuer(&ns, json!({"secret": PUBLIC})).await;
    says("AuthKeyInvalid", &["issuer", "HS256", "set the algorithm to RS256"]).await;
    // All other children exist meanwhile.
    ns.wait_for(&lobby.child(Kind::StatefulSet, "-redis"), SOON).await;

    lobby.set(json!({"hub": {"auth": {"algorithm": "RS256"}}})).await;

    let hub = hubs_run(&lobby).await.get().await;
    let container = &hub["spec"]["template"]["spec"]["containers"][0];
    let env = |name: &str| {
        let all = container["env"].as_array().expect("env");
        all.iter().find(|env| env["name"] == name).map(|env| env["value"].clone())
    };
    assert_eq!(env("HUB_JWT_ALGORITHM"), Some(json!("RS256")));
    assert_eq!(
        env("HUB_JWT_ISSUER"),
        Some(json!("https://id.example/$$(POD_NAME)")),
        "the $ is escaped, so that the kubelet expands nothing"
    );
    assert_eq!(env("HUB_JWT_AUDIENCE"), None);
    let file = env("HUB_JWT_KEY_FILE").expect("the file").as_str().expect("a path").to_owned();
    let (directory, key) = file.rsplit_once('/').expect("a file in a directory");
    let mounts = container["volumeMounts"].as_array().expect("volume mounts");
    let mount = mounts.iter().find(|mount| mount["mountPath"] == directory).expect("the mount");
    assert_eq!(mount["readOnly"], true);
    let volumes = hub["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes");
    let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).expect("the volume");
    let items = volume["secret"]["items"].as_array().expect("items");
    assert!(items.contains(&json!({"key": key, "path": key})), "{items:?}");
    assert_eq!(lobby.key_of("-hub-token", key).await, PUBLIC);
}

#[tokio::test]
async fn a_changed_key_reaches_the_hubs_without_a_restart_and_a_lost_secret_takes_nothing_down() {
    let ns = operator::namespace("follows").await;
    issuer(&ns, json!({"jwt.key": SECRET})).await;
    let lobby = ns.chat("lobby", with_auth(&json!({"keySecret": {"name": "issuer"}}))).await;
    let hub = hubs_run(&lobby).await;
    let template = hub.get().await["spec"]["template"].clone();
    let mine = ns.child(Kind::Secret, "issuer");
    has_key(&lobby, "jwt-hs256.key", Some(SECRET)).await;

    let another = SECRET.to_uppercase();
    issuer(&ns, json!({"jwt.key": another})).await;
    has_key(&lobby, "jwt-hs256.key", Some(&another)).await;
    let before = mine.get().await;

    issuer(&ns, json!({"jwt.key": "short"})).await;
    let condition = lobby.becomes("HubReady", "False", "AuthKeyInvalid", SOON).await;
    assert!(condition.message.contains("until then the hubs run on as they were"), "{}", condition.message);
    has_key(&lobby, "jwt-hs256.key", Some(&another)).await;

    mine.delete().await;
    lobby.becomes("HubReady", "False", "AuthSecretMissing", SOON).await;
    has_key(&lobby, "jwt-hs256.key", Some(&another)).await;
    assert_eq!(mine.find().await, None, "the operator creates no Secret in the user's place");
    assert_eq!(hub.get().await["spec"]["template"], template, "the hubs were rolled");

    issuer(&ns, json!({"jwt.key": SECRET})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    has_key(&lobby, "jwt-hs256.key", Some(SECRET)).await;
    assert_eq!(hub.get().await["spec"]["template"], template, "the hubs were rolled");
    let of_the_user =
        |object: &Value| json!([object["metadata"]["labels"], object["metadata"]["ownerReferences"]]);
    assert_eq!(of_the_user(&mine.get().await), of_the_user(&before), "the user's Secret is not touched");
}

#[tokio::test]
async fn each_algorithm_has_a_key_file_of_its_own_and_without_auth_there_is_none() {
    let ns = operator::namespace("algorithm").await;
    issuer(&ns, json!({"jwt.key": SECRET, "public.pem": PUBLIC})).await;
    let lobby = ns.chat("lobby", with_auth(&json!({"keySecret": {"name": "issuer"}}))).await;
    let hub = hubs_run(&lobby).await;
    has_key(&lobby, "jwt-hs256.key", Some(SECRET)).await;
    let (key, revision) = (lobby.token_key().await, hub.get().await.pointer(REVISION).cloned());

    lobby.set(json!({"hub": {"auth": {"algorithm": "RS256", "keySecret": {"key": "public.pem"}}}})).await;

    has_key(&lobby, "jwt-rs256.pem", Some(PUBLIC)).await;
    has_key(&lobby, "jwt-hs256.key", None).await;
    lobby.set(json!({"hub": {"auth": null}})).await;
    has_key(&lobby, "jwt-rs256.pem", None).await;
    ns.eventually(SOON, "the hubs have no variables for tokens any more", async || {
        let env = hub.seen().await?["spec"]["template"]["spec"]["containers"][0]["env"].to_string();
        if env.contains("HUB_JWT") { Err(env) } else { Ok(()) }
    })
    .await;
    assert_eq!(lobby.token_key().await, key, "the key of connection tokens stays the same");
    assert_eq!(hub.get().await.pointer(REVISION).cloned(), revision);
}
