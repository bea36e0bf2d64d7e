//! Medians, and their ratios to the null server's, as Markdown and as JSON. Pure.

use super::options::Mode;
use super::plan::System;
use crate::bench::markdown::{table as markdown, thousands};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// The presentation of a figure.
#[derive(Clone, Copy)]
enum Show {
    /// The median with this many decimals, beside its ratio to the null server's
    Ratio(usize),
    /// The median with this many decimals
    Median(usize),
    /// The sum of all runs, for counts that have to be 0
    Sum,
}

use Show::{Median, Ratio, Sum};

type Row = (&'static str, &'static str, Show);

const DELIVERIES: Row = ("deliveries_per_s", "deliveries/s", Ratio(0));
const LATENCY: [Row; 3] = [
    ("p50_ms", "latency p50, ms", Ratio(2)),
    ("p99_ms", "latency p99, ms", Ratio(2)),
    ("p999_ms", "latency p99.9, ms", Ratio(2)),
];
const LATE: Row = ("late_p99_ms", "generator late, p99, ms", Median(2));
const COSTS: [Row; 9] = [
    ("server_cpu_us_per_delivery", "server CPU, µs/delivery", Ratio(2)),
    ("segments_per_delivery", "TCP segments/delivery", Ratio(2)),
    ("deliveries_per_frame", "deliveries/frame", Median(1)),
    ("bytes_per_delivery", "bytes/delivery", Median(0)),
    ("redis_cpu_us_per_message", "Redis CPU, µs/message", Median(0)),
    ("redis_commands_per_message", "Redis commands/message", Median(2)),
    ("generator_cpu_us_per_delivery", "generator CPU, µs/delivery", Median(2)),
    ("generator_cpu_percent", "generator, % of a core", Median(0)),
    ("cores_busy", "cores busy with all of these", Median(2)),
];
const COUNTS: [Row; 3] = [
    ("lost", "lost (all runs)", Sum),
    ("duplicated", "duplicated (all runs)", Sum),
    ("out_of_order", "out of order (all runs)", Sum),
];
const CLOSED: Row = ("closed", "connections closed (all runs)", Sum);
const SUBSCRIPTIONS: Row = ("room_subscriptions", "Redis subscriptions for the room", Median(0));

fn rows(mode: Mode) -> Vec<Row> {
    match mode {
        Mode::Broadcast => [&[DELIVERIES][..], &LATENCY, &COSTS, &COUNTS, &[CLOSED, SUBSCRIPTIONS]].concat(),
        Mode::Rate => [&LATENCY[..], &[LATE], &COSTS, &COUNTS, &[CLOSED, SUBSCRIPTIONS]].concat(),
        Mode::Connect => vec![
            ("connections_per_s", "connections/s", Ratio(0)),
            ("connect_p50_ms", "connect p50, ms", Ratio(1)),
            ("connect_p99_ms", "connect p99, ms", Ratio(1)),
            ("server_cpu_us_per_connection", "server CPU, µs/connection", Ratio(0)),
            ("generator_cpu_us_per_connection", "generator CPU, µs/connection", Median(0)),
            CLOSED,
            SUBSCRIPTIONS,
        ],
        Mode::Idle => vec![
            ("rss_kib_per_connection", "RSS, KiB/connection", Median(1)),
            ("rss_mib", "RSS of both hubs, MiB", Median(0)),
            ("cpu_percent_per_1000_connections", "CPU, % of a core for 1,000", Median(2)),
            ("redis_commands_per_s", "Redis commands/s", Median(1)),
            CLOSED,
            SUBSCRIPTIONS,
        ],
    }
}

fn of(results: &[Value], mode: Mode, system: System) -> Vec<&Value> {
    results.iter().filter(|r| r["mode"] == mode.name() && r["system"] == system.name()).collect()
}

fn present(results: &[Value], mode: Mode) -> Vec<System> {
    System::ALL.into_iter().filter(|system| !of(results, mode, *system).is_empty()).collect()
}

fn figure(results: &[Value], mode: Mode, system: System, (field, _, show): Row) -> Option<f64> {
    let values =
        of(results, mode, system).into_iter().map(|r| r[field].as_f64()).collect::<Option<Vec<_>>>()?;
    match show {
        Sum => Some(values.iter().sum()),
        Ratio(_) | Median(_) => median(values),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.as_slice()) {
        (_, []) => None,
        (1, _) => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// A hub's figure divided by the null server's, where both mean the same.
fn ratio(results: &[Value], mode: Mode, system: System, row: Row) -> Option<f64> {
    let own = matches!((system, row.2), (System::Hub(_), Ratio(_)));
    let floor = figure(results, mode, System::Floor, row).filter(|&floor| own && floor > 0.0)?;
    Some(figure(results, mode, system, row)? / floor)
}

/// One table for each mode.
pub(super) fn all(results: &[Value]) -> String {
    let tables = Mode::ALL.into_iter().filter_map(|mode| table(results, mode));
    tables.collect::<Vec<_>>().join("\n")
}

fn table(results: &[Value], mode: Mode) -> Option<String> {
    let systems = present(results, mode);
    let first = of(results, mode, *systems.first()?);
    let mut lines =
        vec![[String::new()].into_iter().chain(systems.iter().map(|s| s.name().to_owned())).collect()];
    for row in rows(mode) {
        let cells = systems.iter().map(|&system| cell(results, mode, system, row));
        lines.push([row.1.to_owned()].into_iter().chain(cells).collect::<Vec<_>>());
    }
    Some(format!("**{}**: {}\n\n{}", mode.name(), caption(&first, results, mode), markdown(&lines)))
}

fn caption(first: &[&Value], results: &[Value], mode: Mode) -> String {
    let value = first[0];
    let mut text = format!("{} connections", value["connections"]);
    let _ = match mode {
        Mode::Broadcast => write!(
            text,
            ", {} publishers, {} messages on their way, {} bytes",
            value["publishers"], value["window"], value["text_bytes"]
        ),
        Mode::Rate => write!(
            text,
            ", {} messages/s of {} publishers, {} bytes",
            value["rate"], value["publishers"], value["text_bytes"]
        ),
        Mode::Connect => Ok(()),
        Mode::Idle => write!(text, ", {:.0} s", value["seconds"].as_f64().unwrap_or_default()),
    };
    let others = results.iter().filter(|r| r["mode"] == mode.name());
    let most = others.filter_map(|r| r["other_cores"].as_f64()).fold(0.0, f64::max);
    let _ = write!(
        text,
        "; {} run{}; other work kept at most {most:.2} cores busy",
        first.len(),
        if first.len() == 1 { "" } else { "s" }
    );
    text
}

fn cell(results: &[Value], mode: Mode, system: System, row: Row) -> String {
    let Some(value) = figure(results, mode, system, row) else { return "–".into() };
    let decimals = match row.2 {
        Ratio(decimals) | Median(decimals) => decimals,
        Sum => 0,
    };
    let mut cell = thousands(&format!("{value:.decimals$}"));
    if let Some(ratio) = ratio(results, mode, system, row) {
        let _ = write!(cell, " ({ratio:.2}×)");
    }
    cell
}

/// A line for each mode and system: medians, and ratios to the null server's.
pub(super) fn medians(results: &[Value]) -> Vec<Value> {
    let mut lines = Vec::new();
    for mode in Mode::ALL {
        for system in present(results, mode) {
            let (mut figures, mut ratios) = (Map::new(), Map::new());
            for row in rows(mode) {
                if let Some(value) = figure(results, mode, system, row) {
                    figures.insert(row.0.into(), value.into());
                }
                if let Some(value) = ratio(results, mode, system, row) {
                    ratios.insert(row.0.into(), value.into());
                }
            }
            lines.push(json!({"medians": {
                "mode": mode.name(), "system": system.name(), "runs": of(results, mode, system).len(),
                "figures": figures, "ratio_to_floor": ratios,
            }}));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(system: &str, rate: f64) -> Value {
        json!({"mode": "connect", "system": system, "connections": 10, "connections_per_s": rate, "closed": 1,
               "other_cores": 0.1})
    }

    #[test]
    fn a_figure_is_a_median_and_stands_beside_the_floor() {
        let results = [
            connect("hub json", 1000.0),
            connect("hub json", 3000.0),
            connect("hub json", 2000.0),
            connect("floor", 4000.0),
        ];

        let table = all(&results);
        let lines: Vec<_> = table.lines().collect();

        assert_eq!(lines[0], "**connect**: 10 connections; 3 runs; other work kept at most 0.10 cores busy");
        assert_eq!(lines[2], "|                                  |      hub json | floor |");
        assert_eq!(lines[4], "| connections/s                    | 2,000 (0.50×) | 4,000 |");
        assert_eq!(lines[9], "| connections closed (all runs)    |             3 |     1 |");
    }

    #[test]
    fn medians_are_kept_with_their_ratios() {
        let results = [connect("hub json", 1000.0), connect("hub json", 3000.0), connect("floor", 4000.0)];

        let lines = medians(&results);

        assert_eq!(lines[0]["medians"]["figures"]["connections_per_s"], 2000.0);
        assert_eq!(lines[0]["medians"]["ratio_to_floor"]["connections_per_s"], 0.5);
        assert_eq!(lines[1]["medians"]["system"], "floor");
        assert_eq!(lines[1]["medians"]["ratio_to_floor"], json!({}));
    }
}
