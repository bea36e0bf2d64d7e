//! Passes on what arrives from the backplane: to rooms, to audiences, and to the record of the other hubs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::channels::{Channel, Channels};
use crate::audiences::Audiences;
use crate::canary::{self, Canary};
use crate::metrics::Metrics;
use crate::protocol::room::GroupName;
use crate::rooms::Rooms;
use crate::topics::Topic;

/// What the backplane hears goes here.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// The members of this pod.
    pub rooms: Arc<Rooms>,
    /// All others who hear something.
    pub audiences: Arc<Audiences>,
    /// The beats of all pods.
    pub canary: Arc<Canary>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Inbound {
    /// Passes on what came on a channel.
    pub fn hear(&self, channels: &Channels, channel: &[u8], payload: &[u8]) {
        let understood = match (channels.read(channel), std::str::from_utf8(payload)) {
            (Some(Channel::Room(room)), Ok(payload)) => self.rooms.hear(room, payload),
            (Some(Channel::Group(group)), Ok(payload)) => GroupName::new(group.to_owned())
                .is_ok_and(|group| self.audiences.hear(&Topic::Group(group), payload)),
            (Some(Channel::User(user)), Ok(payload)) => {
                self.audiences.hear(&Topic::User(user.into()), payload)
            }
            (Some(Channel::Hub(instance)), Ok(payload)) => {
                self.audiences.hear(&Topic::Hub(instance.into()), payload)
            }
            (Some(Channel::All), Ok(payload)) => self.audiences.hear(&Topic::All, payload),
            (Some(Channel::Canary), Ok(_)) => match self.canary.hear(payload, Instant::now()) {
                Some(canary::Heard::There) => true,
                Some(canary::Heard::Back) => {
                    self.rooms.doubt();
                    true
                }
                Some(canary::Heard::Leaves(instance)) => {
                    self.forget(&instance);
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

    /// A hub is gone, and all its clients with it.
    pub fn forget(&self, instance: &str) {
        self.rooms.forget(instance);
        self.audiences.forget(instance);
    }

    /// Only these hubs are there.
    pub fn forget_all_but(&self, instances: &HashSet<String>, now: Instant) {
        self.rooms.forget_all_but(instances);
        self.audiences.forget_all_but(instances, now);
    }

    /// Whether a topic has someone here who listens.
    pub fn is_wanted(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Room(room) => self.rooms.is_wanted(room.as_str()),
            Topic::Group(_) | Topic::User(_) | Topic::All | Topic::Hub(_) => self.audiences.is_wanted(topic),
        }
    }

    /// All topics that have someone here who listens.
    pub fn wanted(&self) -> Vec<Topic> {
        let rooms = self.rooms.all().into_iter().map(|room| Topic::Room(room.name().clone()));
        rooms.chain(self.audiences.wanted()).collect()
    }
}
