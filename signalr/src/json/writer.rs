//! Writes messages in their JSON form, each with its separator.

use serde::Serialize;

use crate::record::{CompletionResult, Record};

/// The byte that ends every JSON record (`HubProtocol.md`, "JSON Encoding"). JSON itself never contains it
/// unescaped.
pub const RECORD_SEPARATOR: u8 = 0x1e;

/// A ping, which keeps a connection alive and carries nothing.
pub const PING: &[u8] = b"{\"type\":6}\x1e";

pub(crate) fn invocation<A: Serialize>(id: Option<&str>, target: &str, arguments: &A) -> Record {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Outgoing<'a, A> {
        #[serde(rename = "type")]
        kind: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        invocation_id: Option<&'a str>,
        target: &'a str,
        arguments: &'a A,
    }
    record(&Outgoing { kind: 1, invocation_id: id, target, arguments })
}

pub(crate) fn stream_item<T: Serialize>(id: &str, item: &T) -> Record {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct StreamItem<'a, T> {
        #[serde(rename = "type")]
        kind: u8,
        invocation_id: &'a str,
        item: &'a T,
    }
    record(&StreamItem { kind: 2, invocation_id: id, item })
}

pub(crate) fn completion<R: Serialize>(id: &str, outcome: &CompletionResult<R>) -> Record {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Completion<'a, R> {
        #[serde(rename = "type")]
        kind: u8,
        invocation_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<&'a R>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    let (result, error) = match outcome {
        CompletionResult::Void => (None, None),
        CompletionResult::Value(result) => (Some(result), None),
        CompletionResult::Error(error) => (None, Some(error.as_str())),
    };
    record(&Completion { kind: 3, invocation_id: id, result, error })
}

pub(crate) fn close(error: Option<&str>, allow_reconnect: bool) -> Record {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Close<'a> {
        #[serde(rename = "type")]
        kind: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        allow_reconnect: bool,
    }
    Record::unsequenced(text(&Close { kind: 7, error, allow_reconnect }))
}

pub(crate) fn numbered(kind: u8, sequence: u64) -> Record {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Numbered {
        #[serde(rename = "type")]
        kind: u8,
        sequence_id: u64,
    }
    Record::unsequenced(text(&Numbered { kind, sequence_id: sequence }))
}

fn record<T: Serialize>(value: &T) -> Record {
    Record::new(text(value))
}

/// Serialises `value` as JSON with its separator.
pub(crate) fn text<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("our own types always have a JSON form");
    text.push(RECORD_SEPARATOR);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_hub() {
        let written = |record: Record| String::from_utf8(record.to_vec()).unwrap();

        assert_eq!(
            written(invocation(None, "message", &["a\u{1e}\"ü"])),
            "{\"type\":1,\"target\":\"message\",\"arguments\":[\"a\\u001e\\\"ü\"]}\x1e"
        );
        assert_eq!(
            written(invocation(Some("a"), "ask", &[0_u8; 0])),
            "{\"type\":1,\"invocationId\":\"a\",\"target\":\"ask\",\"arguments\":[]}\x1e"
        );
        assert_eq!(written(stream_item("1", &7)), "{\"type\":2,\"invocationId\":\"1\",\"item\":7}\x1e");
        assert_eq!(
            written(completion("1", &CompletionResult::Value(7))),
            "{\"type\":3,\"invocationId\":\"1\",\"result\":7}\x1e"
        );
        assert_eq!(
            written(completion("1", &CompletionResult::Value(()))),
            "{\"type\":3,\"invocationId\":\"1\",\"result\":null}\x1e"
        );
        assert_eq!(
            written(completion::<()>("1", &CompletionResult::Void)),
            "{\"type\":3,\"invocationId\":\"1\"}\x1e"
        );
        assert_eq!(
            written(completion::<()>("1", &CompletionResult::Error("no".into()))),
            "{\"type\":3,\"invocationId\":\"1\",\"error\":\"no\"}\x1e"
        );
        assert_eq!(written(close(None, true)), "{\"type\":7,\"allowReconnect\":true}\x1e");
        assert_eq!(written(close(Some("no"), false)), "{\"type\":7,\"error\":\"no\"}\x1e");
        assert_eq!(written(numbered(8, 3)), "{\"type\":8,\"sequenceId\":3}\x1e");
    }
}
