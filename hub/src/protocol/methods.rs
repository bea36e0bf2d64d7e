//! The methods of this hub: which there are, and what they take.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::position::Position;
use super::record::{Encoding, Record, Say};
use super::room::{GroupName, MemberName, NameError, Nonce, RoomName};
use super::word::is_reserved;
use crate::backplane::PublishError;
use crate::chat::Audience;

/// A call that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// From now on the caller hears the room.
    Join {
        /// The room.
        room: RoomName,
        /// What the caller is called there.
        name: MemberName,
        /// What else the caller wants.
        options: JoinOptions,
    },
    /// The caller no longer hears the room.
    Leave {
        /// The room.
        room: RoomName,
    },
    /// The others see that the caller is writing.
    Typing {
        /// The room.
        room: RoomName,
    },
    /// Who is in the room.
    Who {
        /// The room.
        room: RoomName,
    },
    /// Every connection of a user hears the text.
    Tell {
        /// The user.
        user: String,
        /// The text.
        text: String,
    },
    /// From now on the caller hears what is for the group.
    AddToGroup(GroupName),
    /// The caller no longer hears it.
    RemoveFromGroup(GroupName),
    /// Calls clients' methods.
    Call {
        /// Whose.
        audience: Audience,
        /// All but the caller's own.
        to_others: bool,
        /// The call.
        call: ClientCall,
    },
    /// Calls a method of one client, which answers.
    Invoke {
        /// The id of its connection.
        connection: String,
        /// The call.
        call: ClientCall,
    },
    /// Everyone in the room hears the texts of a stream.
    SendMany {
        /// The room.
        room: RoomName,
    },
    /// Everyone in the room hears the text.
    Send {
        /// The room.
        room: RoomName,
        /// The text.
        text: String,
        /// What else the caller wants.
        options: SendOptions,
    },
}

impl Call {
    /// Whether it is none of the chat's.
    pub fn is_generic(&self) -> bool {
        matches!(
            self,
            Self::AddToGroup(_) | Self::RemoveFromGroup(_) | Self::Call { .. } | Self::Invoke { .. }
        )
    }
}

/// A call of a method of clients.
#[derive(Debug, Clone)]
pub struct ClientCall {
    /// The method.
    pub target: String,
    /// Its arguments, an array.
    pub arguments: Box<RawValue>,
}

impl PartialEq for ClientCall {
    fn eq(&self, other: &Self) -> bool {
        (&self.target, self.arguments.get()) == (&other.target, other.arguments.get())
    }
}

impl Eq for ClientCall {}

/// What `Join` may be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JoinOptions {
    /// The last message that the caller has.
    pub since: Option<Position>,
    /// The most messages that the caller wants without `since`; all that are kept if it does not say.
    pub history: Option<u32>,
    /// Also be told who comes and goes, and who is writing.
    pub presence: bool,
}

/// What `Send` may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SendOptions {
    /// A second message of this nonce is not stored.
    pub nonce: Option<Nonce>,
    /// The sender hears it, too.
    pub echo: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { nonce: None, echo: true }
    }
}

/// Why a call cannot be carried out, in words for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such method.
    #[error("Unknown hub method '{0}'.")]
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
    /// Options that are not understood.
    #[error("The options of '{method}' are {takes}.")]
    Options {
        /// The method.
        method: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A target that only the hub itself calls.
    #[error("Only the hub itself calls '{0}'; choose another name.")]
    Reserved(String),
    /// A name that is not accepted.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The caller has to join the room first.
    #[error("You are not in the room '{0}'; join it first.")]
    NotJoined(RoomName),
    /// The caller is in too many rooms.
    #[error("You are in {0} rooms already; leave one first.")]
    TooManyRooms(usize),
    /// The caller's token is for other rooms.
    #[error("You may not join the room '{0}'.")]
    MayNotJoin(RoomName),
    /// The client calls more often than it may.
    #[error("You call too often; at most {0} times a second.")]
    TooOften(u32),
    /// The method does not answer with a stream.
    #[error("'{0}' does not answer with a stream; invoke it instead.")]
    NoStream(String),
    /// The method answers with a stream, or takes one.
    #[error("'{0}' needs a stream; see how your client begins one.")]
    NeedsStream(&'static str),
    /// The client has too many streams.
    #[error("You have {0} streams already; end one first.")]
    TooManyStreams(usize),
    /// The client's stream ended with an error.
    #[error("The stream ended with an error of yours; {0} texts were stored.")]
    Aborted(u32),
    /// Nobody has that connection.
    #[error("There is no connection '{0}'.")]
    NoConnection(String),
    /// The caller asks too much.
    #[error("You wait for {0} answers already; wait for one of them first.")]
    TooManyQuestions(usize),
    /// The client that was to be asked owes too many answers.
    #[error("The client owes too many answers already; try again later.")]
    Busy,
    /// The client that was asked is gone.
    #[error("The client left before it answered.")]
    Left,
    /// The hub of the client that was asked is gone.
    #[error("The hub that serves the client ended before the client answered.")]
    HubGone,
    /// The client that was asked is there, and says nothing.
    #[error("The client did not answer within {0} s.")]
    NoAnswer(u64),
    /// The client that was asked failed, in its own words.
    #[error("The client answered with an error: {0}")]
    Theirs(String),
    /// The hub that serves the caller ends.
    #[error("This hub shuts down; call again.")]
    Ends,
    /// The client that was asked gave something that has no JSON form.
    #[error("The client's answer cannot be passed on.")]
    NoValue,
    /// The backplane did not take the message.
    #[error("The message was not sent: {0}.")]
    NotSent(#[from] PublishError),
}

/// Finds the method and checks its arguments. Methods are found in any case, as in ASP.NET Core.
///
/// # Errors
/// A [`CallError`] for the client.
pub fn bind(target: &str, arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let bind = METHODS.iter().find(|(name, _)| target.eq_ignore_ascii_case(name));
    bind.map_or_else(|| Err(CallError::Unknown(short(target))), |(_, bind)| bind(arguments))
}

type Bind = fn(&[Cow<'_, str>]) -> Result<Call, CallError>;

/// The most frequent ones first.
const METHODS: [(&str, Bind); 17] = [
    ("Send", send),
    ("Typing", typing),
    ("Join", join),
    ("Leave", leave),
    ("Watch", watch),
    ("SendMany", send_many),
    ("Who", who),
    ("Tell", tell),
    ("Broadcast", |arguments| call(Audience::All, false, "Broadcast", arguments)),
    ("BroadcastToOthers", |arguments| call(Audience::All, true, "BroadcastToOthers", arguments)),
    ("SendToGroup", |arguments| send_to_group("SendToGroup", false, arguments)),
    ("SendToOthersInGroup", |arguments| send_to_group("SendToOthersInGroup", true, arguments)),
    ("SendToUser", |arguments| {
        let (user, rest) = split("SendToUser", arguments)?;
        call(Audience::User(string("user", user)?), false, "SendToUser", rest)
    }),
    ("SendToConnection", |arguments| {
        let (id, rest) = split("SendToConnection", arguments)?;
        call(Audience::Connection(string("connection id", id)?), false, "SendToConnection", rest)
    }),
    ("InvokeConnection", |arguments| {
        let (id, rest) = split("InvokeConnection", arguments)?;
        Ok(Call::Invoke {
            connection: string("connection id", id)?,
            call: client_call("InvokeConnection", rest)?,
        })
    }),
    ("AddToGroup", |arguments| group("AddToGroup", arguments).map(Call::AddToGroup)),
    ("RemoveFromGroup", |arguments| group("RemoveFromGroup", arguments).map(Call::RemoveFromGroup)),
];

/// As `Join` without a name.
fn watch(arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    match arguments {
        [room] => join(std::slice::from_ref(room)),
        [room, options] => join(&[room.clone(), "null".into(), options.clone()]),
        _ => Err(count("Watch", "a room and perhaps options", arguments)),
    }
}

fn send_many(arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let [room] = arguments else { return Err(count("SendMany", "a room and a stream of texts", arguments)) };
    Ok(Call::SendMany { room: RoomName::new(string("room", room)?)? })
}

fn tell(arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let [user, text] = arguments else { return Err(count("Tell", "a user and a text", arguments)) };
    Ok(Call::Tell { user: string("user", user)?, text: string("text", text)? })
}

fn send_to_group(
    method: &'static str,
    to_others: bool,
    arguments: &[Cow<'_, str>],
) -> Result<Call, CallError> {
    let (group, rest) = split(method, arguments)?;
    call(Audience::Group(group_name(group)?), to_others, method, rest)
}

fn group(method: &'static str, arguments: &[Cow<'_, str>]) -> Result<GroupName, CallError> {
    let [group] = arguments else { return Err(count(method, "a group", arguments)) };
    group_name(group)
}

fn group_name(argument: &str) -> Result<GroupName, CallError> {
    Ok(GroupName::new(string("group", argument)?)?)
}

fn split<'a, 'b>(
    method: &'static str,
    arguments: &'a [Cow<'b, str>],
) -> Result<(&'a str, &'a [Cow<'b, str>]), CallError> {
    let [first, rest @ ..] = arguments else {
        return Err(count(method, "whom to call, a target and its arguments", arguments));
    };
    Ok((first, rest))
}

fn call(
    audience: Audience,
    to_others: bool,
    method: &'static str,
    arguments: &[Cow<'_, str>],
) -> Result<Call, CallError> {
    Ok(Call::Call { audience, to_others, call: client_call(method, arguments)? })
}

fn client_call(method: &'static str, arguments: &[Cow<'_, str>]) -> Result<ClientCall, CallError> {
    let [target, arguments @ ..] = arguments else {
        return Err(count(method, "a target and its arguments", arguments));
    };
    let target = string("target", target)?;
    if target.is_empty() || is_reserved(&target) {
        return Err(CallError::Reserved(short(&target)));
    }
    // Each is valid JSON, but may hold a text that is none, such as half of a surrogate pair.
    let arguments = RawValue::from_string(format!("[{}]", arguments.join(",")))
        .ok()
        .filter(|arguments| serde_json::from_str::<serde_json::Value>(arguments.get()).is_ok())
        .ok_or(CallError::NotText("argument"))?;
    Ok(ClientCall { target, arguments })
}

fn send(arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let (room, text, more) = match arguments {
        [room, text] => (room, text, None),
        [room, text, options] => (room, text, Some(options)),
        _ => return Err(count("Send", "a room, a text and perhaps options", arguments)),
    };
    let options = options("Send", "{nonce: 1 to 64 characters, echo: true or false}", more)?;
    Ok(Call::Send { room: room_name(room)?, text: string("text", text)?, options })
}

fn join(arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let (room, name, more) = match arguments {
        [room] => (room, None, None),
        [room, name] => (room, Some(name), None),
        [room, name, options] => (room, Some(name), Some(options)),
        _ => return Err(count("Join", "a room and perhaps a name and options", arguments)),
    };
    let name = match name {
        Some(name) if name != "null" => MemberName::new(string("name", name)?)?,
        _ => MemberName::default(),
    };
    let takes = "{since: the id of a message, history: a number, presence: true or false}";
    Ok(Call::Join { room: room_name(room)?, name, options: options("Join", takes, more)? })
}

fn leave(arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let [room] = arguments else { return Err(count("Leave", "a room", arguments)) };
    Ok(Call::Leave { room: room_name(room)? })
}

fn typing(arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let [room] = arguments else { return Err(count("Typing", "a room", arguments)) };
    Ok(Call::Typing { room: room_name(room)? })
}

fn who(arguments: &[Cow<'_, str>]) -> Result<Call, CallError> {
    let [room] = arguments else { return Err(count("Who", "a room", arguments)) };
    Ok(Call::Who { room: room_name(room)? })
}

fn count(method: &'static str, takes: &'static str, arguments: &[Cow<'_, str>]) -> CallError {
    CallError::Count { method, takes, got: arguments.len() }
}

fn room_name(argument: &str) -> Result<RoomName, CallError> {
    Ok(RoomName::new(string("room", argument)?)?)
}

fn string(what: &'static str, argument: &str) -> Result<String, CallError> {
    serde_json::from_str(argument).map_err(|_| CallError::NotText(what))
}

/// Options are an object; what a later hub may understand is ignored.
fn options<'a, T: Deserialize<'a> + Default>(
    method: &'static str,
    takes: &'static str,
    argument: Option<&'a Cow<'_, str>>,
) -> Result<T, CallError> {
    let Some(argument) = argument else { return Ok(T::default()) };
    let given: Option<T> =
        serde_json::from_str(argument).map_err(|_| CallError::Options { method, takes })?;
    Ok(given.unwrap_or_default())
}

/// As much of a client's word as an error needs to repeat.
pub fn short(word: &str) -> String {
    word.chars().take(64).collect()
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

impl Welcome<'_> {
    /// The record for a client.
    pub fn record(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "welcome", &[self])
    }
}

/// Messages were lost, as target `gap`.
#[derive(Debug, Serialize)]
pub struct Gap<'a> {
    /// The room.
    pub room: &'a str,
    /// The last message before them, if there was one.
    pub after: Option<Position>,
}

impl Say for Gap<'_> {
    fn say(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "gap", &[self])
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

    fn join(name: MemberName, options: JoinOptions) -> Call {
        Call::Join { room: room("lobby"), name, options }
    }

    #[test]
    fn each_method_binds_its_arguments() {
        assert_eq!(
            bind("Join", &[r#""lobby""#, r#""Ada""#]),
            Ok(join(MemberName::new("Ada".into()).unwrap(), JoinOptions::default()))
        );
        assert_eq!(bind("leave", &[r#""lobby""#]), Ok(Call::Leave { room: room("lobby") }));
        assert_eq!(
            bind("SEND", &[r#""lobby""#, r#""h\u00fc""#]),
            Ok(Call::Send { room: room("lobby"), text: "hü".into(), options: SendOptions::default() })
        );
    }

    #[test]
    fn calls_of_clients_keep_their_arguments_as_they_are() {
        let said = |audience, to_others, arguments: &str| {
            let arguments = RawValue::from_string(arguments.into()).unwrap();
            Ok(Call::Call { audience, to_others, call: ClientCall { target: "draw".into(), arguments } })
        };
        let draw = r#""draw""#;

        assert_eq!(
            bind("Broadcast", &[draw, r#"{"b": 1}"#, "2"]),
            said(Audience::All, false, r#"[{"b": 1},2]"#)
        );
        assert_eq!(bind("broadcasttoothers", &[draw]), said(Audience::All, true, "[]"));
        let group = Audience::Group(GroupName::new("g".into()).unwrap());
        assert_eq!(bind("SendToOthersInGroup", &[r#""g""#, draw, "1"]), said(group, true, "[1]"));
        assert_eq!(bind("SendToUser", &[r#""u""#, draw]), said(Audience::User("u".into()), false, "[]"));
        assert_eq!(
            bind("SendToConnection", &[r#""c""#, draw]),
            said(Audience::Connection("c".into()), false, "[]")
        );
    }

    #[test]
    fn nobody_speaks_for_the_hub() {
        for target in [r#""message""#, r#""TOLD""#, r#""""#] {
            assert!(matches!(bind("Broadcast", &[target]), Err(CallError::Reserved(_))), "{target}");
        }
        assert!(bind("Broadcast", &[]).is_err() && bind("SendToGroup", &[r#""g""#]).is_err());
        assert!(bind("Broadcast", &[r#""x""#, r#""\ud800""#]).is_err());
    }

    #[test]
    fn whoever_gives_no_name_is_a_guest() {
        for arguments in [&[r#""lobby""#] as &[_], &[r#""lobby""#, "null"], &[r#""lobby""#, "null", "null"]] {
            assert_eq!(bind("Join", arguments), Ok(join(MemberName::default(), JoinOptions::default())));
        }
    }

    #[test]
    fn options_may_be_given_in_part() {
        let since = Some(Position { epoch: 17, number: 3 });
        assert_eq!(
            bind("Join", &[r#""lobby""#, "null", r#"{"since":"17-3","presence":true,"later":1}"#]),
            Ok(join(MemberName::default(), JoinOptions { since, history: None, presence: true }))
        );
        let nonce = Some(Nonce::new("n".into()).unwrap());
        assert_eq!(
            bind("Send", &[r#""lobby""#, r#""x""#, r#"{"nonce":"n"}"#]),
            Ok(Call::Send {
                room: room("lobby"),
                text: "x".into(),
                options: SendOptions { nonce, echo: true }
            })
        );
    }

    #[test]
    fn what_does_not_bind_says_what_would() {
        let says = |target, arguments: &[&str]| bind(target, arguments).unwrap_err().to_string();

        assert_eq!(says("Shout", &[]), "Unknown hub method 'Shout'.");
        assert_eq!(
            says("Send", &[r#""x""#]),
            "'Send' takes a room, a text and perhaps options, but got 1 arguments."
        );
        assert_eq!(says("Send", &["1", r#""x""#]), "The room must be a string.");
        assert_eq!(says("Send", &[r#""x""#, r#""\ud800""#]), "The text must be a string.");
        assert_eq!(says("Join", &[r#""""#]), "The room is empty; it needs 1 to 64 characters.");
        for options in [r#"{"since":"x"}"#, r#"{"history":-1}"#, "1", "[]x"] {
            assert_eq!(
                says("Join", &[r#""x""#, "null", options]),
                "The options of 'Join' are {since: the id of a message, history: a number, presence: true or false}."
            );
        }
        for nonce in [r#""""#, "1", &format!("\"{}\"", "x".repeat(65))] {
            let options = format!("{{\"nonce\":{nonce}}}");
            assert_eq!(
                says("Send", &[r#""x""#, r#""x""#, &options]),
                "The options of 'Send' are {nonce: 1 to 64 characters, echo: true or false}."
            );
        }
    }
}
