//! The figures as Markdown: a row for each figure, a column for each number of clusters. Pure.

use super::check::{by_verb, sum};
use crate::bench::markdown::{table, thousands};
use serde_json::Value;

/// A row: the phase of the figure, its name, and the way to get it from the results of a run.
type Row = (&'static str, &'static str, fn(&Of) -> Option<String>);

/// The results of one run.
struct Of<'a> {
    results: Vec<&'a Value>,
}

impl Of<'_> {
    fn phase(&self, phase: &str) -> Option<&Value> {
        self.results.iter().copied().find(|result| result["phase"] == phase)
    }

    fn number(&self, phase: &str, pointer: &str) -> Option<f64> {
        self.phase(phase)?.pointer(pointer)?.as_f64()
    }

    /// The mean over all results of a phase that is repeated.
    fn mean(&self, phase: &str, pointer: &str) -> Option<f64> {
        let of_phase = self.results.iter().filter(|result| result["phase"] == phase);
        let numbers: Vec<f64> = of_phase.filter_map(|result| result.pointer(pointer)?.as_f64()).collect();
        let count = u32::try_from(numbers.len()).ok().filter(|count| *count > 0)?;
        Some(numbers.into_iter().sum::<f64>() / f64::from(count))
    }

    fn clusters(&self) -> f64 {
        self.results.first().and_then(|result| result["clusters"].as_f64()).unwrap_or(1.0)
    }

    /// A number with this many decimals.
    fn show(&self, phase: &str, pointer: &str, decimals: usize) -> Option<String> {
        Some(shown(self.number(phase, pointer)?, decimals))
    }

    /// The operator's seconds, the mean of the floor's before and after, and their ratio.
    fn beside(&self, field: &str) -> Option<String> {
        let pointer = format!("/{field}");
        let (own, phase) = match field {
            "gone_s" => (self.number("delete", &pointer)?, "floor delete"),
            _ => (self.number("create", &pointer)?, "floor"),
        };
        let floor = self.mean(phase, &pointer)?;
        Some(format!("{} / {} = {:.2}", shown(own, 1), shown(floor, 1), own / floor))
    }

    /// The floor's seconds, before and after.
    fn floors(&self) -> Option<String> {
        let floors = self.results.iter().filter(|result| result["phase"] == "floor");
        let seconds: Vec<_> =
            floors.filter_map(|floor| Some(shown(floor["children_s"].as_f64()?, 1))).collect();
        (seconds.len() > 1).then(|| seconds.join(" / "))
    }

    fn requests(&self, phase: &str) -> Option<&Value> {
        self.phase(phase).map(|result| &result["requests"])
    }

    /// Requests for each cluster, by verb.
    fn each(&self, phase: &str) -> Option<String> {
        let requests = self.requests(phase)?;
        let verbs = VERBS.iter().map(|verb| (verb, by_verb(requests, verb) / self.clusters()));
        let shown: Vec<_> = verbs
            .filter(|(_, count)| *count > 0.0)
            .map(|(verb, count)| format!("{count:.2} {verb}"))
            .collect();
        let total = sum(requests) / self.clusters();
        Some(if shown.is_empty() { "0".into() } else { format!("{total:.2}: {}", shown.join(", ")) })
    }

    fn percentiles(&self, phase: &str, pointer: &str) -> Option<String> {
        let of = |share: &str| self.number(phase, &format!("{pointer}/{share}"));
        Some(format!("{} / {}", shown(of("p50")?, 1), shown(of("p99")?, 1)))
    }
}

const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

const ROWS: [Row; 37] = [
    ("create", "all children but the public Service, s (operator / floor)", |of| {
        of.beside("unconditional_s")
    }),
    ("create", "every child, s (operator / floor)", |of| of.beside("children_s")),
    ("create", "every child, s, floor before / after", |of| of.floors()),
    ("create", "nothing left to do, s", |of| of.show("create", "/settled_s", 1)),
    ("create", "requests for each cluster", |of| of.each("create")),
    ("create", "requests that failed", |of| Some(shown(sum(&of.phase("create")?["failed"]), 0))),
    ("create", "processor, s", |of| of.show("create", "/cpu_seconds", 1)),
    ("create", "memory before, MiB", |of| of.show("create", "/before/rss_mib", 1)),
    ("create", "memory after, MiB", |of| of.show("create", "/after/rss_mib", 1)),
    ("create", "memory for each cluster, KiB", |of| of.show("create", "/memory_kib_per_cluster", 1)),
    ("rest", "seconds", |of| of.show("rest", "/seconds", 0)),
    ("rest", "requests", |of| Some(shown(sum(of.requests("rest")?), 0))),
    ("rest", "writes, the lease aside", |of| Some(shown(sum(&of.phase("rest")?["writes"]), 0))),
    ("rest", "processor, s", |of| of.show("rest", "/cpu_seconds", 2)),
    ("rest", "memory, MiB", |of| of.show("rest", "/after/rss_mib", 1)),
    ("rest", "most memory so far, MiB", |of| of.show("rest", "/after/peak_mib", 1)),
    ("drift", "round trip of a write, ms p50 / p99", |of| of.percentiles("drift", "/round_trip_ms")),
    ("drift", "one deleted, ms p50 / p99", |of| of.percentiles("drift", "/deleted_ms")),
    ("drift", "one changed, ms p50 / p99", |of| of.percentiles("drift", "/changed_ms")),
    ("drift", "a tenth at once, ms p50 / p99", |of| of.percentiles("drift many", "/ms")),
    ("drift", "a tenth at once, all repaired, s", |of| of.show("drift many", "/all_s", 2)),
    ("restart", "ready, s", |of| of.show("restart", "/ready_s", 2)),
    ("restart", "every cluster looked at, s", |of| of.show("restart", "/caught_up_s", 2)),
    ("restart", "lists", |of| of.show("restart", "/lists", 0)),
    ("restart", "writes, the lease aside", |of| Some(shown(sum(&of.phase("restart")?["writes"]), 0))),
    ("restart", "memory, MiB", |of| of.show("restart", "/after/rss_mib", 1)),
    ("restart", "most memory, MiB", |of| of.show("restart", "/after/peak_mib", 1)),
    ("churn", "round trip of a write, ms p50 / p99", |of| of.percentiles("churn", "/round_trip_ms")),
    ("churn", "round trip of a write meanwhile, ms p50 / p99", |of| {
        of.percentiles("churn", "/round_trip_meanwhile_ms")
    }),
    ("churn", "from spec to child, ms p50 / p99", |of| of.percentiles("churn", "/ms")),
    ("churn", "of that, until the API server is asked, ms p50 / p99", |of| {
        of.percentiles("churn", "/reached_ms")
    }),
    ("churn", "of that, until it has answered, ms p50 / p99", |of| of.percentiles("churn", "/write_ms")),
    ("churn", "longest queue", |of| of.show("churn", "/queue_most", 0)),
    ("churn", "requests for each change", |of| {
        Some(shown(sum(of.requests("churn")?) / of.number("churn", "/changes")?, 2))
    }),
    ("delete", "nothing left, s (operator / floor)", |of| of.beside("gone_s")),
    ("delete", "requests", |of| Some(shown(sum(of.requests("delete")?), 0))),
    ("delete", "memory, MiB", |of| of.show("delete", "/after/rss_mib", 1)),
];

fn shown(number: f64, decimals: usize) -> String {
    thousands(&format!("{number:.decimals$}"))
}

/// All tables.
pub(super) fn all(results: &[Value]) -> String {
    let runs = runs(results);
    if runs.is_empty() {
        return real(results).unwrap_or_default();
    }
    let heads = runs.iter().map(|of| {
        let without = if of.results[0]["pods"] == true { "" } else { ", no pods" };
        format!("{}{without}", shown(of.clusters(), 0))
    });
    let mut lines = vec![["clusters".to_owned()].into_iter().chain(heads).collect::<Vec<_>>()];
    for (phase, what, figure) in ROWS {
        let cells: Vec<_> = runs.iter().map(figure).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".into()));
            lines.push([format!("{phase}: {what}")].into_iter().chain(cells).collect());
        }
    }
    let tables = [Some(table(&lines)), by_kind(&runs), real(results)];
    tables.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The table of real pods: the operator beside the objects by hand.
fn real(results: &[Value]) -> Option<String> {
    let of = |system: &str| -> Vec<f64> {
        let results = results.iter().filter(|r| r["phase"] == "real" && r["system"] == system);
        let mut seconds: Vec<f64> = results.filter_map(|result| result["seconds"].as_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    };
    let (operator, floor) = (of("operator"), of("floor"));
    let head = ["from kubectl apply to a message that crosses, s", "fastest", "median", "slowest", "times"];
    let row = |name: &str, seconds: &[f64]| -> Option<Vec<String>> {
        let (first, last) = (seconds.first()?, seconds.last()?);
        let figures = [*first, seconds[seconds.len() / 2], *last].map(|figure| shown(figure, 1));
        Some([vec![name.to_owned()], figures.to_vec(), vec![seconds.len().to_string()]].concat())
    };
    let ratio = operator.get(operator.len() / 2)? / floor.get(floor.len() / 2)?;
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.push(row(&format!("a ChatCluster ({ratio:.2} × the median by hand)"), &operator)?);
    lines.push(row("the same objects by hand", &floor)?);
    Some(table(&lines))
}

/// The table of requests for each cluster, by verb and kind.
fn by_kind(runs: &[Of]) -> Option<String> {
    let kinds: std::collections::BTreeSet<&String> = runs
        .iter()
        .filter_map(|of| of.requests("create")?.as_object())
        .flat_map(serde_json::Map::keys)
        .collect();
    let heads = runs.iter().map(|of| shown(of.clusters(), 0));
    let mut lines =
        vec![["requests for each cluster".to_owned()].into_iter().chain(heads).collect::<Vec<_>>()];
    for kind in kinds {
        let cells = runs.iter().map(|of| {
            let count = of.requests("create").and_then(|requests| requests[kind].as_f64());
            shown(count.unwrap_or_default() / of.clusters(), 3)
        });
        lines.push([kind.clone()].into_iter().chain(cells).collect());
    }
    (lines.len() > 1).then(|| table(&lines))
}

fn runs(results: &[Value]) -> Vec<Of<'_>> {
    let mut runs: Vec<Of> = Vec::new();
    for result in results.iter().filter(|result| result["clusters"].is_number()) {
        let of = |run: &&mut Of| {
            run.results.iter().all(|r| r["clusters"] == result["clusters"] && r["pods"] == result["pods"])
        };
        match runs.iter_mut().find(of) {
            Some(run) => run.results.push(result),
            None => runs.push(Of { results: vec![result] }),
        }
    }
    runs
}

/// One result in a line, for a person who waits.
pub(super) fn progress(result: &Value) -> String {
    let of = Of { results: vec![result] };
    let phase = result["phase"].as_str().unwrap_or_default();
    let figures: Vec<String> = ROWS
        .iter()
        .filter_map(|(_, what, figure)| Some(format!("{what}: {}", figure(&of)?)))
        .take(6)
        .collect();
    if figures.is_empty() {
        let seconds = ["children_s", "gone_s", "seconds"].iter().find_map(|field| result[field].as_f64());
        let system = result["system"].as_str().map_or(String::new(), |system| format!(", {system}"));
        return seconds.map_or(phase.to_owned(), |seconds| format!("{phase}{system}: {seconds:.1} s"));
    }
    format!("{phase}: {}", figures.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results(clusters: u32) -> Vec<Value> {
        let of = |mut result: Value| {
            result["clusters"] = clusters.into();
            result["pods"] = true.into();
            result
        };
        vec![
            of(json!({"phase": "floor", "unconditional_s": 2.0, "children_s": 3.0})),
            of(json!({"phase": "create", "unconditional_s": 3.0, "children_s": 5.0, "settled_s": 6.0,
                      "requests": {"patch services": 3 * clusters, "create events": clusters / 2}})),
            of(json!({"phase": "rest", "writes": {"patch pods": 2}, "requests": {"watch pods": 1234}})),
            of(json!({"phase": "floor", "unconditional_s": 2.0, "children_s": 5.0})),
        ]
    }

    #[test]
    fn each_number_of_clusters_has_a_column() {
        let text = all(&[results(10), results(1000)].concat());

        let row = |what: &str| text.lines().find(|line| line.contains(what)).unwrap_or_default().to_owned();
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(cells(&row("clusters "))[1..4], ["clusters", "10", "1,000"]);
        assert_eq!(cells(&row("every child, s (operator"))[2], "5.0 / 4.0 = 1.25");
        assert_eq!(cells(&row("floor before / after"))[2], "3.0 / 5.0");
        assert_eq!(cells(&row("requests for each cluster "))[2], "3.50: 0.50 create, 3.00 patch");
        assert_eq!(cells(&row("writes, the lease aside"))[2..4], ["2", "2"]);
        assert_eq!(cells(&row("patch services"))[2..4], ["3.000", "3.000"]);
        assert!(!text.contains("churn"), "{text}");
    }

    #[test]
    fn real_pods_have_a_table_of_their_own() {
        let real =
            |system: &str, seconds: f64| json!({"phase": "real", "system": system, "seconds": seconds});

        let text = all(&[
            real("operator", 12.0),
            real("floor", 10.0),
            real("operator", 13.0),
            real("operator", 9.0),
        ]);

        let rows: Vec<String> = text.lines().map(|line| line.replace(' ', "")).collect();
        assert_eq!(rows[2], "|aChatCluster(1.20×themedianbyhand)|9.0|12.0|13.0|3|");
        assert_eq!(rows[3], "|thesameobjectsbyhand|10.0|10.0|10.0|1|");
    }

    #[test]
    fn progress_says_what_is_known() {
        let results = results(10);

        assert_eq!(progress(&results[0]), "floor: 3.0 s");
        assert!(progress(&results[1]).starts_with("create: nothing left to do, s: 6.0; requests"));
    }
}
