//! A client of `SignalR` as small as it gets: JSON protocol, WebSocket without negotiation, blocking.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// Ends every record of the protocol.
const END: char = '\u{1e}';

/// A connection to a hub, past its handshake.
pub(crate) struct Client {
    socket: WebSocket<TcpStream>,
    inbox: VecDeque<Value>,
    calls: u32,
    /// Who serves it, as the hub's welcome says
    pub(crate) pod: String,
}

impl Client {
    /// Connects to `http://HOST[:PORT]/PATH` and waits to be welcomed.
    pub(crate) fn connect(url: &str, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        let bare = url.strip_prefix("http://").context("the address must begin with http://")?;
        let host = bare.split('/').next().unwrap_or_default();
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address = host.to_socket_addrs()?.next().with_context(|| format!("{host} has no address"))?;
        let stream = TcpStream::connect_timeout(&address, patience)
            .with_context(|| format!("cannot connect to {host}"))?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        let (socket, _) = tungstenite::client(format!("ws://{bare}"), stream)?;
        let mut client = Self { socket, inbox: VecDeque::new(), calls: 0, pod: String::new() };
        client.write(&json!({"protocol": "json", "version": 1}))?;
        let answer = client.next(deadline)?;
        if let Some(error) = answer.get("error") {
            bail!("the hub refuses the handshake: {error}");
        }
        let welcome = client.until(deadline, |m| m["target"] == "welcome")?;
        let pod = welcome["arguments"][0]["pod"].as_str();
        client.pod = pod.context("the hub's welcome names no pod")?.into();
        Ok(client)
    }

    /// Calls a method of the hub and waits for its completion.
    pub(crate) fn call(&mut self, method: &str, arguments: &Value, deadline: Instant) -> Result<()> {
        self.calls += 1;
        let id = self.calls.to_string();
        self.write(&json!({"type": 1, "invocationId": id, "target": method, "arguments": arguments}))?;
        let done = self.until(deadline, |m| m["type"] == 3 && m["invocationId"] == id.as_str())?;
        match done.get("error") {
            Some(error) => bail!("{method} failed: {error}"),
            None => Ok(()),
        }
    }

    /// The next record that fits; what comes before it is kept for later calls.
    pub(crate) fn until(&mut self, deadline: Instant, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let kept = self.inbox.iter().position(&fits).and_then(|i| self.inbox.remove(i));
        if let Some(record) = kept {
            return Ok(record);
        }
        let mut passed = VecDeque::new();
        let found = loop {
            match self.next(deadline) {
                Ok(record) if fits(&record) => break Ok(record),
                Ok(record) => passed.push_back(record),
                Err(e) => break Err(e),
            }
        };
        passed.append(&mut self.inbox); // the rest of the last frame, in order
        self.inbox = passed;
        found
    }

    fn next(&mut self, deadline: Instant) -> Result<Value> {
        loop {
            if let Some(record) = self.inbox.pop_front() {
                if record["type"] == 7 {
                    bail!(
                        "the hub ends the connection: {}",
                        record["error"].as_str().unwrap_or("no reason given")
                    );
                }
                return Ok(record);
            }
            let left = deadline
                .checked_duration_since(Instant::now())
                .filter(|d| !d.is_zero())
                .context("nothing came in time")?;
            self.socket.get_ref().set_read_timeout(Some(left))?;
            match self.socket.read().context("the connection ended, or nothing came in time")? {
                Message::Text(text) => self.inbox.extend(records(&text)?),
                Message::Close(_) => bail!("the hub closed the connection"),
                _ => {}
            }
        }
    }

    fn write(&mut self, record: &Value) -> Result<()> {
        self.socket.send(Message::text(format!("{record}{END}"))).context("the connection ended")
    }
}

/// The records of one frame, without pings.
fn records(frame: &str) -> Result<Vec<Value>> {
    let parse =
        |r: &str| serde_json::from_str::<Value>(r).with_context(|| format!("the hub sent no JSON: {r}"));
    let all: Vec<Value> = frame.split_terminator(END).map(parse).collect::<Result<_>>()?;
    Ok(all.into_iter().filter(|r| r["type"] != 6).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_may_hold_several_records_and_pings_are_dropped() {
        let got = records("{}\u{1e}{\"type\":6}\u{1e}{\"type\":1,\"target\":\"welcome\"}\u{1e}").unwrap();
        assert_eq!(got, [json!({}), json!({"type": 1, "target": "welcome"})]);
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(records("hello\u{1e}").is_err());
    }
}
