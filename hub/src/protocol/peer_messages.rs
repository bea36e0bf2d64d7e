//! Messages between hubs that are not stored: invocations of clients, replies to them, and claims of
//! connections.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use signalr::encoding::{Encode, Encoding};
use signalr::record::{JsonText, Record};

use super::handover_state::{HandoverState, Subscriptions};

/// An invocation of clients' methods that travels between hubs.
#[derive(Debug, Serialize, Deserialize)]
pub struct PeerInvocation<'a> {
    /// The connection that does not get the invocation.
    #[serde(rename = "x", borrow, default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Cow<'a, str>>,
    /// The id of the only connection that gets the invocation.
    #[serde(rename = "to", borrow, default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Cow<'a, str>>,
    /// The id with which that connection completes the invocation, if a result is wanted.
    #[serde(rename = "q", borrow, default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<Cow<'a, str>>,
    /// The method.
    #[serde(rename = "t", borrow)]
    pub target: Cow<'a, str>,
    /// The arguments, a JSON array.
    #[serde(rename = "a", borrow)]
    pub arguments: &'a RawValue,
}

impl<'a> PeerInvocation<'a> {
    /// Parses the text of [`PeerInvocation::json`].
    pub fn read(payload: &'a str) -> Option<Self> {
        let invocation: Self = serde_json::from_str(payload).ok()?;
        invocation.arguments.get().starts_with('[').then_some(invocation)
    }

    /// The invocation as it is sent over the backplane.
    #[allow(clippy::missing_panics_doc)]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("an invocation always has a JSON form")
    }
}

impl Encode for PeerInvocation<'_> {
    fn encode(&self, encoding: Encoding) -> Record {
        encoding.invocation(self.invocation_id.as_deref(), &self.target, &JsonText(self.arguments.get()))
    }
}

/// The reply to an invocation that wants a result or to a handover claim, for the hub that published it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PeerReply<'a> {
    /// The id of the invocation or claim.
    #[serde(rename = "of", borrow)]
    pub request_id: Cow<'a, str>,
    /// The hub that has the connection, with [`ReplyOutcome::Delivered`]; `None` while the connection is
    /// being handed over to another hub.
    #[serde(rename = "by", borrow, default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Cow<'a, str>>,
    /// The outcome of the request.
    #[serde(rename = "fate")]
    pub outcome: ReplyOutcome,
}

/// The outcome of an invocation or a claim, see [`PeerReply`].
#[derive(Debug, Serialize, Deserialize)]
pub enum ReplyOutcome {
    /// The connection exists, and its client received the invocation. This is sent again if the client
    /// continues on another hub.
    #[serde(rename = "asked")]
    Delivered,
    /// The result of the client's method.
    #[serde(rename = "gave")]
    Result(Box<RawValue>),
    /// The error of the client's method, in the client's words.
    #[serde(rename = "failed")]
    Error(String),
    /// The client left before it completed the invocation.
    #[serde(rename = "left")]
    Disconnected,
    /// The invocation was not delivered, because the client has too many unanswered invocations already.
    #[serde(rename = "busy")]
    Busy,
    /// The claimed connection is on this hub; these are its subscriptions.
    #[serde(rename = "found")]
    Subscriptions(Box<Subscriptions>),
    /// The state of the claimed connection, which is no longer on this hub.
    #[serde(rename = "moved")]
    State(Box<HandoverState>),
    /// The hub that had the connection is gone. This is never sent: other hubs conclude it.
    #[serde(skip)]
    HubGone,
}

impl<'a> PeerReply<'a> {
    /// Parses the text of [`PeerReply::json`].
    pub fn read(payload: &'a str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }

    /// The reply as it is sent over the backplane.
    #[allow(clippy::missing_panics_doc)]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a reply always has a JSON form")
    }
}

/// The claim of a hub to a connection whose client has reconnected there. It is sent twice: first to ask for
/// the connection's subscriptions; then, once the hub has made these subscriptions itself, to take over the
/// connection.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandoverClaim<'a> {
    /// The id of the connection.
    #[serde(rename = "claim", borrow)]
    pub connection: Cow<'a, str>,
    /// The id of this claim, see [`PeerReply::request_id`].
    #[serde(rename = "q", borrow)]
    pub request_id: Cow<'a, str>,
    /// True in the second claim. Redis delivers everything to all hubs in one order: messages before this
    /// claim are delivered to the client by the hub that has the connection, and messages after it by the
    /// claiming hub.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl<'a> HandoverClaim<'a> {
    /// Parses the text of [`HandoverClaim::json`].
    pub fn read(payload: &'a str) -> Option<Self> {
        // Most payloads are not claims, and need not be parsed to find that out.
        if payload.starts_with("{\"claim\":") { serde_json::from_str(payload).ok() } else { None }
    }

    /// The claim as it is sent over the backplane.
    #[allow(clippy::missing_panics_doc)]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a claim always has a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_reaches_clients_as_it_was_sent() {
        let payload = r#"{"x":"me.7","t":"draw","a":[{"b":1,"a":"\u00fc"},null]}"#;

        let invocation = PeerInvocation::read(payload).unwrap();

        assert_eq!(invocation.json(), payload);
        assert_eq!(
            invocation.encode(Encoding::Json)[..],
            *b"{\"type\":1,\"target\":\"draw\",\"arguments\":[{\"b\":1,\"a\":\"\\u00fc\"},null]}\x1e"
        );
        let same = serde_json::json!([{"b": 1, "a": "ü"}, null]);
        assert_eq!(
            invocation.encode(Encoding::MessagePack),
            Encoding::MessagePack.invocation(None, "draw", &same)
        );
    }

    #[test]
    fn an_invocation_that_wants_a_result_has_an_id() {
        let payload = r#"{"to":"c","q":"me-7-1","t":"ask","a":[]}"#;

        let invocation = PeerInvocation::read(payload).unwrap();

        assert_eq!(invocation.json(), payload);
        assert_eq!(
            invocation.encode(Encoding::Json)[..],
            *b"{\"type\":1,\"invocationId\":\"me-7-1\",\"target\":\"ask\",\"arguments\":[]}\x1e"
        );
    }

    #[test]
    fn replies_read_what_they_made() {
        for payload in [
            r#"{"of":"me-7-1","by":"you","fate":"asked"}"#,
            r#"{"of":"me-7-1","fate":"asked"}"#,
            r#"{"of":"me-7-1","fate":{"gave":null}}"#,
            r#"{"of":"me-7-1","fate":{"gave":{"b":1,"a":[]}}}"#,
            r#"{"of":"me-7-1","fate":{"failed":"no"}}"#,
            r#"{"of":"me-7-1","fate":"left"}"#,
            r#"{"of":"me-7-1","fate":{"found":{"messagepack":true,"user":null,"groups":["g"],"was":"you.7"}}}"#,
            r#"{"of":"me-7-1","fate":{"moved":{"rooms":[],"groups":[],"owes":[],"received":3,"first":2,"unconfirmed":["AQL/"]}}}"#,
        ] {
            assert_eq!(PeerReply::read(payload).unwrap().json(), payload);
            assert!(PeerInvocation::read(payload).is_none());
        }
        assert!(PeerReply::read(r#"{"of":"me-7-1"}"#).is_none());
        assert!(PeerReply::read(r#"{"of":"me-7-1","fate":"gone"}"#).is_none());
        assert!(PeerReply::read(r#"{"t":"x","a":[]}"#).is_none());
    }

    #[test]
    fn what_is_no_invocation_is_not_read() {
        for payload in ["", "{}", r#"{"t":"x","a":1}"#, r#"{"t":"x"}"#, r#"{"t":1,"a":[]}"#] {
            assert!(PeerInvocation::read(payload).is_none(), "{payload}");
        }
    }

    #[test]
    fn claims_read_what_they_made() {
        for payload in [r#"{"claim":"c","q":"me-7-1"}"#, r#"{"claim":"c","q":"me-7-1","cut":true}"#] {
            assert_eq!(HandoverClaim::read(payload).unwrap().json(), payload);
        }
    }
}
