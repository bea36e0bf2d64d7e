//! Negotiation (`TransportProtocols.md`), as a client begins it: a request by HTTP, whose answer names the
//! connection.

use serde::Deserialize;

/// The path and query to which a client posts an empty body, for the hub at `path`.
pub fn request_target(path: &str) -> String {
    format!("{path}/negotiate?negotiateVersion=1")
}

/// The path and query of a WebSocket of the hub at `path`, for the connection with this token. Without a
/// token the client skips the negotiation.
pub fn connection_target(path: &str, token: Option<&str>) -> String {
    match token {
        Some(token) => format!("{path}?id={token}"),
        None => path.to_owned(),
    }
}

/// The token of the connection in the body of the hub's answer; `None` if the answer is none of a hub.
pub fn connection_token(answer: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        connection_token: Option<String>,
        /// Version 0 has no token: there the id takes its place.
        connection_id: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    answer.connection_token.or(answer.connection_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiate::Negotiation;

    #[test]
    fn the_hubs_answer_names_the_connection_in_either_version() {
        for version in [0, 1] {
            let answer = Negotiation::new(version, "id".into(), "token".into(), false);
            let answer = serde_json::to_vec(&answer).unwrap();

            assert_eq!(connection_token(&answer).as_deref(), Some("token"), "version {version}");
        }
    }

    #[test]
    fn any_other_answer_names_none() {
        for other in ["", "not found", "{}", "{\"connectionId\":7}"] {
            assert_eq!(connection_token(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn the_token_of_the_connection_goes_into_the_query() {
        assert_eq!(request_target("/hub"), "/hub/negotiate?negotiateVersion=1");
        assert_eq!(connection_target("/hub", Some("abc")), "/hub?id=abc");
        assert_eq!(connection_target("/hub", None), "/hub");
    }
}
