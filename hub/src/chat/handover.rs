//! Hands a client over from one hub to another.

use std::sync::Arc;

use signalr::encoding::{Encode, Encoding};

use super::client::Client;
use super::results::JoinResult;
use crate::outbox::CloseReason;
use crate::protocol::handover_state::{HandoverRoom, HandoverState, Subscriptions};
use crate::protocol::methods::JoinOptions;
use crate::protocol::names::{GroupName, MemberName, RoomName};
use crate::protocol::notices::Gap;
#[cfg(doc)]
use crate::protocol::peer_messages::HandoverClaim;
#[cfg(doc)]
use crate::rooms::Rooms;
use crate::topics::Topic;

impl Client {
    /// Ends the delivery to the client, and returns its rooms with the last message delivered in each, its
    /// groups, and its unanswered invocations. The rooms still have to be left, see
    /// [`Rooms::finish_handover`].
    pub fn hand_over(&mut self) -> HandoverState {
        let (_, closed) = self.services.outbox_factory.create();
        closed.end(CloseReason::HandedOver);
        // This comes first, so that no requester learns that the client left: the client may still answer.
        let unanswered = self.services.client_results.take_unanswered(self.connection.key);
        let rooms = std::mem::take(&mut self.rooms).into_iter().map(|(room, membership)| HandoverRoom {
            last: self.services.rooms.hand_over(room.as_str(), self.connection.key, &closed),
            room: room.to_string(),
            name: membership.identity.name.as_str().to_owned(),
            presence: membership.wants_presence,
        });
        let state = HandoverState {
            rooms: rooms.collect(),
            groups: self.group_names(),
            unanswered,
            ..HandoverState::default()
        };
        self.leave_all();
        state
    }

    /// The subscriptions that another hub needs to take the client over.
    pub fn subscriptions(&self) -> Subscriptions {
        Subscriptions {
            messagepack: self.connection.outbox.encoding() == Encoding::MessagePack,
            user: self.connection.identity.user.as_deref().map(str::to_owned),
            groups: self.group_names(),
            origin: self.connection_ref().to_string(),
        }
    }

    fn group_names(&self) -> Vec<String> {
        self.groups.iter().map(|group| group.as_str().to_owned()).collect()
    }

    /// Prepares to take over a client that another hub still has, with the same subscriptions. From now on
    /// its messages arrive here, too; they are delivered to it from the cut on, see [`HandoverClaim::cut`].
    pub async fn prepare_take_over(&mut self, subscriptions: Subscriptions) {
        self.origin = Some(subscriptions.origin.into());
        self.services.audiences.expect_handover(self.connection.key);
        self.connected();
        if let Some(user) = &self.connection.identity.user {
            self.services.backplane.ensure_subscribed(Topic::User(Arc::clone(user))).await;
        }
        self.add_to_groups(subscriptions.groups).await;
    }

    async fn add_to_groups(&mut self, groups: Vec<String>) {
        for group in groups.into_iter().filter_map(|group| GroupName::new(group).ok()) {
            if !self.groups.contains(&group) {
                // The other hub has the same limit, and the client was within it there.
                let _ = self.add_to_group(group).await;
            }
        }
    }

    /// Takes over a client from the state that another hub has handed over, and delivers the messages that
    /// were sent in its rooms meanwhile.
    pub async fn take_over(&mut self, state: HandoverState) {
        self.services.client_results.restore_unanswered(self.connection.key, state.unanswered);
        // The client may have joined or left groups since its subscriptions were sent.
        let left = self.groups.iter().filter(|group| !state.groups.iter().any(|g| g == group.as_str()));
        for group in left.cloned().collect::<Vec<_>>() {
            self.remove_from_group(&group);
        }
        self.add_to_groups(state.groups).await;
        let outbox = Arc::clone(&self.connection.outbox);
        let encoding = outbox.encoding();
        for HandoverRoom { room, name, presence, last } in state.rooms {
            let (Ok(room), Ok(name)) = (RoomName::new(room), MemberName::new(name)) else { continue };
            let gap = Gap { room: &room.to_string(), after: last }.encode(encoding);
            let options = JoinOptions { since: last, history: None, presence };
            let deliver = |joined: &JoinResult| {
                if joined.gap {
                    outbox.push(gap.clone());
                }
                for message in &joined.history {
                    outbox.push(message.record(encoding).clone());
                }
            };
            if self.join(room, name, &options, deliver).await.is_err() {
                // The join was refused, because the client is no longer allowed in the room. The client is
                // notified that it loses messages.
                outbox.push(gap);
            }
        }
    }
}
