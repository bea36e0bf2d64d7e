//! The methods of rooms: joining and leaving them, and sending messages there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::{Client, Membership};
use super::results::{JoinResult, RoomMembers};
use crate::backplane::{Receipt, StoreAck, StoreRequest};
use crate::clock;
use crate::members::{Member, MemberIdentity};
use crate::protocol::methods::{CallError, JoinOptions, PublishError, SendOptions};
use crate::protocol::names::{MemberName, RoomName};
use crate::protocol::presence::PresenceEvent;
use crate::protocol::stored_message::MessageBody;
use crate::rooms::{HistoryRequest, JoinSnapshot};
use crate::topics::Topic;

/// The least time between two notices that a member is writing.
const TYPING: Duration = Duration::from_secs(1);

impl Client {
    /// Adds the client to a room. `answer` sends the result, and the client receives the room's messages from
    /// then on. A client that is in the room already may change its name and its options.
    ///
    /// # Errors
    /// [`CallError::TooManyRooms`] and [`CallError::MayNotJoin`].
    pub async fn join(
        &mut self,
        room: RoomName,
        name: MemberName,
        options: &JoinOptions,
        answer: impl FnOnce(&JoinResult),
    ) -> Result<(), CallError> {
        let identity = &self.connection.identity;
        if !identity.may_join(room.as_str()) {
            return Err(CallError::MayNotJoin(room));
        }
        let most = self.services.most_rooms;
        if self.rooms.len() + self.groups.len() >= most && !self.rooms.contains_key(&room) {
            return Err(CallError::TooManyRooms(most));
        }
        let history = match (options.since, options.history) {
            (Some(since), _) => HistoryRequest::Since(since),
            (None, most) => HistoryRequest::Latest(most.map_or(usize::MAX, |most| most as usize)),
        };
        let hold = self.services.rooms.hold(&room);
        if !hold.is_current(history) {
            self.services.backplane.ensure_subscribed(Topic::Room(room.clone())).await;
            hold.synced().await;
        }
        // A name in the client's token has precedence.
        let name = identity.name.as_ref().and_then(|name| MemberName::new(name.clone()).ok()).unwrap_or(name);
        let member_identity = Arc::new(MemberIdentity { name, user: identity.user.clone() });
        let member = Member {
            key: self.connection.key,
            outbox: Arc::clone(&self.connection.outbox),
            identity: Arc::clone(&member_identity),
            wants_presence: options.presence,
            origin: self.origin.clone(),
        };
        let pod = self.services.pod.clone();
        hold.join(&member, history, |JoinSnapshot { last, gap, messages, members, pods }| {
            answer(&JoinResult { room: room.clone(), pod, members, pods, last, gap, history: messages });
        });
        self.rooms.insert(
            room,
            Membership { identity: member_identity, wants_presence: options.presence, typed: None },
        );
        Ok(())
    }

    /// Removes the client from a room, if it is in it.
    pub fn leave(&mut self, room: &RoomName) {
        if self.rooms.remove(room).is_some() {
            self.services.rooms.leave(room.as_str(), self.connection.key);
        }
    }

    /// Sends a text to everyone in a room. The receipt is called when the text is stored, or with the reason
    /// why it is not. The future itself waits only while too many messages are on their way, so that one
    /// client's messages need not wait for each other.
    ///
    /// # Errors
    /// [`CallError::NotJoined`]; the receipt is not called then.
    pub async fn send(
        &self,
        room: &RoomName,
        text: &str,
        options: SendOptions,
        receipt: impl FnOnce(Result<StoreAck, CallError>) + Send + 'static,
    ) -> Result<(), CallError> {
        let Some(membership) = self.rooms.get(room) else { return Err(CallError::NotJoined(room.clone())) };
        let (at, began) = (clock::now_millis(), Instant::now());
        let message = MessageBody {
            room: room.as_str(),
            from: membership.identity.name.as_str(),
            text,
            at,
            pod: &self.services.pod,
            user: self.connection.identity.user.as_deref(),
            nonce: options.nonce.as_ref().map(crate::protocol::names::Nonce::as_str),
        };
        let connection_ref = self.connection_ref();
        let body = message.encode((!options.echo).then_some(&connection_ref));
        let nonce = options.nonce.map(crate::protocol::names::Nonce::into_string);
        let request = StoreRequest { room: room.clone(), body, at, nonce };
        let metrics = Arc::clone(&self.services.metrics);
        let receipt = Receipt::new(move |outcome| {
            match outcome {
                Ok(_) => {
                    metrics.messages_published.inc();
                    metrics.message_store_seconds.observe(began.elapsed().as_secs_f64());
                }
                Err(_) => {
                    metrics.messages_not_published.inc();
                }
            }
            receipt(outcome.map_err(CallError::NotSent));
        });
        self.services.backplane.store(request, receipt).await;
        Ok(())
    }

    /// Notifies the members that want presence notices that the client is writing, at most once a second.
    ///
    /// # Errors
    /// [`CallError::NotJoined`].
    pub async fn typing(&mut self, room: &RoomName) -> Result<(), CallError> {
        let Some(membership) = self.rooms.get_mut(room) else {
            return Err(CallError::NotJoined(room.clone()));
        };
        let now = Instant::now();
        if membership.typed.is_some_and(|typed| now.duration_since(typed) < TYPING) {
            return Ok(());
        }
        membership.typed = Some(now);
        let name = membership.identity.name.as_str().to_owned();
        let event =
            PresenceEvent::Typing { connection: self.connection_ref().to_string().into(), name: name.into() };
        // A loss of this event does no harm.
        let receipt = Receipt::new(|_| ());
        self.services.backplane.publish(Topic::Room(room.clone()), event.json(), receipt).await;
        Ok(())
    }

    /// The members of a room.
    ///
    /// # Errors
    /// [`CallError::NotJoined`].
    pub fn who(&self, room: RoomName) -> Result<RoomMembers, CallError> {
        let found = self.services.rooms.find(room.as_str()).filter(|_| self.rooms.contains_key(&room));
        let Some(found) = found else { return Err(CallError::NotJoined(room)) };
        let (count, pods, members) = found.member_list();
        Ok(RoomMembers { room, count, pods, members })
    }

    /// Sends a text as [`Client::send`] does, and waits until it is stored.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn store(
        &self,
        room: &RoomName,
        text: &str,
        options: SendOptions,
    ) -> Result<StoreAck, CallError> {
        let (report, reported) = tokio::sync::oneshot::channel();
        let receipt = |outcome| {
            let _ = report.send(outcome);
        };
        self.send(room, text, options, receipt).await?;
        reported.await.unwrap_or(Err(CallError::NotSent(PublishError::Unconfirmed)))
    }
}
