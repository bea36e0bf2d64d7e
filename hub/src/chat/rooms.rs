//! Rooms: being in them, and speaking there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answers::{Joined, WhoIsThere};
use super::participant::{Membership, Participant};
use crate::backplane::{Letter, Receipt, Stored};
use crate::clock;
use crate::members::{Member, Who};
use crate::protocol::methods::{CallError, JoinOptions, PublishError, SendOptions};
use crate::protocol::presence::Event;
use crate::protocol::room::{MemberName, RoomName};
use crate::protocol::said::Message;
use crate::rooms::{Entered, Entry};
use crate::topics::Topic;

/// That someone is writing is told at most so often.
const TYPING: Duration = Duration::from_secs(1);

impl Participant {
    /// From now on the client hears the room, beginning after `answer`. Again, it may have another name or other options.
    ///
    /// # Errors
    /// [`CallError::TooManyRooms`] and [`CallError::MayNotJoin`].
    pub async fn join(
        &mut self,
        room: RoomName,
        name: MemberName,
        options: &JoinOptions,
        answer: impl FnOnce(&Joined),
    ) -> Result<(), CallError> {
        let identity = &self.connection.identity;
        if !identity.may_join(room.as_str()) {
            return Err(CallError::MayNotJoin(room));
        }
        let most = self.services.most_rooms;
        if self.rooms.len() + self.groups.len() >= most && !self.rooms.contains_key(&room) {
            return Err(CallError::TooManyRooms(most));
        }
        let entry = match (options.since, options.history) {
            (Some(since), _) => Entry::Since(since),
            (None, most) => Entry::Latest(most.map_or(usize::MAX, |most| most as usize)),
        };
        let hold = self.services.rooms.hold(&room);
        if !hold.is_current(entry) {
            self.services.backplane.joined(Topic::Room(room.clone())).await;
            hold.settled().await;
        }
        // What a token says of a name counts.
        let name = identity.name.as_ref().and_then(|name| MemberName::new(name.clone()).ok()).unwrap_or(name);
        let who = Arc::new(Who { name, user: identity.user.clone() });
        let member = Member {
            key: self.connection.key,
            outbox: Arc::clone(&self.connection.outbox),
            who: Arc::clone(&who),
            presence: options.presence,
            former: self.former.clone(),
        };
        let pod = self.services.pod.clone();
        hold.enter(&member, entry, |Entered { last, gap, messages, members, pods }| {
            answer(&Joined { room: room.clone(), pod, members, pods, last, gap, history: messages });
        });
        self.rooms.insert(room, Membership { who, presence: options.presence, typed: None });
        Ok(())
    }

    /// The client no longer hears the room, if it did.
    pub fn leave(&mut self, room: &RoomName) {
        if self.rooms.remove(room).is_some() {
            self.services.rooms.leave(room.as_str(), self.connection.key);
        }
    }

    /// Everyone in the room hears the text. The receipt says when it is stored, or why not; this waits only while too
    /// many messages are on their way, so that one client's messages need not wait for each other.
    ///
    /// # Errors
    /// [`CallError::NotJoined`]; then nothing comes of the receipt.
    pub async fn send(
        &self,
        room: &RoomName,
        text: &str,
        options: SendOptions,
        receipt: impl FnOnce(Result<Stored, CallError>) + Send + 'static,
    ) -> Result<(), CallError> {
        let Some(membership) = self.rooms.get(room) else { return Err(CallError::NotJoined(room.clone())) };
        let (at, began) = (clock::now_millis(), Instant::now());
        let message = Message {
            room: room.as_str(),
            from: membership.who.name.as_str(),
            text,
            at,
            pod: &self.services.pod,
            user: self.connection.identity.user.as_deref(),
            nonce: options.nonce.as_ref().map(crate::protocol::room::Nonce::as_str),
        };
        let origin = self.origin();
        let body = message.body((!options.echo).then_some(&origin));
        let nonce = options.nonce.map(crate::protocol::room::Nonce::into_string);
        let letter = Letter { room: room.clone(), body, at, nonce };
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
        self.services.backplane.store(letter, receipt).await;
        Ok(())
    }

    /// Those of the others who asked for it see that the client is writing; again only after a second.
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
        let from = membership.who.name.as_str().to_owned();
        let event = Event::Typing { by: self.origin().to_string().into(), from: from.into() };
        // Nobody minds if it is lost.
        let receipt = Receipt::new(|_| ());
        self.services.backplane.publish(Topic::Room(room.clone()), event.json(), receipt).await;
        Ok(())
    }

    /// Who is in a room.
    ///
    /// # Errors
    /// [`CallError::NotJoined`].
    pub fn who(&self, room: RoomName) -> Result<WhoIsThere, CallError> {
        let found = self.services.rooms.find(room.as_str()).filter(|_| self.rooms.contains_key(&room));
        let Some(found) = found else { return Err(CallError::NotJoined(room)) };
        let (count, pods, members) = found.people();
        Ok(WhoIsThere { room, count, pods, members })
    }

    /// As [`Participant::send`], and waits until the text is stored.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn store(
        &self,
        room: &RoomName,
        text: &str,
        options: SendOptions,
    ) -> Result<Stored, CallError> {
        let (report, reported) = tokio::sync::oneshot::channel();
        let receipt = |outcome| {
            let _ = report.send(outcome);
        };
        self.send(room, text, options, receipt).await?;
        reported.await.unwrap_or(Err(CallError::NotSent(PublishError::Unconfirmed)))
    }
}
