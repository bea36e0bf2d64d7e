//! The result of a verification, as a plain value and as text.

use serde::Serialize;

use crate::output::SHAPE;
use crate::text::{Cell, Paint, Table, Tone};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    api_version: &'static str,
    kind: &'static str,
    namespace: String,
    name: String,
    /// The answer: the operator says so, and if messages could be tested, they crossed
    pub(super) verified: bool,
    operator: OperatorSays,
    messages: Messages,
}

#[derive(Debug, Serialize)]
pub(super) struct OperatorSays {
    pub(super) verified: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

/// The result of the test with messages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Messages {
    tested: bool,
    /// The reason why no message was sent
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Whether each message arrived at every hub
    crossed: bool,
    hubs: Vec<Hub>,
}

/// A hub, and the hubs at which the message that was sent through it arrived.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hub {
    pub(super) pod: String,
    pub(super) heard_at: Vec<Heard>,
    pub(super) not_heard_at: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Heard {
    pub(super) pod: String,
    /// The time from here to one hub and from the other back to here, both by way of the API server
    pub(super) milliseconds: f64,
}

impl Hub {
    pub(super) fn failed(pod: &str, why: impl Into<String>) -> Self {
        Self { pod: pod.to_owned(), heard_at: Vec::new(), not_heard_at: Vec::new(), error: Some(why.into()) }
    }

    fn crossed(&self) -> bool {
        self.error.is_none() && self.not_heard_at.is_empty()
    }
}

impl Messages {
    pub(super) fn untested(why: &str) -> Self {
        Self { tested: false, why: Some(why.to_owned()), crossed: false, hubs: Vec::new() }
    }

    pub(super) fn tested(hubs: Vec<Hub>) -> Self {
        Self { tested: true, why: None, crossed: hubs.iter().all(Hub::crossed), hubs }
    }

    pub(super) fn failed(pod: &str, why: String) -> Self {
        Self::tested(vec![Hub::failed(pod, why)])
    }
}

impl Report {
    pub(super) fn new(namespace: String, name: String, operator: OperatorSays, messages: Messages) -> Self {
        let verified = operator.verified && (messages.crossed || !messages.tested);
        let (api_version, kind) = (SHAPE, "ChatClusterVerification");
        Self { api_version, kind, namespace, name, verified, operator, messages }
    }

    pub(super) fn draw(&self, paint: Paint) -> String {
        let mark = |holds| if holds { paint.paint(Tone::Good, "✓") } else { paint.paint(Tone::Bad, "✗") };
        let OperatorSays { verified, reason, message } = &self.operator;
        let says = format!("{} the operator says {reason}: {message}\n", mark(*verified));
        let Messages { tested, why, crossed, hubs } = &self.messages;
        if !tested {
            let why = why.as_deref().unwrap_or_default();
            return says + &format!("- no message was sent, only the operator was asked: {why}\n");
        }
        let sum = match (crossed, hubs.len()) {
            (true, 1) => "a message came back from the only hub".to_owned(),
            (true, n) => {
                format!("messages cross: the message sent through each of {n} hubs reached every hub")
            }
            (false, _) => "messages do not cross".to_owned(),
        };
        let mut table = Table::new(&["SENT THROUGH", "RECEIVED AT", "AFTER"]);
        for hub in hubs {
            hub.rows(&mut table);
        }
        let (mark, table, note) = (mark(*crossed), table.draw(paint), paint.paint(Tone::Faint, NOTE));
        format!("{says}{mark} {sum}\n\n{table}\n{note}")
    }
}

const NOTE: &str = "the times include the way through the API server, to one hub and back from the other\n";

impl Hub {
    fn rows(&self, table: &mut Table) {
        if let Some(error) = &self.error {
            table.row(vec![
                self.pod.clone().into(),
                Cell("ERROR".into(), Tone::Bad),
                Cell(error.clone(), Tone::Bad),
            ]);
        }
        for heard in &self.heard_at {
            let after = format!("{:.1} ms", heard.milliseconds);
            table.row(vec![self.pod.clone().into(), heard.pod.clone().into(), after.into()]);
        }
        for deaf in &self.not_heard_at {
            table.row(vec![
                self.pod.clone().into(),
                deaf.clone().into(),
                Cell("NOT RECEIVED".into(), Tone::Bad),
            ]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(verified: bool) -> OperatorSays {
        let reason = if verified { "Verified" } else { "HubNotSubscribed" };
        OperatorSays {
            verified,
            reason: reason.into(),
            message: "every ready hub is subscribed on Redis".into(),
        }
    }

    fn hub(pod: &str, heard_at: &[(&str, f64)], not_heard_at: &[&str]) -> Hub {
        Hub {
            pod: pod.into(),
            heard_at: heard_at
                .iter()
                .map(|(pod, ms)| Heard { pod: (*pod).into(), milliseconds: *ms })
                .collect(),
            not_heard_at: not_heard_at.iter().map(|pod| (*pod).to_owned()).collect(),
            error: None,
        }
    }

    fn report(operator: OperatorSays, messages: Messages) -> Report {
        Report::new("town".into(), "lobby".into(), operator, messages)
    }

    #[test]
    fn messages_that_cross_are_shown_with_their_times() {
        let hubs = vec![
            hub("hub-a", &[("hub-a", 1.0), ("hub-b", 2.34)], &[]),
            hub("hub-b", &[("hub-a", 3.0), ("hub-b", 1.0)], &[]),
        ];

        let report = report(says(true), Messages::tested(hubs));

        assert!(report.verified);
        assert_eq!(
            report.draw(Paint::NEVER),
            format!(
                "✓ the operator says Verified: every ready hub is subscribed on Redis\n\
                 ✓ messages cross: the message sent through each of 2 hubs reached every hub\n\n\
                 SENT THROUGH  RECEIVED AT  AFTER\n\
                 hub-a         hub-a        1.0 ms\n\
                 hub-a         hub-b        2.3 ms\n\
                 hub-b         hub-a        3.0 ms\n\
                 hub-b         hub-b        1.0 ms\n\n{NOTE}"
            )
        );
    }

    #[test]
    fn one_message_that_is_not_heard_outweighs_the_operators_word() {
        let hubs = vec![hub("hub-a", &[("hub-a", 1.0)], &["hub-b"])];

        let report = report(says(true), Messages::tested(hubs));

        assert!(!report.verified);
        let text = report.draw(Paint::NEVER);
        assert!(
            text.contains("✗ messages do not cross") && text.contains("hub-b        NOT RECEIVED"),
            "{text}"
        );
    }

    #[test]
    fn hubs_that_speak_something_else_are_taken_at_the_operators_word() {
        let report = report(says(true), Messages::untested("404 Not Found"));

        assert!(report.verified);
        assert!(report.draw(Paint::NEVER).contains("only the operator was asked: 404 Not Found"));
    }

    #[test]
    fn the_operators_no_is_a_no_though_messages_cross() {
        let report = report(says(false), Messages::tested(vec![hub("hub-a", &[("hub-a", 1.0)], &[])]));

        assert!(!report.verified);
    }
}
