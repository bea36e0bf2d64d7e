//! As much of a SignalR client as a test of hubs needs: negotiation, JSON protocol, WebSocket, over a port-forward.
//! The protocol: <https://github.com/dotnet/aspnetcore/tree/main/src/SignalR/docs/specs>.

use std::collections::VecDeque;
use std::time::Duration;

use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::AUTHORIZATION;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::token::Token;
use crate::cluster::Cluster;
use crate::forward;

/// Ends every record of the protocol.
const END: char = '\u{1e}';
/// How long a hub may take to answer one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most characters of a hub's reason that are shown.
const MOST_SAID: usize = 200;

/// Where hubs are.
pub(super) struct At<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) port: u16,
    pub(super) path: &'a str,
    /// What to show to hubs that ask for one
    pub(super) token: Option<&'a Token>,
}

impl At<'_> {
    /// Asks for a connection: the token to make it with; inside, why this is no SignalR; outside, why it cannot be asked.
    pub(super) async fn negotiate(&self, pod: &str) -> Result<Result<String, String>, String> {
        let asked = timeout(PATIENCE, self.post(pod)).await;
        let (status, body) = asked.map_err(|_| "no answer in time".to_owned())??;
        match (status, self.token) {
            (StatusCode::OK, _) => {}
            // Whoever shows a token wants messages to be tested: that they are not is no word of the operator's to trust.
            (StatusCode::UNAUTHORIZED, Some(token)) => return Err(refused_token(token, &body)),
            _ => return Ok(Err(refusal(status, self.path))),
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = answer["connectionToken"].as_str().or_else(|| answer["connectionId"].as_str());
        Ok(token.map(str::to_owned).ok_or_else(|| {
            format!("the hubs do not speak SignalR at {0}: POST {0}/negotiate gives no connection", self.path)
        }))
    }

    async fn post(&self, pod: &str) -> Result<(StatusCode, Bytes), String> {
        let stream = forward::connect(self.cluster, pod, self.port).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| format!("no HTTP: {e}"))?;
        tokio::spawn(connection);
        let request = negotiation(self.path, self.token).map_err(|e| e.to_string())?;
        let answer = sender.send_request(request).await.map_err(|e| format!("no answer: {e}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|e| format!("a broken answer: {e}"))?;
        Ok((status, body.to_bytes()))
    }

    /// A client at that pod, past its handshake.
    pub(super) async fn connect(&self, pod: &str, patience: Duration) -> Result<Client, String> {
        let connected = timeout(patience, async {
            let connection = self.negotiate(pod).await??;
            let stream = forward::connect(self.cluster, pod, self.port).await.map_err(|e| e.to_string())?;
            let no_websocket = |e| format!("no WebSocket: {e}");
            let upgrade = upgrade(self.path, &connection, self.token).map_err(no_websocket)?;
            let (socket, _) = client_async(upgrade, stream).await.map_err(no_websocket)?;
            Ok::<_, String>(socket)
        });
        let socket = connected.await.map_err(|_| "no connection in time".to_owned())??;
        let mut client = Client::new(pod, socket);
        client.write(&json!({"protocol": "json", "version": 1})).await?;
        // The answer to the handshake is the one record without a type.
        let (answer, _) = client.until(Instant::now() + patience, |m| m.get("type").is_none()).await?;
        match answer.get("error") {
            Some(error) => Err(format!("the hub refuses the handshake: {error}")),
            None => Ok(client),
        }
    }
}

fn negotiation(path: &str, token: Option<&Token>) -> hyper::http::Result<Request<Empty<Bytes>>> {
    let mut request = Request::post(format!("{path}/negotiate?negotiateVersion=1"))
        .header("host", "localhost")
        .header("connection", "close")
        .header("content-length", "0");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, token.header());
    }
    request.body(Empty::new())
}

fn upgrade(path: &str, connection: &str, token: Option<&Token>) -> tungstenite::Result<Request<()>> {
    let mut request = format!("ws://localhost{path}?id={connection}").into_client_request()?;
    if let Some(token) = token {
        request.headers_mut().insert(AUTHORIZATION, token.header());
    }
    Ok(request)
}

/// What to say of hubs that give no connection.
fn refusal(status: StatusCode, path: &str) -> String {
    if status == StatusCode::UNAUTHORIZED {
        "the hubs let only clients with a token in (hub.auth): write a valid one into a file, and name it with --token-file"
            .to_owned()
    } else {
        format!("the hubs do not speak SignalR at {path}: POST {path}/negotiate is answered with {status}")
    }
}

/// What to say of hubs that refuse a token: their reason, as far as it is one for people.
fn refused_token(token: &Token, body: &[u8]) -> String {
    let file = token.file();
    let remedy = "write one that is valid now into it";
    let reason = std::str::from_utf8(body).unwrap_or_default().lines().next().unwrap_or_default();
    match reason.trim() {
        "" => format!("the hub refuses the token in {file}: {remedy}"),
        reason if reason.chars().count() > MOST_SAID || reason.starts_with(['<', '{']) => {
            format!("the hub refuses the token in {file}: {remedy}")
        }
        reason => format!("the hub refuses the token in {file}: {remedy}. It says: {reason}"),
    }
}

/// A connection to one hub. Records are stamped as they come, however late they are asked for.
pub(super) struct Client {
    /// The pod that it is connected to
    pub(super) pod: String,
    out: SplitSink<WebSocketStream<DuplexStream>, Message>,
    inbox: mpsc::UnboundedReceiver<(Value, Instant)>,
    /// What came while something else was waited for
    kept: VecDeque<(Value, Instant)>,
    calls: u32,
}

impl Client {
    fn new(pod: &str, socket: WebSocketStream<DuplexStream>) -> Self {
        let (out, mut frames) = socket.split();
        let (tell, inbox) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = frames.next().await {
                let Message::Text(text) = frame else { continue };
                let now = Instant::now();
                for record in records(&text) {
                    if tell.send((record, now)).is_err() {
                        return;
                    }
                }
            }
        });
        Self { pod: pod.to_owned(), out, inbox, kept: VecDeque::new(), calls: 0 }
    }

    /// Calls a method of the hub, and waits for its completion.
    pub(super) async fn call(
        &mut self,
        method: &str,
        arguments: &Value,
        deadline: Instant,
    ) -> Result<(), String> {
        self.calls += 1;
        let id = self.calls.to_string();
        self.write(&json!({"type": 1, "invocationId": id, "target": method, "arguments": arguments})).await?;
        let done = |m: &Value| m["type"] == 3 && m["invocationId"] == id.as_str();
        let (answer, _) = self.until(deadline, done).await?;
        match answer.get("error") {
            Some(error) => Err(format!("{method} failed: {error}")),
            None => Ok(()),
        }
    }

    /// The next record that fits, and when it came; those before it are kept for later.
    pub(super) async fn until(
        &mut self,
        deadline: Instant,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<(Value, Instant), String> {
        let kept = self.kept.iter().position(|(record, _)| fits(record));
        if let Some(found) = kept.and_then(|i| self.kept.remove(i)) {
            return Ok(found);
        }
        loop {
            match timeout_at(deadline, self.inbox.recv()).await {
                Ok(Some(found)) if fits(&found.0) => return Ok(found),
                Ok(Some((close, _))) if close["type"] == 7 => {
                    return Err(format!(
                        "the hub ends the connection: {}",
                        close["error"].as_str().unwrap_or("no reason given")
                    ));
                }
                Ok(Some(other)) => self.kept.push_back(other),
                Ok(None) => return Err("the connection ended".to_owned()),
                Err(_) => return Err("nothing came in time".to_owned()),
            }
        }
    }

    /// Whether the hub is one of ours: it says so to each client, before anything else.
    pub(super) fn is_welcome(&self) -> bool {
        self.kept.iter().any(|(record, _)| record["target"] == "welcome")
    }

    async fn write(&mut self, record: &Value) -> Result<(), String> {
        self.out
            .send(Message::text(format!("{record}{END}")))
            .await
            .map_err(|e| format!("the connection ended: {e}"))
    }
}

/// The records of one frame, without pings and what is no JSON.
fn records(frame: &str) -> Vec<Value> {
    let parsed = frame.split_terminator(END).filter_map(|record| serde_json::from_str::<Value>(record).ok());
    parsed.filter(|record| record["type"] != 6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubs_that_want_a_token_are_told_from_those_that_speak_no_signalr() {
        let unauthorized = refusal(StatusCode::UNAUTHORIZED, "/hub");
        assert!(unauthorized.contains("hub.auth") && unauthorized.contains("--token-file"), "{unauthorized}");
        assert!(refusal(StatusCode::NOT_FOUND, "/hub").contains("do not speak SignalR at /hub"));
    }

    #[test]
    fn a_token_is_shown_with_both_requests_and_never_in_an_address() {
        let token = Token::of("eyJh");

        let (post, get) =
            (negotiation("/hub", Some(&token)).unwrap(), upgrade("/hub", "c", Some(&token)).unwrap());

        assert_eq!([post.uri().path(), get.uri().path()], ["/hub/negotiate", "/hub"]);
        for (headers, uri) in [(post.headers(), post.uri()), (get.headers(), get.uri())] {
            assert_eq!(headers[AUTHORIZATION], "Bearer eyJh");
            assert!(!uri.to_string().contains("eyJh"), "{uri}");
        }
        assert!(!negotiation("/hub", None).unwrap().headers().contains_key(AUTHORIZATION));
        assert!(!upgrade("/hub", "c", None).unwrap().headers().contains_key(AUTHORIZATION));
    }

    #[test]
    fn a_refused_token_is_told_with_the_hubs_reason_if_it_is_for_people() {
        let token = Token::of("eyJh");
        let said = |body: &str| refused_token(&token, body.as_bytes());

        assert!(
            said("it has expired\nmore")
                .ends_with("write one that is valid now into it. It says: it has expired")
        );
        for body in ["", "<html>Unauthorized</html>", "{\"error\": 1}", &"x".repeat(MOST_SAID + 1)] {
            assert!(said(body).ends_with("into it"), "{body}");
        }
    }

    #[test]
    fn a_frame_may_hold_several_records_and_pings_are_dropped() {
        let got = records("{}\u{1e}{\"type\":6}\u{1e}{\"type\":1,\"target\":\"welcome\"}\u{1e}");

        assert_eq!(got, [json!({}), json!({"type": 1, "target": "welcome"})]);
    }
}
