//! Changes that the operator holds back, as text.

use crate::model::Pending;
use crate::text::{Cell, Paint, Table, Tone};

/// The event after which the held changes will be applied.
pub(crate) fn until(paused: bool, name: &str) -> String {
    if paused {
        format!("kubectl chat resume {name}")
    } else {
        "the operator no longer holds changes back".to_owned()
    }
}

/// The changes as a table.
pub(crate) fn changes(pending: &[Pending], paint: Paint) -> String {
    let mut table = Table::default();
    for change in pending {
        let tone = match change.action.as_str() {
            "Delete" | "Recreate" => Tone::Bad,
            _ => Tone::Waiting,
        };
        table.row(vec![
            Cell(format!("  {}", change.action), tone),
            change.child.clone().into(),
            change.restarts.as_ref().map(|part| format!("restarts {part}")).unwrap_or_default().into(),
            change.fields.join(", ").into(),
        ]);
    }
    table.draw(paint)
}
