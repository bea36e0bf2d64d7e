//! Requests, memory and time against the number of clusters, as a picture (SVG) that is drawn without a
//! library. Pure but for the file.

use crate::repo;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write;
use std::fs;

const FILE: &str = "docs/performance-operator.svg";

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const GAP: f64 = 30.0;

/// One of the three plots, with its title and its lines.
struct Panel {
    title: &'static str,
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

/// Writes the picture. Returns the Markdown that shows it.
pub(super) fn write(results: &[Value]) -> Result<String> {
    fs::write(repo::root().join(FILE), svg(&panels(results)))
        .with_context(|| format!("cannot write {FILE}"))?;
    let name = FILE.trim_start_matches("docs/");
    Ok(format!(
        "![Requests for each cluster, memory, and time to create, against the number of clusters]({name})"
    ))
}

fn panels(results: &[Value]) -> Vec<Panel> {
    let line = |name, colour, phase: &str, figure: &dyn Fn(&Value) -> Option<f64>| {
        let of_phase = results.iter().filter(|result| result["phase"] == phase);
        let mut points: Vec<(f64, f64)> =
            of_phase.filter_map(|result| Some((result["clusters"].as_f64()?, figure(result)?))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Repeated measurements are shown as their mean.
        let points = points.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()).map(mean).collect();
        Line { name, colour, points }
    };
    let number = |pointer: &'static str| move |result: &Value| result.pointer(pointer)?.as_f64();
    let each = |result: &Value| Some(super::check::sum(&result["requests"]) / result["clusters"].as_f64()?);
    vec![
        Panel {
            title: "Requests for each cluster",
            lines: vec![
                line("operator", "#0b6", "create", &each),
                line("children", "#999", "create", &number("/children")),
            ],
        },
        Panel {
            title: "Memory, MiB",
            lines: vec![
                line("at rest", "#0b6", "rest", &number("/after/rss_mib")),
                line("after a restart", "#06c", "restart", &number("/after/rss_mib")),
                line("most", "#c60", "rest", &number("/after/peak_mib")),
            ],
        },
        Panel {
            title: "Every child is there, s",
            lines: vec![
                line("operator", "#0b6", "create", &number("/children_s")),
                line("floor", "#999", "floor", &number("/children_s")),
            ],
        },
    ]
}

fn mean(points: &[(f64, f64)]) -> (f64, f64) {
    let sum: f64 = points.iter().map(|point| point.1).sum();
    (points[0].0, sum / f64::from(u32::try_from(points.len()).unwrap_or(1)))
}

fn svg(panels: &[Panel]) -> String {
    let each = LEFT + WIDTH + GAP;
    let (width, height) = (each * f64::from(u32::try_from(panels.len()).unwrap_or(1)), TOP + HEIGHT + BOTTOM);
    let mut svg = format!(
        "<!-- written by `cargo xtask bench operator`, which is told to document -->\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#666\">\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let at = LEFT + each * f64::from(u32::try_from(index).unwrap_or_default());
        let _ = writeln!(svg, "<g transform=\"translate({at} {TOP})\">\n{}</g>", draw(panel));
    }
    svg + "</svg>\n"
}

fn draw(panel: &Panel) -> String {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let most = points().map(|point| point.1).fold(0.0, f64::max);
    let (first, last) =
        points().fold((f64::MAX, 1.0_f64), |(first, last), point| (first.min(point.0), last.max(point.0)));
    let top = nice(most);
    // The axis is logarithmic: the numbers of clusters are powers of ten apart.
    let span = (last / first).log10().max(f64::MIN_POSITIVE);
    let x = |clusters: f64| WIDTH * (clusters / first).log10() / span;
    let y = |value: f64| HEIGHT * (1.0 - value / top);
    let mut text = format!("<text x=\"0\" y=\"-20\" font-size=\"14\" fill=\"#333\">{}</text>\n", panel.title);
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (value, at) = (top * part, y(top * part));
        let _ = writeln!(
            text,
            "<path d=\"M0 {at:.1}H{WIDTH}\" stroke=\"#ddd\"/><text x=\"-6\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            at + 4.0
        );
    }
    let mut marks: Vec<f64> = points().map(|point| point.0).collect();
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    for clusters in marks {
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{clusters}</text>",
            x(clusters),
            HEIGHT + 18.0
        );
    }
    let mut key = 0.0;
    for line in &panel.lines {
        let path: Vec<String> = line
            .points
            .iter()
            .map(|(clusters, value)| format!("{:.1} {:.1}", x(*clusters), y(*value)))
            .collect();
        let colour = line.colour;
        if !path.is_empty() {
            let _ = writeln!(
                text,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                path.join("L")
            );
        }
        for point in &path {
            let (cx, cy) = point.split_once(' ').unwrap_or_default();
            let _ = writeln!(text, "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"3\" fill=\"{colour}\"/>");
        }
        let _ = writeln!(
            text,
            "<text x=\"{key}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            HEIGHT + 38.0,
            line.name
        );
        key += 100.0;
    }
    text
}

/// The next number whose quarters are easy to read.
fn nice(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(0.1).log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|top| *top >= most).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_axis_ends_at_a_number_that_is_easy_to_read() {
        let ends = [0.0, 3.1, 15.0, 60.0, 81.0, 1000.0].map(|most| nice(most).to_string());

        assert_eq!(ends, ["0.1", "4", "20", "60", "100", "1000"]);
    }

    #[test]
    fn a_figure_becomes_a_point_on_its_line() {
        let create = |clusters: u32, seconds: f64| {
            json!({"phase": "create", "clusters": clusters, "children": 11, "children_s": seconds,
                   "requests": {"patch services": 14 * clusters}})
        };

        let svg = svg(&panels(&[create(100, 10.0), create(1000, 100.0)]));

        // 14 of 20 requests, at both ends.
        assert!(svg.contains("<path d=\"M0.0 60.0L300.0 60.0\""), "{svg}");
        // 10 and 100 of 100 seconds.
        assert!(svg.contains("<path d=\"M0.0 180.0L300.0 0.0\""), "{svg}");
        let (comment, picture) = svg.split_once("-->").unwrap();
        // Two hyphens in a comment are no XML: no browser shows it.
        assert!(comment.strip_prefix("<!--").is_some_and(|text| !text.contains("--")), "{comment}");
        assert!(picture.ends_with("</svg>\n"));
    }
}
