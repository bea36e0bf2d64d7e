//! The methods of this hub, and what it calls on its clients.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::record::{Encoding, JsonText, Record, Say};
use super::room::{MemberName, NameError, RoomName};
use crate::backplane::PublishError;

/// A call that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// From now on the caller hears the room.
    Join {
        /// The room.
        room: RoomName,
        /// What the caller is called there.
        name: MemberName,
    },
    /// The caller no longer hears the room.
    Leave {
        /// The room.
        room: RoomName,
    },
    /// Everyone in the room hears the text.
    Send {
        /// The room.
        room: RoomName,
        /// The text.
        text: String,
    },
}

/// Why a call cannot be carried out, in words for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such method.
    #[error("Unknown hub method '{0}'; there are Join, Leave and Send.")]
    Unknown(String),
    /// Too few or too many arguments.
    #[error("'{method}' takes {takes}, but got {got} arguments.")]
    Count {
        /// The method.
        method: &'static str,
        /// What it takes.
        takes: &'static str,
        /// How many there were.
        got: usize,
    },
    /// An argument that is no string.
    #[error("The {0} must be a string.")]
    NotText(&'static str),
    /// A name that is not accepted.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The caller has to join the room first.
    #[error("You are not in the room '{0}'; join it first.")]
    NotJoined(RoomName),
    /// The caller is in too many rooms.
    #[error("You are in {0} rooms already; leave one first.")]
    TooManyRooms(usize),
    /// The client calls more often than it may.
    #[error("You call too often; at most {0} times a second.")]
    TooOften(u32),
    /// The method does not answer with a stream.
    #[error("Streaming is not supported yet; invoke '{0}' instead.")]
    Stream(String),
    /// The backplane did not take the message.
    #[error("The message was not sent: {0}.")]
    NotSent(PublishError),
}

/// Finds the method and checks its arguments. Methods are found in any case, as in ASP.NET Core.
///
/// # Errors
/// A [`CallError`] for the client.
pub fn bind(target: &str, arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let count = |method, takes| CallError::Count { method, takes, got: arguments.len() };
    if target.eq_ignore_ascii_case("Send") {
        let [room, text] = arguments else { return Err(count("Send", "a room and a text")) };
        Ok(Call::Send { room: RoomName::new(string("room", room)?)?, text: string("text", text)? })
    } else if target.eq_ignore_ascii_case("Join") {
        let (room, name) = match arguments {
            [room] => (room, MemberName::default()),
            [room, name] if name == "null" => (room, MemberName::default()),
            [room, name] => (room, MemberName::new(string("name", name)?)?),
            _ => return Err(count("Join", "a room and perhaps a name")),
        };
        Ok(Call::Join { room: RoomName::new(string("room", room)?)?, name })
    } else if target.eq_ignore_ascii_case("Leave") {
        let [room] = arguments else { return Err(count("Leave", "a room")) };
        Ok(Call::Leave { room: RoomName::new(string("room", room)?)? })
    } else {
        Err(CallError::Unknown(short(target)))
    }
}

fn string(what: &'static str, argument: &str) -> Result<String, CallError> {
    serde_json::from_str(argument).map_err(|_| CallError::NotText(what))
}

/// As much of a client's word as an error needs to repeat.
pub fn short(word: &str) -> String {
    word.chars().take(64).collect()
}

/// What `Join` gives back.
#[derive(Debug, Serialize)]
pub struct Joined<'a> {
    /// The room.
    pub room: &'a str,
    /// The hub pod that serves the caller.
    pub pod: &'a str,
    /// How many members of the room this pod serves, the caller included.
    pub members: usize,
}

/// Sent to each client as it connects, as target `welcome`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome<'a> {
    /// The hub pod that serves the client.
    pub pod: &'a str,
    /// What the hub calls this connection.
    pub connection_id: &'a str,
    /// The hub's version.
    pub version: &'a str,
    /// `redis` when other pods' members are heard, or `memory`.
    pub backplane: &'a str,
    /// Who the client is, by its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
}

/// A message in a room, as target `message`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message<'a> {
    /// Unique among the messages of all pods.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The room.
    #[serde(borrow)]
    pub room: Cow<'a, str>,
    /// Who sent it, by the name given to `Join`.
    #[serde(borrow)]
    pub from: Cow<'a, str>,
    /// What was sent.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// When the pod accepted it, in milliseconds since 1970 by the pod's clock.
    pub at: u64,
    /// The pod that accepted it.
    #[serde(borrow)]
    pub pod: Cow<'a, str>,
}

impl Welcome<'_> {
    /// The record for a client.
    pub fn record(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "welcome", &[self])
    }
}

impl Message<'_> {
    /// As it goes over the backplane.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a message always has a JSON form")
    }
}

/// A message that came over the backplane, as JSON.
#[derive(Debug)]
pub struct Heard<'a>(pub &'a str);

impl Say for Heard<'_> {
    fn say(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "message", &[JsonText(self.0)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::new(name.into()).unwrap()
    }

    fn bind(target: &str, arguments: &[&str]) -> Result<Call, CallError> {
        let arguments: Vec<_> = arguments.iter().map(|&argument| Cow::from(argument)).collect();
        super::bind(target, &arguments)
    }

    #[test]
    fn each_method_binds_its_arguments() {
        assert_eq!(
            bind("Join", &[r#""lobby""#, r#""Ada""#]),
            Ok(Call::Join { room: room("lobby"), name: MemberName::new("Ada".into()).unwrap() })
        );
        assert_eq!(bind("leave", &[r#""lobby""#]), Ok(Call::Leave { room: room("lobby") }));
        assert_eq!(
            bind("SEND", &[r#""lobby""#, r#""h\u00fc""#]),
            Ok(Call::Send { room: room("lobby"), text: "hü".into() })
        );
    }

    #[test]
    fn whoever_gives_no_name_is_a_guest() {
        let guest = Ok(Call::Join { room: room("lobby"), name: MemberName::default() });

        assert_eq!(bind("Join", &[r#""lobby""#]), guest);
        assert_eq!(bind("Join", &[r#""lobby""#, "null"]), guest);
    }

    #[test]
    fn what_does_not_bind_says_what_would() {
        let says = |target, arguments: &[&str]| bind(target, arguments).unwrap_err().to_string();

        assert_eq!(says("Shout", &[]), "Unknown hub method 'Shout'; there are Join, Leave and Send.");
        assert_eq!(says("Send", &[r#""x""#]), "'Send' takes a room and a text, but got 1 arguments.");
        assert_eq!(says("Send", &["1", r#""x""#]), "The room must be a string.");
        assert_eq!(says("Send", &[r#""x""#, r#""\ud800""#]), "The text must be a string.");
        assert_eq!(says("Join", &[r#""""#]), "The room is empty; it needs 1 to 64 characters.");
    }

    #[test]
    fn a_message_keeps_ascii_as_it_is_and_names_its_target() {
        let message = Message {
            id: "1-1".into(),
            room: "lobby".into(),
            from: "Ada".into(),
            text: "T~ok".into(),
            at: 5,
            pod: "hub-0".into(),
        };

        assert_eq!(
            Heard(&message.json()).say(Encoding::Json)[..],
            *concat!(
                r#"{"type":1,"target":"message","arguments":[{"id":"1-1","room":"lobby","from":"Ada","#,
                r#""text":"T~ok","at":5,"pod":"hub-0"}]}"#,
                "\x1e"
            )
            .as_bytes()
        );
    }
}
