//! A client of a hub: it invokes the hub's methods, and collects the hub's calls.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use signalr::encoding::Encoding;
use signalr::record::{CompletionResult, Record};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::event::{Call, Event, event};
use crate::socket::Socket;

/// The interval of pings, as of the npm client: hubs end a connection that is silent for longer than twice
/// that time.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A connection to a hub, past its handshake. A task of its own reads and writes, until the client is
/// dropped.
#[derive(Debug)]
pub struct Client {
    encoding: Encoding,
    outgoing: UnboundedSender<Record>,
    incoming: UnboundedReceiver<Result<Event, Error>>,
    /// Calls that arrived while something else was waited for
    calls: VecDeque<Call>,
    invocations: u64,
    /// The reason why the connection has ended
    end: Option<Error>,
}

impl Client {
    /// Connects to a hub over `stream`; `token` is that of [`negotiate`](crate::negotiate), if there was a
    /// negotiation.
    ///
    /// # Errors
    /// [`Error::Upgrade`], [`Error::Handshake`], [`Error::Timeout`], or the reason why the connection ended.
    pub async fn connect<S>(
        stream: S,
        endpoint: &Endpoint,
        token: Option<&str>,
        encoding: Encoding,
        deadline: Instant,
    ) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connected = timeout_at(deadline, async {
            let mut socket = Socket::open(stream, endpoint, token).await?;
            socket.shake_hands(encoding).await?;
            Ok::<_, Error>(socket)
        });
        let socket = connected.await.map_err(|_| Error::Timeout("the connection".to_owned()))??;
        let (outgoing, to_send) = unbounded_channel();
        let (received, incoming) = unbounded_channel();
        tokio::spawn(carry(socket, to_send, received));
        Ok(Self { encoding, outgoing, incoming, calls: VecDeque::new(), invocations: 0, end: None })
    }

    /// Invokes a method of the hub with arguments, a tuple or an array, and waits for its result.
    ///
    /// # Errors
    /// [`Error::Invocation`] if the method failed, [`Error::Timeout`], or the reason why the connection
    /// ended.
    pub async fn invoke<A: Serialize>(
        &mut self,
        method: &str,
        arguments: &A,
        deadline: Instant,
    ) -> Result<Option<Value>, Error> {
        self.invocations += 1;
        let invocation = self.invocations.to_string();
        // A connection that has ended is noticed by reading.
        let _ = self.outgoing.send(self.encoding.invocation(Some(&invocation), method, arguments));
        loop {
            match self.next(deadline, || format!("the answer to {method}")).await? {
                Event::Completion(id, outcome) if id == invocation => {
                    return outcome.map_err(|error| Error::Invocation { method: method.to_owned(), error });
                }
                // The answer to an invocation that is no longer waited for.
                Event::Completion(..) => {}
                Event::Invocation { call, .. } => self.calls.push_back(call),
            }
        }
    }

    /// Waits for a call of the hub that fits. Calls that do not fit are kept for later.
    ///
    /// # Errors
    /// [`Error::Timeout`], or the reason why the connection ended.
    pub async fn call(&mut self, deadline: Instant, fits: impl Fn(&Call) -> bool) -> Result<Call, Error> {
        let kept = self.calls.iter().position(&fits);
        if let Some(call) = kept.and_then(|index| self.calls.remove(index)) {
            return Ok(call);
        }
        loop {
            match self.next(deadline, || "a call of the hub".to_owned()).await? {
                Event::Invocation { call, .. } if fits(&call) => return Ok(call),
                Event::Invocation { call, .. } => self.calls.push_back(call),
                Event::Completion(..) => {}
            }
        }
    }

    /// True if the hub has called this method, and nobody has taken the call yet.
    pub fn was_called(&self, target: &str) -> bool {
        self.calls.iter().any(|call| call.target == target)
    }

    async fn next(&mut self, deadline: Instant, awaited: impl FnOnce() -> String) -> Result<Event, Error> {
        if let Some(end) = &self.end {
            return Err(end.clone());
        }
        let event = match timeout_at(deadline, self.incoming.recv()).await {
            Ok(Some(event)) => event,
            Ok(None) => Err(Error::Broken("its task has ended".to_owned())),
            Err(_) => return Err(Error::Timeout(awaited())),
        };
        event.inspect_err(|error| self.end = Some(error.clone()))
    }
}

/// Carries records between the client and the hub, and sends pings, until either is gone.
async fn carry<S>(
    mut socket: Socket<S>,
    mut outgoing: UnboundedReceiver<Record>,
    incoming: UnboundedSender<Result<Event, Error>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let encoding = socket.encoding();
    let mut pings = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let to_send = tokio::select! {
            record = socket.next() => {
                let received = record.and_then(|record| event(encoding, &record, Instant::now()));
                let answer = match &received {
                    Ok(Some(Event::Invocation { id: Some(id), call })) => Some(no_answer(encoding, id, call)),
                    _ => None,
                };
                let has_ended = received.is_err();
                let is_heard = received.transpose().is_none_or(|event| incoming.send(event).is_ok());
                if has_ended || !is_heard {
                    break;
                }
                answer
            }
            record = outgoing.recv() => match record {
                Some(record) => Some(record),
                None => break,
            },
            _ = pings.tick() => Some(encoding.ping()),
        };
        if let Some(record) = to_send
            && let Err(error) = socket.send(record.into_bytes()).await
        {
            let _ = incoming.send(Err(error));
            break;
        }
    }
    socket.close().await;
}

/// The answer to a call whose result the hub waits for: this client has no methods that give one.
fn no_answer(encoding: Encoding, id: &str, call: &Call) -> Record {
    encoding
        .completion::<()>(id, &CompletionResult::Error(format!("this client has no method {}", call.target)))
}
