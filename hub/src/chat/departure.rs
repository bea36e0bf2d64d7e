//! A client on its way from one hub to another.

use std::sync::Arc;

use signalr::encoding::{Encoding, Say};

use super::answers::Joined;
use super::participant::Participant;
use crate::outbox::Ending;
use crate::protocol::methods::JoinOptions;
use crate::protocol::moving::{Hears, Moving, MovingRoom};
use crate::protocol::notices::Gap;
use crate::protocol::room::{GroupName, MemberName, RoomName};
#[cfg(doc)]
use crate::protocol::word::Claim;
#[cfg(doc)]
use crate::rooms::Rooms;
use crate::topics::Topic;

impl Participant {
    /// Hears no room any more, and says in which it was, and what it heard there. They are to be left, see [`Rooms::gone`].
    pub fn depart(&mut self) -> Moving {
        let (_, nobody) = self.services.listeners.create();
        nobody.end(Ending::Moved);
        // First, so that nobody is told that the client left: it may still answer.
        let owes = self.services.questions.take_owed(self.connection.key);
        let rooms = std::mem::take(&mut self.rooms).into_iter().map(|(room, membership)| MovingRoom {
            last: self.services.rooms.depart(room.as_str(), self.connection.key, &nobody),
            room: room.to_string(),
            name: membership.who.name.as_str().to_owned(),
            presence: membership.presence,
        });
        let moving = Moving { rooms: rooms.collect(), groups: self.group_names(), owes, ..Moving::default() };
        self.leave_all();
        moving
    }

    /// What is to be heard for it elsewhere, from some point on.
    pub fn hears(&self) -> Hears {
        Hears {
            messagepack: self.connection.outbox.encoding() == Encoding::MessagePack,
            user: self.connection.identity.user.as_deref().map(str::to_owned),
            groups: self.group_names(),
            was: self.origin().to_string(),
        }
    }

    fn group_names(&self) -> Vec<String> {
        self.groups.iter().map(|group| group.as_str().to_owned()).collect()
    }

    /// Is about to go on where it will depart from another hub: all that it hears there comes here from now on, and is told to it
    /// from the cut on, see [`Claim::cut`].
    pub async fn expect(&mut self, hears: Hears) {
        self.former = Some(hears.was.into());
        self.services.audiences.wait(self.connection.key);
        self.connected();
        if let Some(user) = &self.connection.identity.user {
            self.services.backplane.joined(Topic::User(Arc::clone(user))).await;
        }
        self.add_to_groups(hears.groups).await;
    }

    async fn add_to_groups(&mut self, groups: Vec<String>) {
        for group in groups.into_iter().filter_map(|group| GroupName::new(group).ok()) {
            if !self.groups.contains(&group) {
                // It was within the bound there, and the bounds are the same.
                let _ = self.add_to_group(group).await;
            }
        }
    }

    /// Goes on where it departed from another hub; what was said in its rooms meanwhile is told now.
    pub async fn arrive(&mut self, moving: Moving) {
        self.services.questions.set_owed(self.connection.key, moving.owes);
        // It may have joined or left some since it was expected.
        let left = self.groups.iter().filter(|group| !moving.groups.iter().any(|g| g == group.as_str()));
        for group in left.cloned().collect::<Vec<_>>() {
            self.remove_from_group(&group);
        }
        self.add_to_groups(moving.groups).await;
        let outbox = Arc::clone(&self.connection.outbox);
        let encoding = outbox.encoding();
        for MovingRoom { room, name, presence, last } in moving.rooms {
            let (Ok(room), Ok(name)) = (RoomName::new(room), MemberName::new(name)) else { continue };
            let gap = Gap { room: &room.to_string(), after: last }.say(encoding);
            let options = JoinOptions { since: last, history: None, presence };
            let told = |joined: &Joined| {
                if joined.gap {
                    outbox.push(gap.clone());
                }
                for said in &joined.history {
                    outbox.push(said.record(encoding).clone());
                }
            };
            if self.join(room, name, &options, told).await.is_err() {
                // It may not be there any more.
                outbox.push(gap);
            }
        }
    }
}
