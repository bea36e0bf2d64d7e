//! Dispatches payloads from the backplane to rooms, to audiences and to the registry of peers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::channels::{Channel, Channels};
use crate::audiences::Audiences;
use crate::metrics::Metrics;
use crate::peers::{PeerNews, Peers};
use crate::protocol::names::GroupName;
use crate::rooms::Rooms;
use crate::topics::Topic;

/// Dispatches all payloads from the backplane.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    /// The rooms with members on this hub.
    pub rooms: Arc<Rooms>,
    /// The connections that are addressed outside of rooms.
    pub audiences: Arc<Audiences>,
    /// The heartbeats of all hubs.
    pub peers: Arc<Peers>,
    /// The hub's metrics.
    pub metrics: Arc<Metrics>,
}

impl Dispatcher {
    /// Dispatches a payload that arrived on a channel.
    pub fn dispatch(&self, channels: &Channels, channel: &[u8], payload: &[u8]) {
        let understood = match (channels.read(channel), std::str::from_utf8(payload)) {
            (Some(Channel::Room(room)), Ok(payload)) => self.rooms.receive(room, payload),
            (Some(Channel::Group(group)), Ok(payload)) => GroupName::new(group.to_owned())
                .is_ok_and(|group| self.audiences.receive(&Topic::Group(group), payload)),
            (Some(Channel::User(user)), Ok(payload)) => {
                self.audiences.receive(&Topic::User(user.into()), payload)
            }
            (Some(Channel::Hub(instance)), Ok(payload)) => {
                self.audiences.receive(&Topic::Hub(instance.into()), payload)
            }
            (Some(Channel::All), Ok(payload)) => self.audiences.receive(&Topic::All, payload),
            (Some(Channel::Heartbeats), Ok(_)) => match self.peers.receive(payload, Instant::now()) {
                Some(PeerNews::Alive) => true,
                Some(PeerNews::Back) => {
                    self.rooms.resync();
                    true
                }
                Some(PeerNews::Leaving(instance)) => {
                    self.forget_hub(&instance);
                    true
                }
                None => false,
            },
            _ => false,
        };
        if !understood {
            self.metrics.messages_not_understood.inc();
        }
    }

    /// Forgets a hub that is gone, and all its clients.
    pub fn forget_hub(&self, instance: &str) {
        self.rooms.forget_hub(instance);
        self.audiences.forget_hub(instance);
    }

    /// Forgets all hubs but these.
    pub fn retain_hubs(&self, instances: &HashSet<String>, now: Instant) {
        self.rooms.retain_hubs(instances);
        self.audiences.retain_hubs(instances, now);
    }

    /// True if a topic has subscribers on this hub.
    pub fn has_subscribers(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Room(room) => self.rooms.has_subscribers(room.as_str()),
            Topic::Group(_) | Topic::User(_) | Topic::All | Topic::Hub(_) => {
                self.audiences.has_subscribers(topic)
            }
        }
    }

    /// All topics that have subscribers on this hub.
    pub fn subscribed_topics(&self) -> Vec<Topic> {
        let rooms = self.rooms.all().into_iter().map(|room| Topic::Room(room.name().clone()));
        rooms.chain(self.audiences.subscribed_topics()).collect()
    }
}
