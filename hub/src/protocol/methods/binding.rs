//! Finds the method of an invocation, and reads its arguments.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{ClientCall, HubCall, Recipients};
use super::error::{CallError, short};
use crate::protocol::names::{GroupName, MemberName, RoomName};
use crate::protocol::notices::is_reserved;

/// Finds the method and checks its arguments. The case of the method's name is ignored, as in ASP.NET Core.
///
/// # Errors
/// A [`CallError`] for the client.
pub fn bind(target: &str, arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
    let bind = METHODS.iter().find(|(name, _)| target.eq_ignore_ascii_case(name));
    bind.map_or_else(|| Err(CallError::Unknown(short(target))), |(_, bind)| bind(arguments))
}

type Bind = fn(&[Cow<'_, str>]) -> Result<HubCall, CallError>;

/// All methods, the most frequent ones first.
const METHODS: [(&str, Bind); 17] = [
    ("Send", send),
    ("Typing", typing),
    ("Join", join),
    ("Leave", leave),
    ("Watch", watch),
    ("SendMany", send_many),
    ("Who", who),
    ("Tell", tell),
    ("Broadcast", |arguments| call(Recipients::All, false, "Broadcast", arguments)),
    ("BroadcastToOthers", |arguments| call(Recipients::All, true, "BroadcastToOthers", arguments)),
    ("SendToGroup", |arguments| send_to_group("SendToGroup", false, arguments)),
    ("SendToOthersInGroup", |arguments| send_to_group("SendToOthersInGroup", true, arguments)),
    ("SendToUser", |arguments| {
        let (user, rest) = split("SendToUser", arguments)?;
        call(Recipients::User(string("user", user)?), false, "SendToUser", rest)
    }),
    ("SendToConnection", |arguments| {
        let (id, rest) = split("SendToConnection", arguments)?;
        call(Recipients::Connection(string("connection id", id)?), false, "SendToConnection", rest)
    }),
    ("InvokeConnection", |arguments| {
        let (id, rest) = split("InvokeConnection", arguments)?;
        Ok(HubCall::InvokeClient {
            connection: string("connection id", id)?,
            call: client_call("InvokeConnection", rest)?,
        })
    }),
    ("AddToGroup", |arguments| group("AddToGroup", arguments).map(HubCall::AddToGroup)),
    ("RemoveFromGroup", |arguments| group("RemoveFromGroup", arguments).map(HubCall::RemoveFromGroup)),
];

/// The method `Watch`: `Join` without a name.
fn watch(arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
    match arguments {
        [room] => join(std::slice::from_ref(room)),
        [room, options] => join(&[room.clone(), "null".into(), options.clone()]),
        _ => Err(count("Watch", "a room and perhaps options", arguments)),
    }
}

fn send_many(arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
    let [room] = arguments else { return Err(count("SendMany", "a room and a stream of texts", arguments)) };
    Ok(HubCall::SendMany { room: RoomName::new(string("room", room)?)? })
}

fn tell(arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
    let [user, text] = arguments else { return Err(count("Tell", "a user and a text", arguments)) };
    Ok(HubCall::Tell { user: string("user", user)?, text: string("text", text)? })
}

fn send_to_group(
    method: &'static str,
    to_others: bool,
    arguments: &[Cow<'_, str>],
) -> Result<HubCall, CallError> {
    let (group, rest) = split(method, arguments)?;
    call(Recipients::Group(group_name(group)?), to_others, method, rest)
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
    recipients: Recipients,
    to_others: bool,
    method: &'static str,
    arguments: &[Cow<'_, str>],
) -> Result<HubCall, CallError> {
    Ok(HubCall::CallClients { recipients, to_others, call: client_call(method, arguments)? })
}

fn client_call(method: &'static str, arguments: &[Cow<'_, str>]) -> Result<ClientCall, CallError> {
    let [target, arguments @ ..] = arguments else {
        return Err(count(method, "a target and its arguments", arguments));
    };
    let target = string("target", target)?;
    if target.is_empty() || is_reserved(&target) {
        return Err(CallError::Reserved(short(&target)));
    }
    // Each argument is valid JSON, but a string in it may be invalid, such as half of a surrogate pair.
    let arguments = RawValue::from_string(format!("[{}]", arguments.join(",")))
        .ok()
        .filter(|arguments| serde_json::from_str::<serde_json::Value>(arguments.get()).is_ok())
        .ok_or(CallError::NotText("argument"))?;
    Ok(ClientCall { target, arguments })
}

fn send(arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
    let (room, text, more) = match arguments {
        [room, text] => (room, text, None),
        [room, text, options] => (room, text, Some(options)),
        _ => return Err(count("Send", "a room, a text and perhaps options", arguments)),
    };
    let options = options("Send", "{nonce: 1 to 64 characters, echo: true or false}", more)?;
    Ok(HubCall::Send { room: room_name(room)?, text: string("text", text)?, options })
}

fn join(arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
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
    Ok(HubCall::Join { room: room_name(room)?, name, options: options("Join", takes, more)? })
}

fn leave(arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
    let [room] = arguments else { return Err(count("Leave", "a room", arguments)) };
    Ok(HubCall::Leave { room: room_name(room)? })
}

fn typing(arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
    let [room] = arguments else { return Err(count("Typing", "a room", arguments)) };
    Ok(HubCall::Typing { room: room_name(room)? })
}

fn who(arguments: &[Cow<'_, str>]) -> Result<HubCall, CallError> {
    let [room] = arguments else { return Err(count("Who", "a room", arguments)) };
    Ok(HubCall::Who { room: room_name(room)? })
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

/// Reads the options, which are an object. Unknown fields are ignored, because a later hub may know them.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::methods::{JoinOptions, SendOptions};
    use crate::protocol::names::Nonce;
    use crate::protocol::position::Position;

    fn room(name: &str) -> RoomName {
        RoomName::new(name.into()).unwrap()
    }

    fn bind(target: &str, arguments: &[&str]) -> Result<HubCall, CallError> {
        let arguments: Vec<_> = arguments.iter().map(|&argument| Cow::from(argument)).collect();
        super::bind(target, &arguments)
    }

    fn join(name: MemberName, options: JoinOptions) -> HubCall {
        HubCall::Join { room: room("lobby"), name, options }
    }

    #[test]
    fn each_method_binds_its_arguments() {
        assert_eq!(
            bind("Join", &[r#""lobby""#, r#""Ada""#]),
            Ok(join(MemberName::new("Ada".into()).unwrap(), JoinOptions::default()))
        );
        assert_eq!(bind("leave", &[r#""lobby""#]), Ok(HubCall::Leave { room: room("lobby") }));
        assert_eq!(
            bind("SEND", &[r#""lobby""#, r#""h\u00fc""#]),
            Ok(HubCall::Send { room: room("lobby"), text: "hü".into(), options: SendOptions::default() })
        );
    }

    #[test]
    fn calls_of_clients_keep_their_arguments_as_they_are() {
        let said = |recipients, to_others, arguments: &str| {
            let arguments = RawValue::from_string(arguments.into()).unwrap();
            Ok(HubCall::CallClients {
                recipients,
                to_others,
                call: ClientCall { target: "draw".into(), arguments },
            })
        };
        let draw = r#""draw""#;

        assert_eq!(
            bind("Broadcast", &[draw, r#"{"b": 1}"#, "2"]),
            said(Recipients::All, false, r#"[{"b": 1},2]"#)
        );
        assert_eq!(bind("broadcasttoothers", &[draw]), said(Recipients::All, true, "[]"));
        let group = Recipients::Group(GroupName::new("g".into()).unwrap());
        assert_eq!(bind("SendToOthersInGroup", &[r#""g""#, draw, "1"]), said(group, true, "[1]"));
        assert_eq!(bind("SendToUser", &[r#""u""#, draw]), said(Recipients::User("u".into()), false, "[]"));
        assert_eq!(
            bind("SendToConnection", &[r#""c""#, draw]),
            said(Recipients::Connection("c".into()), false, "[]")
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
            Ok(HubCall::Send {
                room: room("lobby"),
                text: "x".into(),
                options: SendOptions { nonce, echo: true }
            })
        );
    }

    #[test]
    fn what_does_not_bind_says_what_would() {
        let error = |target, arguments: &[&str]| bind(target, arguments).unwrap_err().to_string();

        assert_eq!(error("Shout", &[]), "Unknown hub method 'Shout'.");
        assert_eq!(
            error("Send", &[r#""x""#]),
            "'Send' takes a room, a text and perhaps options, but got 1 arguments."
        );
        assert_eq!(error("Send", &["1", r#""x""#]), "The room must be a string.");
        assert_eq!(error("Send", &[r#""x""#, r#""\ud800""#]), "The text must be a string.");
        assert_eq!(error("Join", &[r#""""#]), "The room is empty; it needs 1 to 64 characters.");
        for options in [r#"{"since":"x"}"#, r#"{"history":-1}"#, "1", "[]x"] {
            assert_eq!(
                error("Join", &[r#""x""#, "null", options]),
                "The options of 'Join' are {since: the id of a message, history: a number, presence: true or false}."
            );
        }
        for nonce in [r#""""#, "1", &format!("\"{}\"", "x".repeat(65))] {
            let options = format!("{{\"nonce\":{nonce}}}");
            assert_eq!(
                error("Send", &[r#""x""#, r#""x""#, &options]),
                "The options of 'Send' are {nonce: 1 to 64 characters, echo: true or false}."
            );
        }
    }
}
