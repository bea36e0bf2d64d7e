//! As much of a SignalR client as a test of hubs needs: negotiation, JSON protocol, WebSocket, over a port-forward.
//! The protocol: <https://github.com/dotnet/aspnetcore/tree/main/src/SignalR/docs/specs>.

use std::collections::VecDeque;
use std::time::Duration;

use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::cluster::Cluster;
use crate::forward;

/// Ends every record of the protocol.
const END: char = '\u{1e}';
/// How long a hub may take to answer one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where hubs are.
pub(super) struct At<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) port: u16,
    pub(super) path: &'a str,
}

impl At<'_> {
    /// Asks for a connection: the token to make it with; inside, why this is no SignalR; outside, why it cannot be asked.
    pub(super) async fn negotiate(&self, pod: &str) -> Result<Result<String, String>, String> {
        let asked = timeout(PATIENCE, self.post(pod, "/negotiate?negotiateVersion=1")).await;
        let (status, body) = asked.map_err(|_| "no answer in time".to_owned())??;
        if status != StatusCode::OK {
            return Ok(Err(refusal(status, self.path)));
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = answer["connectionToken"].as_str().or_else(|| answer["connectionId"].as_str());
        Ok(token.map(str::to_owned).ok_or_else(|| {
            format!("the hubs do not speak SignalR at {0}: POST {0}/negotiate gives no connection", self.path)
        }))
    }

    async fn post(&self, pod: &str, what: &str) -> Result<(StatusCode, Bytes), String> {
        let stream = forward::connect(self.cluster, pod, self.port).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| format!("no HTTP: {e}"))?;
        tokio::spawn(connection);
        let request = Request::post(format!("{}{what}", self.path))
            .header("host", "localhost")
            .header("connection", "close")
            .header("content-length", "0")
            .body(Empty::<Bytes>::new())
            .map_err(|e| e.to_string())?;
        let answer = sender.send_request(request).await.map_err(|e| format!("no answer: {e}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|e| format!("a broken answer: {e}"))?;
        Ok((status, body.to_bytes()))
    }

    /// A client at that pod, past its handshake.
    pub(super) async fn connect(&self, pod: &str, patience: Duration) -> Result<Client, String> {
        let connected = timeout(patience, async {
            let token = self.negotiate(pod).await??;
            let stream = forward::connect(self.cluster, pod, self.port).await.map_err(|e| e.to_string())?;
            let url = format!("ws://localhost{}?id={token}", self.path);
            let (socket, _) = client_async(url, stream).await.map_err(|e| format!("no WebSocket: {e}"))?;
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

/// What to say of hubs that give no connection.
fn refusal(status: StatusCode, path: &str) -> String {
    if status == StatusCode::UNAUTHORIZED {
        "the hubs let only clients with a token in (hub.auth), and this test has none".to_owned()
    } else {
        format!("the hubs do not speak SignalR at {path}: POST {path}/negotiate is answered with {status}")
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
        assert!(refusal(StatusCode::UNAUTHORIZED, "/hub").contains("hub.auth"));
        assert!(refusal(StatusCode::NOT_FOUND, "/hub").contains("do not speak SignalR at /hub"));
    }

    #[test]
    fn a_frame_may_hold_several_records_and_pings_are_dropped() {
        let got = records("{}\u{1e}{\"type\":6}\u{1e}{\"type\":1,\"target\":\"welcome\"}\u{1e}");

        assert_eq!(got, [json!({}), json!({"type": 1, "target": "welcome"})]);
    }
}
