//! The answer to `POST /hub/negotiate` (`TransportProtocols.md`): the ways to connect.

use serde::Serialize;

/// The latest version of negotiation that this hub supports.
const LATEST: u32 = 1;

/// The answer to a negotiation.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Negotiation {
    negotiate_version: u32,
    connection_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_token: Option<String>,
    available_transports: [Transport; 3],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    use_stateful_reconnect: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Transport {
    transport: &'static str,
    transfer_formats: &'static [&'static str],
}

/// The transports, in the order in which clients try them.
const TRANSPORTS: [Transport; 3] = [
    Transport { transport: "WebSockets", transfer_formats: &["Text", "Binary"] },
    Transport { transport: "ServerSentEvents", transfer_formats: &["Text"] },
    Transport { transport: "LongPolling", transfer_formats: &["Text", "Binary"] },
];

impl Negotiation {
    /// The answer to a client that supports versions up to `wanted`. Version 0 has no token: the client shows
    /// the id instead, so the id is then `token`.
    pub fn new(wanted: u32, id: String, token: String, use_stateful_reconnect: bool) -> Self {
        let negotiate_version = wanted.min(LATEST);
        let (connection_id, connection_token) =
            if negotiate_version > 0 { (id, Some(token)) } else { (token, None) };
        Self {
            negotiate_version,
            connection_id,
            connection_token,
            available_transports: TRANSPORTS,
            use_stateful_reconnect: use_stateful_reconnect && negotiate_version > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(wanted: u32, stateful: bool) -> String {
        serde_json::to_string(&Negotiation::new(wanted, "id".into(), "token".into(), stateful)).unwrap()
    }

    const TRANSPORTS: &str = concat!(
        r#""availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]},"#,
        r#"{"transport":"ServerSentEvents","transferFormats":["Text"]},"#,
        r#"{"transport":"LongPolling","transferFormats":["Text","Binary"]}]"#
    );

    #[test]
    fn version_0_has_the_token_for_its_id() {
        let expected = format!(r#"{{"negotiateVersion":0,"connectionId":"token",{TRANSPORTS}}}"#);

        assert_eq!(json(0, false), expected);
        assert_eq!(json(0, true), expected);
    }

    #[test]
    fn version_1_has_both_and_later_clients_get_it_too() {
        let expected =
            format!(r#"{{"negotiateVersion":1,"connectionId":"id","connectionToken":"token",{TRANSPORTS}}}"#);

        assert_eq!(json(1, false), expected);
        assert_eq!(json(2, false), expected);
        assert_eq!(json(1, true), expected.replace("}]}", r#"}],"useStatefulReconnect":true}"#));
    }
}
