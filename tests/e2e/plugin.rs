//! `kubectl chat` on a real cluster: it verifies, shows logs, restarts hubs and forwards ports.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::pods::{kill, name_of, pods};
use crate::support::{Chat, Namespace, PODS, SOON, plugin, plugin_command};

async fn names(chat: &Chat<'_>, component: &str) -> Vec<String> {
    pods(chat, component).await.iter().map(|pod| name_of(pod).to_owned()).collect()
}

#[tokio::test]
async fn the_plugin_verifies_shows_logs_and_restarts_a_cluster() {
    let ns = Namespace::new("plugin").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;

    // The command waits for the operator by itself.
    let report = plugin(&ns, &["verify", "lobby", "--timeout", "3m", "-o", "json"]).await;
    assert_eq!(report.code, 0, "{report:?}");
    let report = report.json();
    assert_eq!([&report["operator"]["verified"], &report["messages"]["crossed"]], [true, true], "{report:#}");
    let hubs = report["messages"]["hubs"].as_array().expect("hubs").clone();
    assert_eq!(hubs.len(), 2, "{report:#}");
    for hub in &hubs {
        assert_eq!(hub["heardAt"].as_array().expect("who heard it").len(), 2, "{report:#}");
    }

    let status = plugin(&ns, &["status", "lobby"]).await.good();
    let before = names(&lobby, "hub").await;
    for pod in &before {
        let line = status
            .lines()
            .find(|line| line.contains(&format!("✓ Pod/{pod}")))
            .unwrap_or_else(|| panic!("{status}"));
        assert!(line.contains("verified"), "{line}");
    }
    assert!(status.contains("in namespace chatcluster-system"), "the operator:\n{status}");

    let logs = plugin(&ns, &["logs", "lobby", "--since", "1h"]).await.good();
    let redis = names(&lobby, "backplane").await;
    for pod in before.iter().chain(&redis) {
        assert!(logs.lines().any(|line| line.starts_with(pod.as_str())), "{pod} is missing:\n{logs}");
    }
    let only_redis = plugin(&ns, &["logs", "lobby", "--redis", "--tail", "1"]).await.good();
    assert_eq!(only_redis.lines().count(), 1, "{only_redis}");

    plugin(&ns, &["restart", "lobby", "--hub", "--wait"]).await.good();
    let after = names(&lobby, "hub").await;
    assert!(after.iter().all(|pod| !before.contains(pod)), "{before:?} are not all replaced: {after:?}");
    assert_eq!(names(&lobby, "backplane").await, redis);
}

#[tokio::test]
async fn verify_presents_a_token_to_hubs_that_require_one() {
    let ns = Namespace::new("plugin-token").await;
    ns.apply_secret("issuer", json!({"jwt": "s3cret-of-at-least-32-bytes-for-jwt"})).await;
    let auth = json!({"algorithm": "HS256", "keySecret": {"name": "issuer", "key": "jwt"}});
    let lobby = ns.chat("lobby", json!({"hub": {"auth": auth}, "redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    // The claims are {"sub":"verify"}, so the token never expires.
    let signed = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ2ZXJpZnkifQ.MZSZKiaXDAQQnEDIFHR08ZV7a3wcLKm3kUlMYwsVRsI";
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(&ns.name);
    let verify = async |token: Option<&str>| {
        let mut arguments = vec!["verify", "lobby", "-o", "json"];
        if let Some(token) = token {
            std::fs::write(&file, token).expect("writing a token");
            arguments.extend(["--token-file", file.to_str().expect("the path is UTF-8")]);
        }
        let answer = plugin(&ns, &arguments).await;
        (answer.code, answer.json())
    };

    let (code, report) = verify(None).await;
    let why = report["messages"]["why"].as_str().expect("why it was not tested");
    assert!(code == 0 && why.contains("--token-file"), "{report:#}");
    let (code, report) = verify(Some(signed)).await;
    assert_eq!((code, &report["messages"]["crossed"]), (0, &json!(true)), "{report:#}");
    let (code, report) = verify(Some("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")).await;
    let error = report["messages"]["hubs"][0]["error"].as_str().expect("an error");
    assert!(code == 1 && error.contains("refuses the token in"), "{report:#}");
}

#[tokio::test]
async fn a_forwarded_port_still_answers_after_its_pod_is_gone() {
    let ns = Namespace::new("plugin-open").await;
    let lobby = ns.chat("lobby", json!({"hub": {"replicas": 1}, "redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    let address = lobby.get().await.status.and_then(|status| status.address).expect("an address");
    ns.eventually(SOON, "every node knows the address", async || get(&format!("{address}:80")).await).await;
    let public = plugin(&ns, &["open", "lobby", "--no-browser"]).await.good();
    assert_eq!(public, format!("http://{address}/\n"), "the public address can be reached from here");

    let mut command = plugin_command(&ns, &["open", "lobby", "--no-browser", "--forward"]);
    let mut open = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kubectl-chat starts");
    let mut lines = BufReader::new(open.stdout.take().expect("a pipe")).lines();
    let url = lines.next_line().await.expect("text").expect("a URL");
    let at = url.trim_start_matches("http://").trim_end_matches('/').to_owned();

    assert!(get(&at).await.expect("an answer").starts_with("HTTP/1.1 200"), "a hub does not serve its page");
    let first = names(&lobby, "hub").await;
    kill(&lobby, &first[0]).await;
    ns.eventually(PODS, "the port leads to the pod that replaced it", async || {
        let now = names(&lobby, "hub").await;
        if now == first {
            return Err("still the first pod".into());
        }
        let answer = get(&at).await?;
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
    })
    .await;
    assert!(open.try_wait().expect("it was started").is_none(), "the port forward has ended");
}

/// The answer to a request for the page.
async fn get(at: &str) -> Result<String, String> {
    let asked = async {
        let mut stream = TcpStream::connect(at).await?;
        stream
            .write_all(format!("GET / HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = tokio::time::timeout(SOON, asked).await;
    answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())
}
