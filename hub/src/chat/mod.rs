//! What a client can do: the hub's methods, with plain types in and out. How they are called is others' concern.

mod answers;
mod audiences;
mod questions;
mod rooms;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Instant;

pub use self::answers::{Joined, WhoIsThere};
pub use self::audiences::Audiences;
pub use self::questions::{Errand, Errands, Questions};
pub use self::words::Audience;
use crate::backplane::{Receipt, Topic};
use crate::ending::Ending;
use crate::guards::Identity;
use crate::handover;
use crate::hub::Hub;
use crate::outbox::Outbox;
use crate::protocol::methods::JoinOptions;
use crate::protocol::moving::{Hears, Moving, MovingRoom};
use crate::protocol::notices::Gap;
use crate::protocol::room::{GroupName, MemberName, RoomName};
use crate::protocol::said::Origin;
#[cfg(doc)]
use crate::protocol::word::Claim;
use crate::rooms::{ConnectionKey, Member, Rooms, Who};
use signalr::encoding::{Encoding, Say};

/// Tells other pods who comes and goes, as long as the hub runs.
pub async fn gossip(rooms: Arc<Rooms>, hub: Weak<Hub>) {
    loop {
        for (room, word) in rooms.gossip().await {
            let Some(hub) = hub.upgrade() else { return };
            // Without a backplane there is nobody to tell, and with a new one all is said again.
            hub.backplane.publish(Topic::Room(room), word, Receipt::new(|_| ())).await;
        }
    }
}

/// Answers the questions of other hubs, as long as this one runs.
pub async fn reply(mut errands: Errands, hub: Weak<Hub>) {
    while let Some(errand) = errands.recv().await {
        let Some(hub) = hub.upgrade() else { return };
        match errand {
            // Without a backplane nobody is reached, and whoever waits is told so in time.
            Errand::Reply(instance, reply) => {
                hub.backplane.publish(Topic::Hub(instance), reply, Receipt::new(|_| ())).await;
            }
            Errand::Show(id, question) => {
                let show = handover::show(Arc::clone(&hub), id, question);
                hub.departures.spawn(show);
            }
            Errand::Give(id, question) => {
                let give = handover::give(Arc::clone(&hub), id, question);
                hub.departures.spawn(give);
            }
        }
    }
}

/// A connection that may call methods.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Tells it from the others of this pod.
    pub key: ConnectionKey,
    /// What clients call it.
    pub id: String,
    /// Its queue.
    pub outbox: Arc<Outbox>,
    /// Whose it is.
    pub identity: Arc<Identity>,
}

/// A client as one of many: in which rooms it is, and what it is called in each. Dropped, it is in none any more.
#[derive(Debug)]
pub struct Participant {
    hub: Arc<Hub>,
    connection: Connection,
    rooms: HashMap<RoomName, Membership>,
    groups: HashSet<GroupName>,
    /// What it was at the hub that it came from.
    former: Option<Arc<str>>,
}

#[derive(Debug)]
struct Membership {
    who: Arc<Who>,
    /// It wants to know of the others.
    presence: bool,
    /// When the others were last told that this one is writing.
    typed: Option<Instant>,
}

impl Participant {
    /// In no room.
    pub fn new(hub: Arc<Hub>, connection: Connection) -> Self {
        Self { hub, connection, rooms: HashMap::new(), groups: HashSet::new(), former: None }
    }

    /// The client has shaken hands: from now on it hears what is for all, for its user, and for this connection.
    pub fn connected(&self) {
        let member = self.member();
        self.hub.audiences.connected(&self.connection.id, &member);
        if let Some(user) = &self.connection.identity.user {
            self.hub.audiences.join(&Topic::User(Arc::clone(user)), &member);
        }
    }

    fn member(&self) -> Member {
        let Connection { key, outbox, identity, .. } = &self.connection;
        let who = Arc::new(Who { name: MemberName::default(), user: identity.user.clone() });
        let former = self.former.clone();
        Member { key: *key, outbox: Arc::clone(outbox), who, presence: false, former }
    }

    /// Hears no room any more, and says in which it was, and what it heard there. They are to be left, see [`Rooms::gone`].
    pub fn depart(&mut self) -> Moving {
        let (_, nobody) = self.hub.listener();
        nobody.end(Ending::Moved);
        // First, so that nobody is told that the client left: it may still answer.
        let owes = self.hub.questions.take_owed(self.connection.key);
        let rooms = std::mem::take(&mut self.rooms).into_iter().map(|(room, membership)| MovingRoom {
            last: self.hub.rooms.depart(room.as_str(), self.connection.key, &nobody),
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

    /// This connection, for other hubs.
    fn origin(&self) -> Origin<'_> {
        Origin { instance: self.hub.instance.as_str().into(), key: self.connection.key }
    }

    fn group_names(&self) -> Vec<String> {
        self.groups.iter().map(|group| group.as_str().to_owned()).collect()
    }

    /// Is about to go on where it will depart from another hub: all that it hears there comes here from now on, and is told to it
    /// from the cut on, see [`Claim::cut`].
    pub async fn expect(&mut self, hears: Hears) {
        self.former = Some(hears.was.into());
        self.hub.audiences.wait(self.connection.key);
        self.connected();
        if let Some(user) = &self.connection.identity.user {
            self.hub.backplane.joined(Topic::User(Arc::clone(user))).await;
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
        self.hub.questions.set_owed(self.connection.key, moving.owes);
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

    /// Leaves all rooms, and hears nothing any more.
    pub fn leave_all(&mut self) {
        let Connection { key, id, identity, .. } = &self.connection;
        if let Some(user) = &identity.user {
            self.hub.audiences.leave(&Topic::User(Arc::clone(user)), *key);
        }
        for group in std::mem::take(&mut self.groups) {
            self.hub.audiences.leave(&Topic::Group(group), *key);
        }
        // Last, for it also forgets that another hub tells the client by now what is said.
        self.hub.audiences.disconnected(id, *key);
        for room in std::mem::take(&mut self.rooms).into_keys() {
            self.hub.rooms.leave(room.as_str(), self.connection.key);
        }
    }
}

impl Drop for Participant {
    /// Also when its task panics or is cancelled.
    fn drop(&mut self) {
        self.leave_all();
    }
}
