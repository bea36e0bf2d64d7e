//! Each name is used where it is promised, and nothing is promised that does not exist.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// Metrics of which each has been seen once.
fn used() -> Metrics {
    let metrics = Metrics::default();
    metrics.reconciled(Duration::from_millis(30), Some("write"));
    metrics.queue_depth(1);
    metrics.wrote("Service", "repaired");
    metrics.drift_repaired("Service");
    metrics.watch_failed("Pod");
    metrics.requested("patch", "services".to_owned(), Some(200));
    metrics.leads(true);
    metrics.cluster_changed(None, Some(cluster(&[])));
    metrics
}

/// A cluster that is, or is not, what these conditions say.
fn cluster(conditions: &[(&str, &str, &str)]) -> Vec<InCondition> {
    let condition = |&(condition, status, reason): &(&str, &str, &str)| {
        let [condition, status, reason] = [condition, status, reason].map(str::to_owned);
        InCondition { condition, status, reason }
    };
    conditions.iter().map(condition).collect()
}

/// Everything that begins as a metric of the operator does, without what a histogram or a counter appends for
/// a sample.
fn names_in(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !word(c))
        .filter(|name| name.starts_with("chatcluster_") && !name.starts_with("chatcluster_hub_"))
        .map(|name| {
            ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(name)
                .to_owned()
        })
        .collect()
}

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_metric_is_in_the_documentation_and_nothing_else_is() {
    let text = used().render();
    let samples: String = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");

    assert_eq!(names_in(&samples), names_in(&file("docs/operations.md")));
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_exist() {
    let exist = names_in(&used().render());
    for path in ["charts/chatcluster/files/alerts.yaml", "charts/chatcluster/dashboards/chatcluster.json"] {
        let asked = names_in(&file(path));

        assert!(!asked.is_empty(), "{path} asks for nothing");
        let missing: Vec<_> = asked.difference(&exist).collect();
        assert!(missing.is_empty(), "{path} asks for {missing:?}");
    }
}

#[test]
fn samples_say_what_happened() {
    let metrics = used();

    let text = metrics.render();

    for sample in [
        "chatcluster_reconciles_total 1",
        "chatcluster_reconcile_duration_seconds_bucket{le=\"0.05\"} 1",
        "chatcluster_reconcile_errors_total{reason=\"write\"} 1",
        "chatcluster_reconcile_queue_depth 1",
        "chatcluster_drift_repaired_total{kind=\"Service\"} 1",
        "chatcluster_writes_total{kind=\"Service\",outcome=\"repaired\"} 1",
        "chatcluster_watch_errors_total{kind=\"Pod\"} 1",
        "chatcluster_api_requests_total{verb=\"patch\",resource=\"services\",code=\"200\"} 1",
        "chatcluster_leader 1",
        "chatcluster_clusters{condition=\"Ready\",status=\"Unknown\",reason=\"NotReconciled\"} 1",
        concat!("chatcluster_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.lines().any(|line| line == sample), "no {sample} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_cluster_is_counted_as_what_it_is_now() {
    let metrics = used();
    let starting = cluster(&[("Ready", "False", "HubsStarting"), ("HubReady", "False", "HubsStarting")]);
    let ready = cluster(&[("Ready", "True", "Ready")]);
    metrics.cluster_changed(Some(cluster(&[])), Some(starting.clone()));
    metrics.cluster_changed(None, Some(ready.clone()));
    metrics.cluster_changed(Some(starting), Some(ready.clone()));

    let counted = |metrics: &Metrics| -> Vec<String> {
        let text = metrics.render();
        text.lines().filter(|line| line.starts_with("chatcluster_clusters{")).map(str::to_owned).collect()
    };
    let both = r#"chatcluster_clusters{condition="Ready",status="True",reason="Ready"} 2"#;
    assert_eq!(counted(&metrics), [both]);

    metrics.cluster_changed(Some(ready.clone()), None);
    metrics.cluster_changed(Some(ready), None);
    assert_eq!(counted(&metrics), [""; 0]);
}
