//! `kubectl chat` against a real API server: its output, its changes and its refusals.

use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::operator;
use crate::redis::{Redis, give_address, hubs};
use crate::support::{Chat, Kind, Namespace, SOON, env, kubectl, plugin, plugin_command, run};

fn no_volume() -> Value {
    json!({"redis": {"persistence": "None"}})
}

#[tokio::test]
async fn status_shows_every_child_the_address_and_who_is_verified() {
    let ns = operator::namespace("plugin-status").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    let names = hubs(&lobby).await;
    let redis = Redis::of(&lobby).await;
    let _one = redis.subscribe(&lobby, &names[0]).await;
    lobby.becomes("Verified", "False", "HubNotSubscribed", SOON).await;

    let unseen = plugin(&ns, &["status", "lobby", "-o", "json"]).await.json();
    assert_eq!(verified(&unseen, &names[1]), json!(false), "{unseen:#}");

    let _two = redis.subscribe(&lobby, &names[1]).await;
    lobby.becomes("Verified", "True", "Verified", SOON).await;
    lobby.tells("Verified", &[]).await;
    give_address(&lobby, "203.0.113.9").await;
    lobby.becomes("Ready", "True", "Ready", SOON).await;

    let text = plugin(&ns, &["status", "lobby"]).await.good();
    for child in lobby.children() {
        assert!(text.contains(&format!("{:?}/{}", child.kind, child.name)), "{child} is missing:\n{text}");
    }
    assert!(text.contains("http://203.0.113.9/") && text.contains("✓ Ready:"), "{text}");
    assert!(text.contains("every ready hub is subscribed"), "the condition or the event is missing:\n{text}");
    assert!(!text.contains('\x1b'), "there are colours on a pipe");
    let seen = plugin(&ns, &["status", "lobby", "-o", "json"]).await.json();
    assert_eq!([verified(&seen, &names[0]), verified(&seen, &names[1])], [json!(true), json!(true)]);
    let all = plugin(&ns, &["status"]).await.good();
    assert!(all.contains("lobby") && all.contains("203.0.113.9"), "{all}");
    assert!(!text.contains(&lobby.password().await), "the status shows the password");
}

/// The field `verified` of a hub pod in the status.
fn verified(status: &Value, pod: &str) -> Value {
    let children = status["children"].as_array().expect("children");
    let hub = children.iter().find(|child| child["kind"] == "Deployment").expect("a Deployment");
    let pods = hub["children"].as_array().expect("pods");
    pods.iter().find(|child| child["name"] == pod).unwrap_or_else(|| panic!("{pod} in {hub:#}"))["verified"]
        .clone()
}

#[tokio::test]
async fn status_follows_what_changes() {
    let ns = operator::namespace("plugin-watch").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let mut command = plugin_command(&ns, &["status", "lobby", "--watch"]);
    let mut following = command.stdout(std::process::Stdio::piped()).spawn().expect("kubectl-chat starts");
    let mut lines = BufReader::new(following.stdout.take().expect("a pipe")).lines();
    let mut until = async |words: &str| {
        let found = tokio::time::timeout(SOON, async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if line.contains(words) {
                    return true;
                }
            }
            false
        });
        assert_eq!(found.await, Ok(true), "{words} is not shown within {SOON:?}");
    };

    until("Deployment/lobby-hub").await;
    assert!(plugin(&ns, &["pause", "lobby"]).await.good().contains("lobby is paused"));
    until("the operator changes nothing until").await;
    lobby.delete().await;
    let ended = tokio::time::timeout(SOON, following.wait()).await.expect("it ends").expect("it was started");
    assert_eq!(ended.code(), Some(3), "the ChatCluster no longer exists");
}

#[tokio::test]
async fn a_second_pause_or_resume_changes_nothing_and_the_plan_says_when_nothing_is_held_back() {
    let ns = operator::namespace("plugin-pause").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let plan = plugin(&ns, &["plan", "lobby"]).await.good();
    assert!(plan.contains("nothing is held back") && plan.contains("--set hold=true"), "{plan}");

    plugin(&ns, &["pause", "lobby"]).await.good();
    let generation = lobby.get().await.metadata.generation;
    let again = plugin(&ns, &["pause", "lobby"]).await.good();

    assert!(again.contains("was paused already"), "{again}");
    assert_eq!(lobby.get().await.metadata.generation, generation);
    lobby.says("Ready", SOON, "is paused", |condition| condition.reason == "Paused").await;
    let plan = plugin(&ns, &["plan", "lobby"]).await.good();
    assert!(plan.contains("nothing would change, and no pod would restart"), "{plan}");

    plugin(&ns, &["resume", "lobby"]).await.good();
    assert!(!lobby.get().await.spec.paused);
    assert!(plugin(&ns, &["resume", "lobby"]).await.good().contains("was not paused"));
}

#[tokio::test]
async fn the_plan_of_a_paused_cluster_names_each_change_and_whose_pods_would_restart() {
    let ns = operator::namespace("plugin-plan").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    plugin(&ns, &["pause", "lobby"]).await.good();
    // Until the operator knows of the pause, it would recreate the ConfigMap.
    lobby.becomes("Ready", "False", "Paused", SOON).await;
    lobby.set(json!({"hub": {"env": [{"name": "NEW", "value": "1"}]}})).await;
    lobby.child(Kind::ConfigMap, "-redis-config").delete().await;

    let plan = ns
        .eventually(SOON, "the plan has both changes", async || {
            let plan = plugin(&ns, &["plan", "lobby", "-o", "json"]).await.json();
            let count = plan["items"][0]["pending"].as_array().map(Vec::len);
            if count == Some(2) { Ok(plan) } else { Err(format!("{plan:#}")) }
        })
        .await;

    assert_eq!([&plan["items"][0]["held"], &plan["items"][0]["paused"]], [true, true], "{plan:#}");
    assert_eq!(plan["items"][0]["restarts"], json!(["hub"]), "{plan:#}");
    let text = plugin(&ns, &["plan", "lobby"]).await.good();
    let line =
        |child: &str| text.lines().find(|l| l.contains(child)).unwrap_or_else(|| panic!("{child}:\n{text}"));
    assert!(line("ConfigMap/lobby-redis-config").contains("Create"), "{text}");
    assert!(line("Deployment/lobby-hub").contains("restarts hub") && text.contains("env[NEW]"), "{text}");
    let status = plugin(&ns, &["status", "lobby"]).await.good();
    assert!(status.contains("Held back, until kubectl chat resume lobby"), "{status}");
    let all = plugin(&ns, &["plan"]).await.good();
    assert!(all.contains(&format!("{}/lobby", ns.name)), "{all}");
}

#[tokio::test]
async fn restart_waits_until_every_pod_is_new() {
    let ns = operator::namespace("plugin-rollout").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    let before = hubs(&lobby).await;
    let redis = lobby.child(Kind::Pod, "-redis-0").uid().await;

    plugin(&ns, &["restart", "lobby", "--hub", "--redis", "--wait", "--timeout", "60s"]).await.good();

    let after = hubs(&lobby).await;
    assert!(after.iter().all(|pod| !before.contains(pod)), "{before:?} are not all replaced: {after:?}");
    assert_ne!(lobby.child(Kind::Pod, "-redis-0").uid().await, redis);
}

#[tokio::test]
async fn restart_marks_the_part_that_is_to_restart() {
    let ns = operator::namespace("plugin-restart").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    let mark = async |part: &str| lobby.get().await.metadata.annotations.unwrap_or_default().remove(part);

    plugin(&ns, &["restart", "lobby"]).await.good();
    let first = mark("chatcluster.dev/restart-hub").await.expect("the hubs are marked");
    assert_eq!(mark("chatcluster.dev/restart-redis").await, None);

    plugin(&ns, &["restart", "lobby", "--redis", "--hub"]).await.good();
    assert_ne!(
        mark("chatcluster.dev/restart-hub").await.as_ref(),
        Some(&first),
        "each restart has its own mark"
    );
    assert!(mark("chatcluster.dev/restart-redis").await.is_some());

    plugin(&ns, &["pause", "lobby"]).await.good();
    let refused = plugin(&ns, &["restart", "lobby", "--wait"]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("kubectl chat resume lobby"), "{refused:?}");
}

#[tokio::test]
async fn a_generated_password_is_replaced_only_after_a_yes_and_the_users_own_never() {
    let ns = operator::namespace("plugin-password").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    let secret = lobby.child(Kind::Secret, "-redis-auth");
    let before = ns.wait_for(&secret, SOON).await;
    let before = before["metadata"]["uid"].as_str().expect("a uid");

    let asked = plugin(&ns, &["rotate-password", "lobby"]).await;
    assert_eq!(asked.code, 3, "nobody has said yes: {asked:?}");
    assert!(asked.err.contains("--yes"), "{asked:?}");
    assert_eq!(secret.uid().await, before);

    plugin(&ns, &["rotate-password", "lobby", "--yes"]).await.good();
    ns.wait_for_another(&secret, before, SOON).await;

    ns.apply_secret("mine", json!({"redis.password": "a long enough password of my own"})).await;
    lobby.set(json!({"redis": {"auth": {"existingSecret": {"name": "mine"}}}})).await;
    let refused = plugin(&ns, &["rotate-password", "lobby", "--yes"]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("Secret mine"), "{refused:?}");
    let secrets: Api<Secret> = Api::namespaced(ns.client.clone(), &ns.name);
    assert!(secrets.get("mine").await.is_ok());
}

#[tokio::test]
async fn verify_says_no_with_the_operators_reason_when_its_timeout_ends() {
    let ns = operator::namespace("plugin-verify").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    lobby.becomes("Verified", "False", "WaitingForBackplane", SOON).await;

    let answer = plugin(&ns, &["verify", "lobby", "--timeout", "1s", "-o", "json"]).await;

    assert_eq!(answer.code, 1, "{answer:?}");
    let report = answer.json();
    assert_eq!(report["verified"], false);
    assert_eq!(report["operator"]["reason"], "WaitingForBackplane", "{report:#}");
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_existing_ones() {
    let ns = operator::namespace("plugin-missing").await;
    Chat::named(&ns, "lobby").try_create(no_volume(), false).await.expect("a ChatCluster");

    for command in
        ["status", "verify", "plan", "pause", "resume", "restart", "rotate-password", "open", "logs"]
    {
        let answer = plugin(&ns, &[command, "loby"]).await;

        assert_eq!(answer.code, 3, "{command}: {answer:?}");
        let wanted = format!("error: there is no ChatCluster loby in namespace {}; it has: lobby\n", ns.name);
        assert_eq!(answer.err, wanted, "{command}");
    }
}

#[tokio::test]
async fn without_the_crd_it_says_that_the_operator_is_not_installed() {
    let ns = operator::namespace("plugin-no-crd").await;
    // Below a path that the API server does not serve, it knows no API group.
    let config = kubectl(&["config", "view", "--raw", "--output=json"]).await.expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&config).expect("JSON");
    let server = config["clusters"][0]["cluster"]["server"].as_str().expect("a server").to_owned();
    config["clusters"][0]["cluster"]["server"] = json!(format!("{server}/nowhere"));
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.json", ns.name));
    std::fs::write(&path, config.to_string()).expect("writing a kubeconfig");

    let answer = plugin(&ns, &["status", "lobby", "--kubeconfig", &path.display().to_string()]).await;

    assert_eq!(answer.code, 3, "{answer:?}");
    assert!(
        answer.err.contains("the operator is not installed") && answer.err.contains("helm install"),
        "{answer:?}"
    );
    std::fs::remove_file(path).expect("removing it");
}

#[tokio::test]
async fn a_user_with_few_rights_sees_little_and_is_told_what_is_left_out() {
    let ns = operator::namespace("plugin-rights").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let forbidden = plugin(&ns, &["status", "lobby", "--as", "eve"]).await;
    assert_eq!(forbidden.code, 3, "{forbidden:?}");
    assert!(forbidden.err.contains("User \"eve\" cannot get resource \"chatclusters\""), "{forbidden:?}");

    may(&ns, json!([{"apiGroups": ["chatcluster.dev"], "resources": ["chatclusters"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list"]}]))
    .await;

    let status = ns
        .eventually(SOON, "the rights take effect", async || {
            let answer = plugin(&ns, &["status", "lobby", "--as", "eve"]).await;
            if answer.code == 0 { Ok(answer.out) } else { Err(answer.err) }
        })
        .await;
    assert!(status.contains("Service/lobby-redis") && !status.contains("Deployment/lobby-hub"), "{status}");
    assert!(status.contains("you may not list deployments in namespace"), "{status}");
    let paused = plugin(&ns, &["pause", "lobby", "--as", "eve"]).await;
    assert_eq!(paused.code, 3, "{paused:?}");
    assert!(paused.err.contains("cannot patch resource \"chatclusters\""), "{paused:?}");
}

/// Gives the user eve rights in the namespace.
async fn may(ns: &Namespace, rules: Value) {
    let object = |kind: &str| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "eve"}});
    let mut role = object("Role");
    role["rules"] = rules;
    let mut binding = object("RoleBinding");
    binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "eve"});
    binding["subjects"] = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}]);
    ns.apply(role).await;
    ns.apply(binding).await;
}

#[tokio::test]
async fn kubectl_finds_the_plugin_and_completes_the_names_of_clusters() {
    let ns = operator::namespace("plugin-complete").await;
    ns.chat("lobby", no_volume()).await;
    ns.chat("kitchen", no_volume()).await;
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("path-{}", ns.name));
    std::fs::create_dir_all(&folder).expect("a folder");
    let _ = std::fs::remove_file(folder.join("kubectl-chat"));
    std::os::unix::fs::symlink(env("CHATCLUSTER_PLUGIN_BIN"), folder.join("kubectl-chat")).expect("a link");
    let script = plugin(&ns, &["completion", "kubectl"]).await.good();
    let completing = folder.join("kubectl_complete-chat");
    std::fs::write(&completing, script).expect("writing the script");
    let path = format!("{}:{}", folder.display(), env("PATH"));
    let with_path = async |args: &[&str]| {
        let executable = ["+x", &completing.display().to_string()].map(str::to_owned);
        run("chmod", &[&executable[0], &executable[1]], None).await.expect("chmod");
        let command = ["PATH", &path].join("=");
        let args: Vec<&str> = [command.as_str(), "kubectl"].into_iter().chain(args.iter().copied()).collect();
        run("env", &args, None).await.unwrap_or_else(|error| panic!("{error}"))
    };

    let table = with_path(&["chat", "status", "-n", &ns.name]).await;
    assert!(table.contains("lobby") && table.contains("kitchen"), "{table}");
    let names = with_path(&["__complete", "chat", "-n", &ns.name, "status", "lo"]).await;
    assert!(names.starts_with("lobby\n:4"), "{names}");
    let commands = with_path(&["__complete", "chat", "re"]).await;
    assert!(commands.contains("restart\tRestart the hubs or Redis"), "{commands}");
    std::fs::remove_dir_all(folder).expect("removing the folder");
}
