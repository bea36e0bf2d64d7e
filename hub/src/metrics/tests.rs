use std::collections::BTreeSet;
use std::path::Path;

use signalr::error::ProtocolError;

use super::*;

fn scraped(metrics: &Metrics) -> String {
    metrics.text(&Scrape {
        version: "1.2.3",
        backplane: "redis",
        pod: "hub-0",
        rooms: 2,
        members_elsewhere: 5,
        canaries: vec![("hub-0".into(), 0.25), ("a\"b".into(), 1.000_4)],
    })
}

/// The names of all metrics, without what a histogram or a counter appends for a sample.
fn names_in(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !word(c))
        .filter(|name| name.starts_with("chatcluster_hub_"))
        .map(|name| {
            let sample = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            sample.unwrap_or(name).to_owned()
        })
        .collect()
}

/// The values of the label `reason` of a metric.
fn reasons_in<'a>(text: &'a str, metric: &str) -> Vec<&'a str> {
    let reason = |line: &'a str| line.strip_prefix(metric)?.strip_prefix("{reason=\"")?.split('"').next();
    text.lines().filter_map(reason).collect()
}

fn documentation() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/hub.md");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_sample_follows_the_head_of_its_metric() {
    let metrics = Metrics::default();
    metrics.message_store_seconds.observe(0.003);
    let text = scraped(&metrics);

    assert!(text.ends_with("\n# EOF\n"));
    let (mut family, mut seen) = ("", BTreeSet::new());
    for line in text.trim_end_matches("# EOF\n").lines() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            let (name, help) = head.split_once(' ').unwrap();
            assert!(seen.insert(name), "{name} is there twice");
            assert!(help.ends_with('.') && !help.ends_with(".."), "{help}");
            assert!(!help.contains("  "), "{help}");
            family = name;
        } else if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, _) = sample.split_once('{').unwrap_or((sample, ""));
            let end = name.strip_prefix(family).unwrap();
            assert!(["", "_total", "_bucket", "_sum", "_count"].contains(&end), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

/// Dashboards and alerts depend on these.
#[test]
fn names_labels_and_types_stay() {
    let metrics = Metrics::default();
    metrics.deliveries.inc_by(3);
    metrics.connections.set(4);

    let text = scraped(&metrics);

    for counter in [
        "connections_refused",
        "requests_passed_on",
        "records_received",
        "messages_published",
        "messages_not_published",
        "messages_heard",
        "messages_repeated",
        "messages_doubled",
        "catch_ups",
        "gaps",
        "messages_not_understood",
        "slow_consumers",
        "backplane_reconnects",
        "client_results",
        "client_results_failed",
        "moved_away",
        "moved_here",
    ] {
        assert!(text.contains(&format!("\n# TYPE chatcluster_hub_{counter} counter\n")), "{counter}");
        assert!(text.contains(&format!("\nchatcluster_hub_{counter}_total 0\n")), "{counter}");
    }
    for line in [
        "chatcluster_hub_deliveries_total 3",
        "# TYPE chatcluster_hub_connections gauge",
        "chatcluster_hub_connections 4",
        "# TYPE chatcluster_hub_rooms gauge",
        "chatcluster_hub_rooms 2",
        "# TYPE chatcluster_hub_members_elsewhere gauge",
        "chatcluster_hub_members_elsewhere 5",
        "# TYPE chatcluster_hub_backplane_connected gauge",
        "chatcluster_hub_backplane_connected 0",
        "# TYPE chatcluster_hub_canary_age_seconds gauge",
        "chatcluster_hub_canary_age_seconds{peer=\"hub-0\"} 0.25",
        "chatcluster_hub_canary_age_seconds{peer=\"a\\\"b\"} 1.0",
        "# TYPE chatcluster_hub_build_info gauge",
        "chatcluster_hub_build_info{version=\"1.2.3\",backplane=\"redis\",pod=\"hub-0\"} 1",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}\n{text}");
    }
    assert!(text.starts_with("# HELP chatcluster_hub_connections Open connections.\n"), "{text}");
}

#[test]
fn each_reason_is_there_from_the_start_and_counts_for_itself() {
    let metrics = Metrics::default();
    let before = scraped(&metrics);

    metrics.disconnected(&CloseReason::Protocol(ProtocolError::TooLarge { most_bytes: 1 }));
    metrics.disconnected(&CloseReason::Protocol(ProtocolError::Missing("target")));
    metrics.refused(RefusedRequest::HubGone);
    metrics.call_failed(&CallError::Left);
    metrics.call_failed(&CallError::Left);
    let after = scraped(&metrics);

    let counts = |text: &str, metric| (reasons_in(text, metric).len(), text.matches("\"} 0\n").count());
    for (metric, reasons, counted) in [
        ("chatcluster_hub_disconnects_total", Disconnect::ALL.len(), ["too_large\"} 1", "protocol\"} 1"]),
        ("chatcluster_hub_requests_refused_total", RefusedRequest::ALL.len(), ["hub_gone\"} 1"; 2]),
        ("chatcluster_hub_calls_failed_total", FailedCall::ALL.len(), ["client_left\"} 2"; 2]),
    ] {
        assert_eq!(counts(&before, metric).0, reasons, "{metric}");
        assert_eq!(counts(&after, metric).0, reasons, "{metric}");
        for end in counted {
            assert!(after.contains(&format!("\n{metric}{{reason=\"{end}\n")), "{metric} {end}");
        }
    }
    assert_eq!(counts(&before, "").1 - counts(&after, "").1, 4, "all others are still 0");
}

#[test]
fn the_documentation_names_each_metric_and_each_reason_and_no_others() {
    let (text, documentation) = (scraped(&Metrics::default()), documentation());
    let samples: String = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");

    assert_eq!(names_in(&samples), names_in(&documentation));
    for metric in ["disconnects", "requests_refused", "calls_failed"] {
        let metric = format!("chatcluster_hub_{metric}_total");
        let (_, after) = documentation.split_once(&format!("### Reasons of `{metric}`\n")).unwrap();
        let table = after.split_once("\n#").unwrap().0;
        let documented = table.lines().filter_map(|row| row.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(
            reasons_in(&samples, &metric).into_iter().collect::<BTreeSet<_>>(),
            documented,
            "{metric}"
        );
    }
}
