//! The names of Redis channels and keys.

use std::fmt;

use crate::protocol::names::RoomName;
use crate::topics::Topic;

/// The key of a cluster: the first part of the names of its channels and keys on Redis. It contains no colon,
/// so that no key is a prefix of another cluster's channels: two clusters on one Redis never mix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventKey(String);

impl EventKey {
    /// # Errors
    /// A text that says which event keys are valid.
    pub fn new(key: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_graphic() && c != ':';
        if key.is_empty() || key.len() > 512 || !key.chars().all(fits) {
            return Err(
                "an event key is 1 to 512 visible ASCII characters without a colon, such as `team.lobby`"
                    .into(),
            );
        }
        Ok(Self(key.to_owned()))
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The purpose of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel<'a> {
    /// A room: its messages and its presence.
    Room(&'a str),
    /// A group: invocations of its members.
    Group(&'a str),
    /// A user: invocations of the user's connections.
    User(&'a str),
    /// Every hub: invocations of all clients, or of one connection whose hub is unknown.
    All,
    /// One hub, by its instance: replies to its requests.
    Hub(&'a str),
    /// The heartbeats of all hubs.
    Heartbeats,
}

/// The names of the channels and keys of one event key.
#[derive(Debug, Clone)]
pub struct Channels {
    room_prefix: String,
    group_prefix: String,
    user_prefix: String,
    hub_prefix: String,
    all: String,
    heartbeats: String,
    history_prefix: String,
    nonce_prefix: String,
}

impl Channels {
    /// The channels under `key`.
    pub fn new(key: &EventKey) -> Self {
        Self {
            room_prefix: format!("{key}:room:"),
            group_prefix: format!("{key}:group:"),
            user_prefix: format!("{key}:user:"),
            hub_prefix: format!("{key}:hub:"),
            all: format!("{key}:all"),
            heartbeats: format!("{key}:canary"),
            history_prefix: format!("{key}:history:"),
            nonce_prefix: format!("{key}:nonce:"),
        }
    }

    /// The channel of a topic.
    pub fn for_topic(&self, topic: &Topic) -> String {
        match topic {
            Topic::Room(room) => self.room(room.as_str()),
            Topic::Group(group) => format!("{}{}", self.group_prefix, group.as_str()),
            Topic::User(user) => format!("{}{user}", self.user_prefix),
            Topic::All => self.all.clone(),
            Topic::Hub(instance) => format!("{}{instance}", self.hub_prefix),
        }
    }

    /// The channel of a room.
    pub fn room(&self, name: &str) -> String {
        format!("{}{name}", self.room_prefix)
    }

    /// The channel of the heartbeats.
    pub fn heartbeats(&self) -> &str {
        &self.heartbeats
    }

    /// The stream that holds a room's messages.
    pub fn history(&self, room: &RoomName) -> String {
        format!("{}{room}", self.history_prefix)
    }

    /// The key that stores a client's nonce until it expires. Rooms and nonces may contain colons, so the
    /// room's name is preceded by its length.
    pub fn nonce(&self, room: &RoomName, nonce: &str) -> String {
        format!("{}{}:{room}:{nonce}", self.nonce_prefix, room.as_str().len())
    }

    /// The purpose of a channel; `None` if it is not one of these.
    pub fn read<'a>(&self, channel: &'a [u8]) -> Option<Channel<'a>> {
        if channel == self.heartbeats.as_bytes() {
            return Some(Channel::Heartbeats);
        }
        let channel = std::str::from_utf8(channel).ok()?;
        if let Some(name) = channel.strip_prefix(&self.room_prefix) {
            return Some(Channel::Room(name));
        }
        if let Some(name) = channel.strip_prefix(&self.group_prefix) {
            return Some(Channel::Group(name));
        }
        if let Some(name) = channel.strip_prefix(&self.user_prefix) {
            return Some(Channel::User(name));
        }
        if let Some(instance) = channel.strip_prefix(&self.hub_prefix) {
            return Some(Channel::Hub(instance));
        }
        (channel == self.all).then_some(Channel::All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::names::GroupName;

    #[test]
    fn channels_read_what_they_made() {
        let channels = Channels::new(&EventKey::new("team.lobby").unwrap());

        assert_eq!(channels.room("a:b ü"), "team.lobby:room:a:b ü");
        assert_eq!(channels.read("team.lobby:room:a:b ü".as_bytes()), Some(Channel::Room("a:b ü")));
        assert_eq!(channels.heartbeats(), "team.lobby:canary");
        assert_eq!(channels.read(b"team.lobby:canary"), Some(Channel::Heartbeats));
        assert_eq!(channels.read(b"team.lobby2:canary"), None);
        let group = Topic::Group(GroupName::new("a:b".into()).unwrap());
        assert_eq!(channels.read(channels.for_topic(&group).as_bytes()), Some(Channel::Group("a:b")));
        let user = Topic::User("a".into());
        assert_eq!(channels.read(channels.for_topic(&user).as_bytes()), Some(Channel::User("a")));
        assert_eq!(
            channels.read(channels.for_topic(&Topic::Hub("a".into())).as_bytes()),
            Some(Channel::Hub("a"))
        );
        assert_eq!(channels.read(channels.for_topic(&Topic::All).as_bytes()), Some(Channel::All));
    }

    #[test]
    fn two_rooms_never_share_a_nonce() {
        let channels = Channels::new(&EventKey::new("k").unwrap());
        let room = |name: &str| RoomName::new(name.into()).unwrap();

        assert_eq!(channels.nonce(&room("a"), "b"), "k:nonce:1:a:b");
        assert_ne!(channels.nonce(&room("a"), "b:c"), channels.nonce(&room("a:b"), "c"));
    }

    #[test]
    fn a_key_that_could_mix_two_clusters_is_refused() {
        assert!(EventKey::new("a:room").is_err());
        assert!(EventKey::new("").is_err());
        assert!(EventKey::new("a b").is_err());
    }
}
