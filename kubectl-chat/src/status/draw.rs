//! One cluster as text: its summary, conditions, children as a tree, held changes and events.

use chatcluster_api::Reason;
use k8s_openapi::jiff::Timestamp;

use super::children::{Child, State};
use super::summary::Summary;
use super::view::View;
use crate::operator::OperatorView;
use crate::pending;
use crate::text::{Cell, Paint, Table, Tone, age};

pub(super) fn tree(view: &View, paint: Paint, now: Timestamp) -> String {
    let mut sections = vec![heading(view, paint, now)];
    if !view.conditions.is_empty() {
        sections.push(conditions(view, paint, now));
    }
    sections.push(children(view, paint, now));
    if !view.pending.is_empty() {
        sections.push(pending(view, paint));
    }
    sections.push(events(view, paint, now));
    if !view.notes.is_empty() {
        sections.push(
            view.notes.iter().map(|note| paint.paint(Tone::Faint, &format!("note: {note}")) + "\n").collect(),
        );
    }
    sections.join("\n")
}

fn heading(view: &View, paint: Paint, now: Timestamp) -> String {
    let old = view.created.map(|created| format!(", {} old", age(created, now))).unwrap_or_default();
    let name = paint.paint(Tone::Strong, &view.name);
    let Summary { ready, reason, message, address, .. } = &view.summary;
    let (mark, tone) = sign(*ready, reason);
    let reason = paint.paint(tone, &format!("{mark} {reason}:"));
    let title = format!("{name}  in namespace {}{old}\n{reason} {message}\n", view.namespace);
    let mut facts = Table::default();
    let mut fact = |name: &str, value: Cell| facts.row(vec![Cell(name.to_owned(), Tone::Faint), value]);
    fact("address", view.url.as_deref().or(address.as_deref()).unwrap_or("none yet").into());
    fact("password", password(view).into());
    fact("operator", operator(view.operator.as_ref()));
    if view.paused {
        let what = format!("the operator changes nothing until: kubectl chat resume {}", view.name);
        fact("paused", Cell(what, Tone::Waiting));
    }
    if !view.up_to_date {
        fact(
            "behind",
            Cell("the operator has not looked at the last change of the spec yet".into(), Tone::Waiting),
        );
    }
    title + &facts.draw(paint)
}

fn password(view: &View) -> String {
    let origin = if view.password.generated { "generated, in Secret" } else { "yours, in Secret" };
    let state = view.password.reason.as_deref().unwrap_or("not judged yet");
    format!("{origin} {}: {state}", view.password.secret)
}

fn operator(operator: Option<&OperatorView>) -> Cell {
    let Some(operator) = operator else {
        return Cell("not found, or you may not see it".into(), Tone::Faint);
    };
    let OperatorView { namespace, version, ready_replicas, replicas, hold } = operator;
    let hold = if *hold { ", holds all changes back" } else { "" };
    let text = format!("{version} in namespace {namespace}, {ready_replicas} of {replicas} ready{hold}");
    Cell(text, if *ready_replicas == 0 { Tone::Bad } else { Tone::Plain })
}

/// The mark and the tone for: it holds, it needs a person, or it is on its way.
fn sign(holds: bool, reason: &str) -> (&'static str, Tone) {
    let problem = Reason::ALL.iter().any(|known| known.is_problem() && known.as_str() == reason);
    match (holds, problem) {
        (true, _) => ("✓", Tone::Good),
        (false, true) => ("✗", Tone::Bad),
        (false, false) => ("…", Tone::Waiting),
    }
}

fn conditions(view: &View, paint: Paint, now: Timestamp) -> String {
    let mut table = Table::new(&["CONDITION", "REASON", "FOR", "MESSAGE"]);
    for condition in &view.conditions {
        let (mark, tone) = sign(condition.holds, &condition.reason);
        table.row(vec![
            Cell(format!("{mark} {}", condition.type_), tone),
            condition.reason.clone().into(),
            age(condition.since, now).into(),
            condition.message.clone().into(),
        ]);
    }
    table.draw(paint)
}

fn children(view: &View, paint: Paint, now: Timestamp) -> String {
    let mut table = Table::new(&["OBJECT", "READY", "AGE", "DETAILS"]);
    table.row(vec![format!("ChatCluster/{}", view.name).into()]);
    branches(&view.children, "", &mut table, now);
    table.draw(paint)
}

fn branches(children: &[Child], indent: &str, table: &mut Table, now: Timestamp) {
    for (i, child) in children.iter().enumerate() {
        let last = i + 1 == children.len();
        let (mark, tone) = match child.state {
            State::Ready => ("✓", Tone::Plain),
            State::Waiting => ("…", Tone::Waiting),
            State::Failed => ("✗", Tone::Bad),
            State::Unknown => ("·", Tone::Plain),
        };
        let verified = match child.verified {
            Some(true) => Some("verified"),
            Some(false) => Some("NOT SEEN on the backplane"),
            None => None,
        };
        let details: Vec<&str> =
            verified.into_iter().chain([child.detail.as_str()]).filter(|text| !text.is_empty()).collect();
        let branch = if last { "└─" } else { "├─" };
        table.row(vec![
            Cell(format!("{indent}{branch} {mark} {}/{}", child.kind, child.name), tone),
            Cell(child.ready.clone(), tone),
            child.created.map(|created| age(created, now)).unwrap_or_default().into(),
            Cell(details.join(", "), if child.verified == Some(false) { Tone::Bad } else { tone }),
        ]);
        branches(&child.children, &format!("{indent}{}", if last { "   " } else { "│  " }), table, now);
    }
}

fn pending(view: &View, paint: Paint) -> String {
    let title = format!("Held back, until {}:\n", pending::until(view.paused, &view.name));
    title + &pending::changes(&view.pending, paint)
}

fn events(view: &View, paint: Paint, now: Timestamp) -> String {
    if view.events.is_empty() {
        return "no events: Kubernetes forgets them after an hour\n".to_owned();
    }
    let mut table = Table::new(&["EVENT", "AGE", "MESSAGE"]);
    for event in &view.events {
        let times = if event.times > 1 { format!(" (x{})", event.times) } else { String::new() };
        table.row(vec![
            Cell(event.reason.clone(), if event.warning { Tone::Bad } else { Tone::Plain }),
            event.at.map(|at| age(at, now)).unwrap_or_default().into(),
            format!("{}{times}", event.message).into(),
        ]);
    }
    table.draw(paint)
}
