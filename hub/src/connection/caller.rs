//! A client as the caller of the hub's methods: its rooms, and what it is called in each.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::backplane::Receipt;
use crate::guards::Identity;
use crate::hub::{Admission, Hub};
use crate::outbox::Outbox;
use crate::protocol::methods::{self, Call, CallError, Joined, Message};
use crate::protocol::record::{Outcome, Record};
use crate::protocol::room::{MemberName, RoomName};

/// The most rooms that one connection may be in.
const MOST_ROOMS: usize = 100;

/// See the module.
pub(super) struct Caller {
    /// `None` after [`Caller::leave_all`].
    admission: Option<Admission>,
    hub: Arc<Hub>,
    outbox: Arc<Outbox>,
    identity: Identity,
    rooms: HashMap<RoomName, MemberName>,
}

impl Caller {
    /// A caller in no room.
    pub(super) fn new(admission: Admission) -> Self {
        Self {
            hub: Arc::clone(&admission.hub),
            outbox: Arc::clone(&admission.outbox),
            identity: admission.identity.clone(),
            admission: Some(admission),
            rooms: HashMap::new(),
        }
    }

    /// Whose calls these are.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Answers a call that comes too soon.
    pub(super) fn refuse_rate(&self, id: Option<&str>) {
        if let Some(id) = id {
            let error = CallError::TooOften(self.hub.settings.messages_per_second);
            self.outbox
                .push(self.outbox.encoding().completion::<()>(id, &Outcome::Failed(error.to_string())));
        }
    }

    /// Carries out an invocation, and answers it if it has an id.
    pub(super) async fn invoke(&mut self, id: Option<&str>, target: &str, arguments: &[Cow<'_, str>]) {
        let answer = match methods::bind(target, arguments) {
            Ok(Call::Join { room, name }) => self.join(id, room, name).await,
            Ok(Call::Leave { room }) => {
                self.leave(&room);
                Ok(id.map(|id| self.outbox.encoding().completion(id, &Outcome::Gave(()))))
            }
            // Its answer comes with the receipt.
            Ok(Call::Send { room, text }) => self.send(id, &room, &text).await.map(|()| None),
            Err(error) => Err(error),
        };
        let answer = answer.unwrap_or_else(|error| {
            tracing::debug!(connection = self.key(), "a call failed");
            id.map(|id| self.outbox.encoding().completion::<()>(id, &Outcome::Failed(error.to_string())))
        });
        if let Some(answer) = answer {
            self.outbox.push(answer);
        }
    }

    /// Answers a call that would stream.
    pub(super) fn refuse_stream(&self, id: &str, target: &str) {
        let error = CallError::Stream(methods::short(target));
        self.outbox.push(self.outbox.encoding().completion::<()>(id, &Outcome::Failed(error.to_string())));
    }

    async fn join(
        &mut self,
        id: Option<&str>,
        room: RoomName,
        name: MemberName,
    ) -> Result<Option<Record>, CallError> {
        if self.rooms.len() >= MOST_ROOMS && !self.rooms.contains_key(&room) {
            return Err(CallError::TooManyRooms(MOST_ROOMS));
        }
        let members = self.hub.rooms.join(&room, self.key(), &self.outbox);
        self.rooms.insert(room.clone(), name);
        // Whoever is told that they joined hears what is sent from then on, on any pod.
        self.hub.backplane.joined(&room).await;
        Ok(id.map(|id| {
            let joined = Joined { room: room.as_str(), pod: &self.hub.pod, members };
            self.outbox.encoding().completion(id, &Outcome::Gave(joined))
        }))
    }

    fn leave(&mut self, room: &RoomName) {
        if self.rooms.remove(room).is_some() && self.hub.rooms.leave(room.as_str(), self.key()) {
            self.hub.backplane.emptied(room);
        }
    }

    async fn send(&self, id: Option<&str>, room: &RoomName, text: &str) -> Result<(), CallError> {
        let Some(name) = self.rooms.get(room) else { return Err(CallError::NotJoined(room.clone())) };
        let record = Message {
            id: self.hub.next_message_id().into(),
            room: room.as_str().into(),
            from: name.as_str().into(),
            text: text.into(),
            at: Hub::now_millis(),
            pod: self.hub.pod.as_str().into(),
        }
        .json();
        let metrics = Arc::clone(&self.hub.metrics);
        let answer = id.map(|id| (id.to_owned(), Arc::clone(&self.outbox)));
        if answer.is_some() {
            self.outbox.promise();
        }
        let receipt = Receipt::new(move |outcome| {
            match outcome {
                Ok(()) => metrics.published.add(1),
                Err(_) => metrics.not_published.add(1),
            }
            let Some((id, outbox)) = answer else { return };
            let outcome = match outcome {
                Ok(()) => Outcome::Gave(()),
                Err(error) => Outcome::Failed(CallError::NotSent(error).to_string()),
            };
            outbox.answer(outbox.encoding().completion(&id, &outcome));
        });
        self.hub.backplane.publish(room, record, receipt).await;
        Ok(())
    }

    fn key(&self) -> u64 {
        self.admission.as_ref().map_or(0, |admission| admission.key)
    }

    /// Leaves all rooms.
    pub(super) fn leave_all(mut self) -> Option<Admission> {
        self.empty();
        self.admission.take()
    }

    fn empty(&mut self) {
        for room in std::mem::take(&mut self.rooms).into_keys() {
            if self.hub.rooms.leave(room.as_str(), self.key()) {
                self.hub.backplane.emptied(&room);
            }
        }
    }
}

impl Drop for Caller {
    /// Also when its task panics or is cancelled, a caller is in no room any more.
    fn drop(&mut self) {
        self.empty();
    }
}
