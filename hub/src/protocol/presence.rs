//! Presence: the events that hubs publish about a room's members, and the notices that clients receive.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

#[cfg(doc)]
use super::connection_ref::ConnectionRef;
use signalr::encoding::{Encode, Encoding};
use signalr::record::Record;

/// An event of a room's presence, which hubs publish on the room's channel beside its messages.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "lowercase")]
pub enum PresenceEvent<'a> {
    /// Members joined or left on a pod.
    Changed {
        /// The hub process.
        #[serde(rename = "i", borrow)]
        instance: Cow<'a, str>,
        /// The pod of that process.
        #[serde(rename = "p", borrow)]
        pod: Cow<'a, str>,
        /// The number of the pod's members after the change.
        #[serde(rename = "n")]
        count: usize,
        /// Members that joined or changed their name.
        #[serde(rename = "j", borrow)]
        joined: Vec<MemberRecord<'a>>,
        /// Keys of the members that left.
        #[serde(rename = "l")]
        left: Vec<u64>,
        /// The origins ([`ConnectionRef`]) of joined members that were handed over by other hubs, which then
        /// drop these members.
        #[serde(rename = "f", borrow, default, skip_serializing_if = "Vec::is_empty")]
        origins: Vec<Cow<'a, str>>,
    },
    /// All members on a pod.
    List {
        /// The hub process.
        #[serde(rename = "i", borrow)]
        instance: Cow<'a, str>,
        /// The pod of that process.
        #[serde(rename = "p", borrow)]
        pod: Cow<'a, str>,
        /// The number of the pod's members.
        #[serde(rename = "n")]
        count: usize,
        /// These members; only the first of them in large rooms.
        #[serde(rename = "m", borrow)]
        members: Vec<MemberRecord<'a>>,
        /// The origins of members that were handed over, as in [`PresenceEvent::Changed`].
        #[serde(rename = "f", borrow, default, skip_serializing_if = "Vec::is_empty")]
        origins: Vec<Cow<'a, str>>,
        /// True if the other hubs are asked to publish their own lists.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ask: bool,
    },
    /// A member is writing.
    Typing {
        /// The member's connection, a [`ConnectionRef`].
        #[serde(rename = "by", borrow)]
        connection: Cow<'a, str>,
        /// The member's name.
        #[serde(rename = "from", borrow)]
        name: Cow<'a, str>,
    },
}

impl<'a> PresenceEvent<'a> {
    /// Parses the text of [`PresenceEvent::json`].
    pub fn read(payload: &'a str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }

    /// The event as it is sent over the backplane.
    #[allow(clippy::missing_panics_doc)]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("an event always has a JSON form")
    }
}

/// A member as hubs describe it to each other: key, name and user.
#[derive(Debug, Serialize, Deserialize)]
pub struct MemberRecord<'a>(
    /// The connection's key in its process.
    pub u64,
    /// The member's name.
    #[serde(borrow)]
    pub Cow<'a, str>,
    /// The member's user, by its token.
    #[serde(borrow)]
    pub Option<Cow<'a, str>>,
);

/// A member as clients know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberInfo {
    /// The member's name.
    pub name: String,
    /// The pod that serves the member.
    #[serde(serialize_with = "text")]
    pub pod: Arc<str>,
    /// The member's user, by its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// Tells a client which members joined and left, as target `presence`.
#[derive(Debug, Serialize)]
pub struct PresenceNotice<'a> {
    /// The room.
    pub room: &'a str,
    /// The number of the room's members.
    pub count: usize,
    /// The number of pods that serve them.
    pub pods: usize,
    /// The members that joined; empty in large rooms.
    pub joined: Vec<MemberInfo>,
    /// The members that left; empty in large rooms.
    pub left: Vec<MemberInfo>,
}

impl Encode for PresenceNotice<'_> {
    fn encode(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "presence", &[self])
    }
}

/// Tells a client that another member is writing, as target `typing`.
#[derive(Debug, Serialize)]
pub struct TypingNotice<'a> {
    /// The room.
    pub room: &'a str,
    /// The name of the member that is writing.
    pub from: &'a str,
}

impl Encode for TypingNotice<'_> {
    fn encode(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "typing", &[self])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_keep_their_short_names_on_the_backplane() {
        for payload in [
            r#"{"k":"changed","i":"a","p":"hub-a","n":2,"j":[[7,"Ada",null]],"l":[3],"f":["b.1"]}"#,
            r#"{"k":"changed","i":"a","p":"hub-a","n":0,"j":[],"l":[3]}"#,
            r#"{"k":"list","i":"a","p":"hub-a","n":1,"m":[[7,"Ada","u"]],"f":["b.1"],"ask":true}"#,
            r#"{"k":"list","i":"a","p":"hub-a","n":0,"m":[]}"#,
            r#"{"k":"typing","by":"a.7","from":"Ada"}"#,
        ] {
            assert_eq!(PresenceEvent::read(payload).unwrap().json(), payload);
        }
    }
}
