//! What `POST /hub/negotiate` answers (`TransportProtocols.md`): the ways to connect.

use serde::Serialize;

/// The latest version of negotiation that this hub speaks.
const LATEST: u32 = 1;

/// The answer to a negotiation.
///
/// The hub keeps nothing for it: the WebSocket may well come to another pod, for a load balancer decides anew. So
/// the token is the connection's id, which whichever pod gets it takes over; it gives access to nothing.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Negotiation {
    negotiate_version: u32,
    connection_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_token: Option<String>,
    available_transports: [Transport; 1],
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Transport {
    transport: &'static str,
    transfer_formats: [&'static str; 1],
}

impl Negotiation {
    /// For a client that speaks up to version `wanted`.
    pub fn new(wanted: u32, connection_id: String) -> Self {
        let negotiate_version = wanted.min(LATEST);
        Self {
            negotiate_version,
            connection_token: (negotiate_version > 0).then(|| connection_id.clone()),
            connection_id,
            available_transports: [Transport { transport: "WebSockets", transfer_formats: ["Text"] }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(wanted: u32) -> String {
        serde_json::to_string(&Negotiation::new(wanted, "id".into())).unwrap()
    }

    const TRANSPORTS: &str =
        r#""availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]"#;

    #[test]
    fn version_0_has_no_token() {
        assert_eq!(json(0), format!(r#"{{"negotiateVersion":0,"connectionId":"id",{TRANSPORTS}}}"#));
    }

    #[test]
    fn version_1_has_one_and_later_clients_get_it_too() {
        let expected =
            format!(r#"{{"negotiateVersion":1,"connectionId":"id","connectionToken":"id",{TRANSPORTS}}}"#);

        assert_eq!(json(1), expected);
        assert_eq!(json(2), expected);
    }
}
