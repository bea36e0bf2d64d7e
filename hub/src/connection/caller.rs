//! A client as the caller of the hub's methods: from its invocations to their answers.

use std::sync::Arc;

use serde::Serialize;
use signalr::message::Invocation;
use signalr::record::{JsonText, Outcome};

use super::services::ConnectionServices;
use super::streams::Streams;
use crate::admission::Admission;
use crate::chat::{Connection, Joined, Participant};
use crate::guards::Identity;
use crate::protocol::methods::{self, Audience, Call, CallError, ClientCall, SendOptions};
use crate::protocol::moving::{Hears, Moving};
use crate::protocol::room::RoomName;

/// See the module.
pub(super) struct Caller {
    services: Arc<ConnectionServices>,
    participant: Participant,
    streams: Streams,
    admission: Admission,
}

impl Caller {
    /// A caller in no room.
    pub(super) fn new(services: Arc<ConnectionServices>, admission: Admission) -> Self {
        let connection = Connection {
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
        let participant = Participant::new(Arc::clone(&services.chat), connection);
        Self { services, participant, streams, admission }
    }

    /// The client has shaken hands, and may be spoken to.
    pub(super) fn connected(&self) {
        self.participant.connected();
    }

    /// The connection, as the hub knows it.
    pub(super) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Whose calls these are.
    pub(super) fn identity(&self) -> &Identity {
        &self.admission.identity
    }

    /// Answers a call that comes too soon.
    pub(super) fn refuse_rate(&self, id: Option<&str>) {
        let most = self.services.limits.messages_per_second;
        self.answer::<()>(id, Err(CallError::TooOften(most)));
    }

    /// Carries out an invocation, and answers it if it has an id.
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
            Call::Join { room, name, options } => {
                let outbox = Arc::clone(&self.admission.outbox);
                let answer = |joined: &Joined| {
                    if let Some(id) = id {
                        outbox.push(outbox.encoding().completion(id, &Outcome::Gave(joined)));
                    }
                };
                if let Err(error) = self.participant.join(room, name, &options, answer).await {
                    self.answer::<()>(id, Err(error));
                }
            }
            Call::Leave { room } => {
                self.participant.leave(&room);
                self.answer(id, Ok(()));
            }
            Call::Typing { room } => {
                let typing = self.participant.typing(&room).await;
                self.answer(id, typing);
            }
            Call::Who { room } => self.answer(id, self.participant.who(room)),
            Call::Tell { user, text } => {
                let receipt = self.later(id);
                self.participant.tell(user, &text, receipt).await;
            }
            Call::AddToGroup(group) => {
                let added = self.participant.add_to_group(group).await;
                self.answer(id, added);
            }
            Call::RemoveFromGroup(group) => {
                self.participant.remove_from_group(&group);
                self.answer(id, Ok(()));
            }
            Call::Call { audience, to_others, call } => {
                let receipt = self.later(id);
                self.participant.call(audience, &call, to_others, receipt).await;
            }
            Call::Invoke { connection, call } => self.ask(id, connection, call).await,
            Call::SendMany { room } => self.streams.accept(id, room, streams),
            Call::Send { room, text, options } => self.send(id, &room, &text, options).await,
        }
    }

    /// Another client's answer may take its time: meanwhile this one goes on, and may have to answer itself.
    async fn ask(&self, id: Option<&str>, connection: String, call: ClientCall) {
        let Some(id) = id else {
            // Nobody waits for what the other one says.
            let receipt = self.later(None);
            return self.participant.call(Audience::Connection(connection), &call, false, receipt).await;
        };
        let (id, outbox) = (id.to_owned(), Arc::clone(&self.admission.outbox));
        outbox.promise();
        let metrics = Arc::clone(&self.services.metrics);
        let answer = self.participant.invoke(connection, call);
        tokio::spawn(async move {
            let answer = tokio::select! {
                answer = answer => answer,
                () = outbox.ended() => Err(CallError::Ends),
            };
            let outcome = match &answer {
                Ok(value) => {
                    metrics.client_results.inc();
                    Outcome::Gave(JsonText(value.get()))
                }
                Err(error) => {
                    metrics.client_results_failed.inc();
                    metrics.call_failed(error);
                    Outcome::Failed(error.to_string())
                }
            };
            outbox.answer(outbox.encoding().completion(&id, &outcome));
        });
    }

    /// Leaves all rooms, and says all that another hub needs to go on. Streams end, for they are of this hub.
    pub(super) fn depart(&mut self) -> Moving {
        self.streams.fail_all(&CallError::Ends);
        self.participant.depart()
    }

    /// What another hub has to hear for it, to go on.
    pub(super) fn hears(&self) -> Hears {
        self.participant.hears()
    }

    /// Is about to go on where another hub leaves off.
    pub(super) async fn expect(&mut self, hears: Hears) {
        self.participant.expect(hears).await;
    }

    /// Goes on where another hub left off.
    pub(super) async fn arrive(&mut self, moving: Moving) {
        self.participant.arrive(moving).await;
    }

    /// The client answers a call of the hub's, or a stream of the client has ended, perhaps with an error.
    pub(super) fn complete(&mut self, id: &str, outcome: Result<Option<&str>, &str>) {
        if !self.services.questions.answer(self.admission.key, id, outcome) {
            self.streams.end(id, outcome.err());
        }
    }

    /// An answer that comes while later calls are carried out.
    fn later<R: Serialize>(
        &self,
        id: Option<&str>,
    ) -> impl FnOnce(Result<R, CallError>) + Send + use<R> + 'static {
        let answer = id.map(|id| (id.to_owned(), Arc::clone(&self.admission.outbox)));
        if answer.is_some() {
            self.admission.outbox.promise();
        }
        let metrics = Arc::clone(&self.services.metrics);
        move |outcome| {
            if let Err(error) = &outcome {
                metrics.call_failed(error);
            }
            let Some((id, outbox)) = answer else { return };
            outbox.answer(outbox.encoding().completion(&id, &outcome_of(outcome)));
        }
    }

    /// Its answer comes when the message is stored.
    async fn send(&self, id: Option<&str>, room: &RoomName, text: &str, options: SendOptions) {
        let receipt = self.later(id);
        if let Err(error) = self.participant.send(room, text, options, receipt).await {
            self.services.metrics.call_failed(&error);
            if let Some(id) = id {
                let outcome = Outcome::<()>::Failed(error.to_string());
                self.admission.outbox.answer(self.admission.outbox.encoding().completion(id, &outcome));
            }
        }
    }

    /// Begins a stream for the client.
    pub(super) fn begin_stream(&mut self, call: &Invocation<'_>) {
        self.streams.begin(call.id.as_deref().unwrap_or_default(), &call.target, &call.arguments);
    }

    /// The client wants no more of a stream.
    pub(super) fn cancel_stream(&mut self, id: &str) {
        self.streams.cancel(id);
    }

    /// An item of a stream of the client.
    pub(super) async fn take_item(&mut self, stream: &str, item: &str) {
        self.streams.item(stream, item, &self.participant).await;
    }

    fn answer<R: Serialize>(&self, id: Option<&str>, result: Result<R, CallError>) {
        if let Err(error) = &result {
            self.services.metrics.call_failed(error);
            tracing::debug!(connection = self.admission.key, "a call failed");
        }
        if let Some(id) = id {
            let outbox = &self.admission.outbox;
            outbox.push(outbox.encoding().completion(id, &outcome_of(result)));
        }
    }

    /// Leaves all rooms.
    pub(super) fn leave_all(mut self) -> Admission {
        self.participant.leave_all();
        self.admission
    }
}

fn outcome_of<R>(result: Result<R, CallError>) -> Outcome<R> {
    match result {
        Ok(result) => Outcome::Gave(result),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
