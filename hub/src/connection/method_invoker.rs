//! Invokes the hub's methods for a client, and sends the completions.

use std::sync::Arc;

use serde::Serialize;
use signalr::message::Invocation;
use signalr::record::{CompletionResult, JsonText};

use super::services::ConnectionServices;
use super::streams::Streams;
use crate::admission::Admission;
use crate::chat::{Client, ConnectionHandle, JoinResult};
use crate::guards::ClientIdentity;
use crate::protocol::handover_state::{HandoverState, Subscriptions};
use crate::protocol::methods::{self, CallError, ClientCall, HubCall, Recipients, SendOptions};
use crate::protocol::names::RoomName;

/// Invokes the hub's methods for one client, and sends the completions.
pub(super) struct MethodInvoker {
    services: Arc<ConnectionServices>,
    client: Client,
    streams: Streams,
    admission: Admission,
}

impl MethodInvoker {
    /// An invoker for a client in no room.
    pub(super) fn new(services: Arc<ConnectionServices>, admission: Admission) -> Self {
        let connection = ConnectionHandle {
            key: admission.key,
            id: admission.id.to_string(),
            outbox: Arc::clone(&admission.outbox),
            identity: Arc::clone(&admission.identity),
        };
        let streams = Streams::new(
            Arc::clone(&services),
            Arc::clone(&admission.outbox),
            Arc::clone(&admission.identity),
        );
        let client = Client::new(Arc::clone(&services.chat), connection);
        Self { services, client, streams, admission }
    }

    /// Notes that the client's handshake is done, so that messages may be sent to it.
    pub(super) fn connected(&self) {
        self.client.connected();
    }

    /// The connection's admission.
    pub(super) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The identity of the client.
    pub(super) fn identity(&self) -> &ClientIdentity {
        &self.admission.identity
    }

    /// Fails an invocation that comes too soon after others.
    pub(super) fn reject_rate(&self, id: Option<&str>) {
        let most = self.services.limits.messages_per_second;
        self.answer::<()>(id, Err(CallError::TooOften(most)));
    }

    /// Carries out an invocation, and completes it if it has an id.
    pub(super) async fn invoke(&mut self, call: &Invocation<'_>) {
        let Invocation { id, target, arguments, streams } = call;
        let id = id.as_deref();
        if target.eq_ignore_ascii_case("Watch") {
            return self.answer::<()>(id, Err(CallError::NeedsStream("Watch")));
        }
        let call = match methods::bind(target, arguments) {
            Ok(call) if call.is_generic() && !self.services.limits.generic_api => {
                return self.answer::<()>(id, Err(CallError::Unknown(methods::short(target))));
            }
            Ok(call) => call,
            Err(error) => return self.answer::<()>(id, Err(error)),
        };
        match call {
            HubCall::Join { room, name, options } => {
                let outbox = Arc::clone(&self.admission.outbox);
                let answer = |joined: &JoinResult| {
                    if let Some(id) = id {
                        outbox.push(outbox.encoding().completion(id, &CompletionResult::Value(joined)));
                    }
                };
                if let Err(error) = self.client.join(room, name, &options, answer).await {
                    self.answer::<()>(id, Err(error));
                }
            }
            HubCall::Leave { room } => {
                self.client.leave(&room);
                self.answer(id, Ok(()));
            }
            HubCall::Typing { room } => {
                let typing = self.client.typing(&room).await;
                self.answer(id, typing);
            }
            HubCall::Who { room } => self.answer(id, self.client.who(room)),
            HubCall::Tell { user, text } => {
                let receipt = self.deferred(id);
                self.client.tell(user, &text, receipt).await;
            }
            HubCall::AddToGroup(group) => {
                let added = self.client.add_to_group(group).await;
                self.answer(id, added);
            }
            HubCall::RemoveFromGroup(group) => {
                self.client.remove_from_group(&group);
                self.answer(id, Ok(()));
            }
            HubCall::CallClients { recipients, to_others, call } => {
                let receipt = self.deferred(id);
                self.client.call(recipients, &call, to_others, receipt).await;
            }
            HubCall::InvokeClient { connection, call } => self.invoke_client(id, connection, call).await,
            HubCall::SendMany { room } => self.streams.accept(id, room, streams),
            HubCall::Send { room, text, options } => self.send(id, &room, &text, options).await,
        }
    }

    /// Invokes a method of another client. The result may take a while: meanwhile this client's connection
    /// continues, and the client may have to complete an invocation itself.
    async fn invoke_client(&self, id: Option<&str>, connection: String, call: ClientCall) {
        let Some(id) = id else {
            // The caller does not wait for a result.
            let receipt = self.deferred(None);
            return self.client.call(Recipients::Connection(connection), &call, false, receipt).await;
        };
        let (id, outbox) = (id.to_owned(), Arc::clone(&self.admission.outbox));
        outbox.expect_completion();
        let metrics = Arc::clone(&self.services.metrics);
        let answer = self.client.invoke(connection, call);
        tokio::spawn(async move {
            let answer = tokio::select! {
                answer = answer => answer,
                () = outbox.ended() => Err(CallError::ShuttingDown),
            };
            let outcome = match &answer {
                Ok(value) => {
                    metrics.client_results.inc();
                    CompletionResult::Value(JsonText(value.get()))
                }
                Err(error) => {
                    metrics.client_results_failed.inc();
                    metrics.call_failed(error);
                    CompletionResult::Error(error.to_string())
                }
            };
            outbox.complete(outbox.encoding().completion(&id, &outcome));
        });
    }

    /// Leaves all rooms, and returns the state that another hub needs to continue. Streams end, because they
    /// belong to this hub.
    pub(super) fn hand_over(&mut self) -> HandoverState {
        self.streams.fail_all(&CallError::ShuttingDown);
        self.client.hand_over()
    }

    /// The subscriptions that another hub needs to take this connection over.
    pub(super) fn subscriptions(&self) -> Subscriptions {
        self.client.subscriptions()
    }

    /// Prepares to take over a connection that another hub still has.
    pub(super) async fn prepare_take_over(&mut self, subscriptions: Subscriptions) {
        self.client.prepare_take_over(subscriptions).await;
    }

    /// Takes over a connection from the state that another hub has handed over.
    pub(super) async fn take_over(&mut self, state: HandoverState) {
        self.client.take_over(state).await;
    }

    /// Handles a completion from the client: of an invocation by the hub, or of a stream of the client,
    /// perhaps with an error.
    pub(super) fn complete(&mut self, id: &str, outcome: Result<Option<&str>, &str>) {
        if !self.services.client_results.complete(self.admission.key, id, outcome) {
            self.streams.end(id, outcome.err());
        }
    }

    /// The callback that completes an invocation while later ones are carried out.
    fn deferred<R: Serialize>(
        &self,
        id: Option<&str>,
    ) -> impl FnOnce(Result<R, CallError>) + Send + use<R> + 'static {
        let answer = id.map(|id| (id.to_owned(), Arc::clone(&self.admission.outbox)));
        if answer.is_some() {
            self.admission.outbox.expect_completion();
        }
        let metrics = Arc::clone(&self.services.metrics);
        move |outcome| {
            if let Err(error) = &outcome {
                metrics.call_failed(error);
            }
            let Some((id, outbox)) = answer else { return };
            outbox.complete(outbox.encoding().completion(&id, &completion_result(outcome)));
        }
    }

    /// Sends a text to a room. The completion follows when the message is stored.
    async fn send(&self, id: Option<&str>, room: &RoomName, text: &str, options: SendOptions) {
        let receipt = self.deferred(id);
        if let Err(error) = self.client.send(room, text, options, receipt).await {
            self.services.metrics.call_failed(&error);
            if let Some(id) = id {
                let outcome = CompletionResult::<()>::Error(error.to_string());
                self.admission.outbox.complete(self.admission.outbox.encoding().completion(id, &outcome));
            }
        }
    }

    /// Begins a stream for the client.
    pub(super) fn begin_stream(&mut self, call: &Invocation<'_>) {
        self.streams.begin(call.id.as_deref().unwrap_or_default(), &call.target, &call.arguments);
    }

    /// Ends a stream that the client has cancelled.
    pub(super) fn cancel_stream(&mut self, id: &str) {
        self.streams.cancel(id);
    }

    /// Handles an item of a stream from the client.
    pub(super) async fn take_item(&mut self, stream: &str, item: &str) {
        self.streams.item(stream, item, &self.client).await;
    }

    fn answer<R: Serialize>(&self, id: Option<&str>, result: Result<R, CallError>) {
        if let Err(error) = &result {
            self.services.metrics.call_failed(error);
            tracing::debug!(connection = self.admission.key, "a call failed");
        }
        if let Some(id) = id {
            let outbox = &self.admission.outbox;
            outbox.push(outbox.encoding().completion(id, &completion_result(result)));
        }
    }

    /// Leaves all rooms, and returns the admission.
    pub(super) fn leave_all(mut self) -> Admission {
        self.client.leave_all();
        self.admission
    }
}

fn completion_result<R>(result: Result<R, CallError>) -> CompletionResult<R> {
    match result {
        Ok(result) => CompletionResult::Value(result),
        Err(error) => CompletionResult::Error(error.to_string()),
    }
}
