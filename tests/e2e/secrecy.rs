//! The password and the key of connection tokens are in their Secrets, in the memory of the programs that use
//! them, and nowhere else.

use serde_json::json;

use crate::people::{People, everyone_hears_everyone};
use crate::pods::{name_of, on_every_node, pods};
use crate::support::{Chat, Namespace, kubectl, objects_that_hold};

/// A script that reads a password from its input and prints the processes that show it: in their arguments,
/// or in the environment of Redis and the hubs. It also prints each process of Redis and the hubs that it has
/// looked at. No program that it runs has the password as an argument.
const LOOK_AT_PROCESSES: &str = r#"
    password=$(cat)
    for process in /proc/[0-9]*; do
        { comm=$(cat "$process/comm") && seen=$(tr '\0' '\n' <"$process/cmdline"); } 2>/dev/null || continue
        case $comm in
            redis-server | chatcluster-hub*)
                echo "looked at $comm"
                seen=$seen$(tr '\0' '\n' <"$process/environ" 2>/dev/null)
        esac
        case $seen in *"$password"*) echo "FOUND in $comm ${process#/proc/}" ;; esac
    done
"#;

#[tokio::test]
async fn the_password_and_the_key_of_tokens_are_in_their_secrets_and_nowhere_else() {
    let ns = Namespace::new("secrecy").await;
    let lobby = ns.chat("lobby", json!({"hub": {"env": [{"name": "RUST_LOG", "value": "debug"}]}})).await;
    lobby.becomes_ready().await;
    let people = People::of(&lobby).await;
    let ada = people.arrive("ada").await;
    ada.join("garden").await;
    everyone_hears_everyone("garden", &[&ada]).await;

    for (what, secret) in [("the password", lobby.password().await), ("the key", lobby.token_key().await)] {
        is_nowhere_else(&lobby, what, &secret).await;
    }
}

async fn is_nowhere_else(lobby: &Chat<'_>, what: &str, secret: &str) {
    let (looked_at, found) = objects_that_hold(lobby.ns, secret).await;
    assert!(
        looked_at.contains("Pod") && looked_at.contains("ConfigMap") && looked_at.contains("Event"),
        "{looked_at:?}"
    );
    assert_eq!(found, Vec::<String>::new(), "{what}, encoded or as a digest, is also in these objects");

    for component in ["hub", "backplane"] {
        for pod in pods(lobby, component).await {
            let args = ["logs", "--namespace", &lobby.ns.name, name_of(&pod), "--all-containers"];
            let log = kubectl(&args).await.unwrap_or_else(|error| panic!("{error}"));
            assert!(!log.contains(secret), "{what} is in the log of {}", name_of(&pod));
        }
    }
    let operator =
        ["logs", "--namespace=chatcluster-system", "--selector=app.kubernetes.io/name=chatcluster-operator"];
    let log =
        kubectl(&[&operator[..], &["--tail=-1"]].concat()).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!log.is_empty() && !log.contains(secret), "{what} is in the operator's log, or there is none");

    let said = on_every_node(lobby, LOOK_AT_PROCESSES, secret).await;
    let all = said.iter().map(|(node, said)| format!("{node}:\n{said}")).collect::<Vec<_>>().join("\n");
    assert!(all.contains("looked at redis-server") && all.contains("looked at chatcluster-hub"), "{all}");
    assert!(!all.contains("FOUND"), "{what} shows in a process:\n{all}");
}

#[tokio::test]
async fn all_pods_pass_the_restricted_standard_and_mount_no_api_token() {
    let ns = Namespace::new("restricted").await; // like every test namespace, it enforces the standard
    let lobby = ns.chat("lobby", json!({})).await;
    lobby.becomes_ready().await;
    let enforced = kubectl(&["get", "namespace", &ns.name, "--output=jsonpath={.metadata.labels}"]).await;
    assert!(
        enforced.expect("the namespace").contains(r#""pod-security.kubernetes.io/enforce":"restricted""#)
    );

    let mut all = pods(&lobby, "hub").await;
    all.extend(pods(&lobby, "backplane").await);

    assert_eq!(all.len(), 3);
    for pod in all {
        let spec = serde_json::to_value(&pod.spec).expect("JSON");
        assert_eq!(spec["automountServiceAccountToken"], false, "{}", name_of(&pod));
        assert!(!spec.to_string().contains("serviceAccountToken\":{"), "{} mounts a token", name_of(&pod));
    }
}
