//! The committed CRD as users see it through kubectl.

use serde_json::{Value, json};

use crate::operator;
use crate::support::{SOON, kubectl};

#[tokio::test]
async fn kubectl_explains_every_field() {
    let ns = operator::namespace("explain").await;
    let crd =
        kubectl(&["get", "crd", "chatclusters.chatcluster.dev", "--output=json"]).await.expect("the CRD");
    let crd: Value = serde_json::from_str(&crd).expect("JSON");
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let ours = [
        "",
        ".spec",
        ".spec.hub",
        ".spec.hub.auth",
        ".spec.hub.auth.keySecret",
        ".spec.hub.limits",
        ".spec.hub.history",
        ".spec.redis",
        ".spec.redis.storage",
        ".spec.redis.auth",
        ".spec.redis.auth.existingSecret",
        ".spec.service",
        ".spec.networkPolicy",
        ".status",
        ".status.hub",
    ];

    for path in ours {
        let name = format!("chatcluster{path}");
        let text = async || kubectl(&["explain", &name]).await;
        let text = ns.eventually(SOON, "the API server has published the schema", text).await;

        assert!(!text.contains("<no description>"), "a field has no description:\n{text}");
        let node = path.split('.').skip(1).fold(schema, |node, name| &node["properties"][name]);
        for (name, _) in node["properties"].as_object().expect("properties") {
            assert!(text.contains(&format!("  {name}\t<")), "{name} is not explained:\n{text}");
        }
    }
}

#[tokio::test]
async fn kubectl_get_knows_its_short_name_and_its_category_and_fills_in_its_columns() {
    let ns = operator::namespace("columns").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;

    let table = ns
        .eventually(SOON, "the columns are filled in", async || {
            let table = kubectl(&["get", "chat", "--namespace", &ns.name]).await?;
            if table.contains("2/2") { Ok(table) } else { Err(table) }
        })
        .await;

    let header: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(header, ["NAME", "READY", "REASON", "HUBS", "ADDRESS", "AGE"], "{table}");
    let all = kubectl(&["get", "all", "--namespace", &ns.name]).await.expect("kubectl get all");
    assert!(all.contains("chatcluster.chatcluster.dev/lobby"), "not in the category all:\n{all}");
}

#[tokio::test]
async fn chatclusters_can_be_selected_by_their_selectable_fields() {
    let ns = operator::namespace("select").await;
    ns.chat("runs", json!({"eventKey": "shared"})).await;
    ns.chat("rests", json!({"paused": true, "service": {"type": "ClusterIP"}})).await;

    for (selector, expected) in [
        ("spec.paused=true", "chatcluster.chatcluster.dev/rests\n"),
        ("spec.paused=false", "chatcluster.chatcluster.dev/runs\n"),
        ("spec.eventKey=shared", "chatcluster.chatcluster.dev/runs\n"),
        ("spec.service.type=ClusterIP", "chatcluster.chatcluster.dev/rests\n"),
    ] {
        let args = ["get", "chat", "--namespace", &ns.name, "--field-selector", selector, "--output=name"];
        assert_eq!(kubectl(&args).await.as_deref(), Ok(expected), "{selector}");
    }
}

#[tokio::test]
async fn the_api_server_fills_in_the_defaults() {
    let ns = operator::namespace("defaults").await;

    let auth = json!({"keySecret": {"name": "mine"}});
    let lobby = ns.chat("lobby", json!({"paused": true, "hub": {"auth": auth}})).await;

    let spec = serde_json::to_value(lobby.get().await.spec).expect("JSON");
    assert_eq!(spec["hub"]["replicas"], 2);
    assert_eq!(spec["hub"]["port"], 8080);
    assert_eq!(spec["hub"]["verify"], "Backplane");
    assert_eq!(
        spec["hub"]["auth"],
        json!({"algorithm": "HS256", "keySecret": {"name": "mine", "key": "jwt.key"}})
    );
    assert_eq!(spec["hub"]["rebalance"], false);
    // These have no default in the CRD: the hub has its own.
    assert_eq!((&spec["hub"]["limits"], &spec["hub"]["history"]), (&json!({}), &json!({})));
    assert_eq!(spec["hub"].get("allowedOrigins"), None);
    assert_eq!(spec["redis"]["persistence"], "AppendOnly");
    assert_eq!(spec["redis"]["storage"], json!({"size": "1Gi", "retain": true}));
    assert_eq!(spec["hub"]["drain"], json!({"gracePeriodSeconds": 30}));
    assert_eq!(
        spec["service"],
        json!({
            "type": "LoadBalancer", "port": 80, "publish": "WhenVerified", "sessionAffinity": "None",
            "ipFamilyPolicy": "SingleStack"
        })
    );
    assert_eq!(spec["networkPolicy"], json!({"enabled": true}));
}

#[tokio::test]
async fn kubectl_scale_sets_the_number_of_hubs() {
    let ns = operator::namespace("scale").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;

    kubectl(&["scale", "chatcluster/lobby", "--replicas=4", "--namespace", &ns.name])
        .await
        .expect("kubectl scale");

    ns.eventually(SOON, "the status counts four hubs", async || {
        let hub = lobby.get().await.status.and_then(|status| status.hub).unwrap_or_default();
        if hub.ready_replicas == 4 && hub.replicas == 4 && hub.summary == "4/4" {
            Ok(())
        } else {
            Err(format!("{hub:?}"))
        }
    })
    .await;
    let scale = lobby.api().get_scale("lobby").await.expect("the scale subresource");
    let status = scale.status.expect("the scale's status");
    assert_eq!(status.replicas, 4);
    let selector = status.selector.expect("a selector, which autoscalers need");
    let pods =
        kubectl(&["get", "pods", "--namespace", &ns.name, "--selector", &selector, "--output=name"]).await;
    assert_eq!(pods.expect("pods by the selector").lines().count(), 4, "{selector}");
}

#[tokio::test]
async fn with_no_hubs_nobody_is_served_and_the_condition_says_so() {
    let ns = operator::namespace("zero").await;
    let lobby = ns.chat("lobby", json!({"hub": {"replicas": 0}, "redis": {"persistence": "None"}})).await;

    lobby.becomes("HubReady", "False", "ScaledToZero", SOON).await;
    lobby.set(json!({"hub": {"replicas": 1}})).await;

    lobby.becomes("HubReady", "True", "Ready", SOON).await;
}
