//! Connections to hub pods, each over port-forwards of its own.

use std::time::Duration;

use http::StatusCode;
use signalr_client::{Client, Encoding, Endpoint, Error, negotiate};
use tokio::io::DuplexStream;
use tokio::time::{Instant, timeout_at};

use super::token::Token;
use crate::cluster::Cluster;
use crate::forward;

/// The longest time that a hub may take to answer one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most characters of a hub's reason that are shown.
const MOST_SHOWN: usize = 200;

/// The hubs of a cluster.
pub(super) struct Hubs<'a> {
    cluster: &'a Cluster,
    port: u16,
    path: &'a str,
    token: Option<&'a Token>,
    endpoint: Endpoint,
}

/// The reason why there is no connection to a hub.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The hubs cannot be tested: they speak something else, or want a token that was not given
    Untestable(String),
    /// The hub fails
    Failed(String),
}

impl<'a> Hubs<'a> {
    /// Hubs that speak SignalR at `path` of `port`. A hub that wants a token is shown this one.
    pub(super) fn new(cluster: &'a Cluster, port: u16, path: &'a str, token: Option<&'a Token>) -> Self {
        let endpoint = Endpoint::new("localhost", path);
        let endpoint = match token {
            Some(token) => endpoint.with_authorization(token.header()),
            None => endpoint,
        };
        Self { cluster, port, path, token, endpoint }
    }

    /// Asks a hub for a connection. Returns the connection's token.
    pub(super) async fn negotiate(&self, pod: &str) -> Result<String, Refusal> {
        let deadline = Instant::now() + PATIENCE;
        let stream = self.forward(pod, deadline).await.map_err(Refusal::Failed)?;
        let negotiated = negotiate(stream, &self.endpoint, deadline).await;
        negotiated.map_err(|error| refusal(error, self.path, self.token))
    }

    /// Connects a client to a hub. Returns the reason if there is no connection.
    pub(super) async fn connect(&self, pod: &str) -> Result<Client, String> {
        let connection = match self.negotiate(pod).await {
            Ok(connection) => connection,
            Err(Refusal::Untestable(why) | Refusal::Failed(why)) => return Err(why),
        };
        let deadline = Instant::now() + PATIENCE;
        let stream = self.forward(pod, deadline).await?;
        let client = Client::connect(stream, &self.endpoint, Some(&connection), Encoding::Json, deadline);
        client.await.map_err(|error| error.to_string())
    }

    async fn forward(&self, pod: &str, deadline: Instant) -> Result<DuplexStream, String> {
        match timeout_at(deadline, forward::connect(self.cluster, pod, self.port)).await {
            Ok(forwarded) => forwarded.map_err(|fault| fault.to_string()),
            Err(_) => Err(format!("the port-forward to pod {pod} was not made in time")),
        }
    }
}

/// The meaning of a failed negotiation for the test.
fn refusal(error: Error, path: &str, token: Option<&Token>) -> Refusal {
    match (error, token) {
        // With a token the test is wanted: if the hub refuses it, that is a failure, and not a reason to
        // trust the operator.
        (Error::Refused { status: StatusCode::UNAUTHORIZED, body, .. }, Some(token)) => {
            Refusal::Failed(refused_token(token, &body))
        }
        (Error::Refused { status: StatusCode::UNAUTHORIZED, .. }, None) => Refusal::Untestable(
            "the hubs let only clients with a token in (hub.auth): write a valid one into a file, and name it with --token-file"
                .to_owned(),
        ),
        (Error::Refused { status, .. }, _) => Refusal::Untestable(format!(
            "the hubs do not speak SignalR at {path}: POST {path}/negotiate is answered with {status}"
        )),
        (Error::NoConnection { .. }, _) => Refusal::Untestable(format!(
            "the hubs do not speak SignalR at {path}: POST {path}/negotiate gives no connection"
        )),
        (error, _) => Refusal::Failed(error.to_string()),
    }
}

/// The message about a refused token, with the hub's reason if it is a text for people.
fn refused_token(token: &Token, body: &str) -> String {
    let refused =
        format!("the hub refuses the token in {}: write one that is valid now into it", token.file());
    match body.lines().next().unwrap_or_default().trim() {
        "" => refused,
        reason if reason.chars().count() > MOST_SHOWN || reason.starts_with(['<', '{']) => refused,
        reason => format!("{refused}. It says: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: StatusCode, body: &str, token: Option<&Token>) -> Refusal {
        let target = "/hub/negotiate?negotiateVersion=1".to_owned();
        refusal(Error::Refused { target, status, body: body.to_owned() }, "/hub", token)
    }

    #[test]
    fn hubs_that_want_a_token_are_told_from_those_that_speak_no_signalr() {
        let Refusal::Untestable(unauthorized) = refused(StatusCode::UNAUTHORIZED, "", None) else {
            panic!("the operator's word is all there is")
        };
        assert!(unauthorized.contains("hub.auth") && unauthorized.contains("--token-file"), "{unauthorized}");
        let Refusal::Untestable(other) = refused(StatusCode::NOT_FOUND, "", None) else {
            panic!("the operator's word is all there is")
        };
        assert!(other.contains("do not speak SignalR at /hub"), "{other}");
        assert!(other.contains("answered with 404 Not Found"), "{other}");
    }

    #[test]
    fn a_refused_token_is_a_failure_with_the_hubs_reason_if_it_is_for_people() {
        let token = Token::of("eyJh");
        let failed = |body: &str| match refused(StatusCode::UNAUTHORIZED, body, Some(&token)) {
            Refusal::Failed(why) => why,
            Refusal::Untestable(why) => panic!("a token is to be tested: {why}"),
        };

        assert!(
            failed("it has expired\nmore")
                .ends_with("write one that is valid now into it. It says: it has expired")
        );
        for body in ["", "<html>Unauthorized</html>", "{\"error\": 1}", &"x".repeat(MOST_SHOWN + 1)] {
            assert!(failed(body).ends_with("into it"), "{body}");
        }
    }
}
