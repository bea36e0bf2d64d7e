//! A call of clients' methods, as it travels between the pods. It is stored nowhere.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use signalr::encoding::{Encoding, Say};
use signalr::record::{JsonText, Record};

use super::moving::{Hears, Moving};

/// Targets that only the hub itself calls, so that no client can put words into another one's mouth.
const RESERVED: [&str; 6] = ["welcome", "message", "presence", "typing", "gap", "told"];

/// Whether a target is the hub's own. The npm client takes no notice of case.
pub fn is_reserved(target: &str) -> bool {
    RESERVED.iter().any(|reserved| target.eq_ignore_ascii_case(reserved))
}

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub struct Word<'a> {
    /// The connection that does not hear it.
    #[serde(rename = "x", borrow, default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Cow<'a, str>>,
    /// The only connection that hears it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Cow<'a, str>>,
    /// That connection is to answer, with this as the id of the call.
    #[serde(rename = "q", borrow, default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Cow<'a, str>>,
    /// The method.
    #[serde(rename = "t", borrow)]
    pub target: Cow<'a, str>,
    /// Its arguments, an array.
    #[serde(rename = "a", borrow)]
    pub arguments: &'a RawValue,
}

impl<'a> Word<'a> {
    /// Reads what [`Word::json`] wrote.
    pub fn read(payload: &'a str) -> Option<Self> {
        let word: Self = serde_json::from_str(payload).ok()?;
        word.arguments.get().starts_with('[').then_some(word)
    }

    /// As it goes over the backplane.
    #[allow(clippy::missing_panics_doc)]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a word always has a JSON form")
    }
}

impl Say for Word<'_> {
    fn say(&self, encoding: Encoding) -> Record {
        encoding.invocation(self.question.as_deref(), &self.target, &JsonText(self.arguments.get()))
    }
}

/// What became of a call that wants an answer, on its way back to the hub whose client asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reply<'a> {
    /// The call.
    #[serde(borrow)]
    pub of: Cow<'a, str>,
    /// The hub that has the connection, with [`Fate::Asked`]; none while the connection is on its way to another one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Cow<'a, str>>,
    /// What became of it.
    pub fate: Fate,
}

/// See [`Reply`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// The connection is found, and its client was asked. Again, if the client goes on at another hub.
    Asked,
    /// The client's method gave this back.
    Gave(Box<RawValue>),
    /// The client's method failed, in the client's words.
    Failed(String),
    /// The client left before it answered.
    Left,
    /// The client was not asked, for it owes too many answers already.
    Busy,
    /// The connection that was claimed is there, and this is what it hears.
    Found(Box<Hears>),
    /// The connection that was claimed.
    Moved(Box<Moving>),
    /// The hub that had the connection is gone. No hub says that of itself.
    #[serde(skip)]
    Gone,
}

impl<'a> Reply<'a> {
    /// Reads what [`Reply::json`] wrote.
    pub fn read(payload: &'a str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }

    /// As it goes over the backplane.
    #[allow(clippy::missing_panics_doc)]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a reply always has a JSON form")
    }
}

/// A hub asks for a connection whose client has come to it: first whether it is there, and what it hears; then, once it hears all
/// that itself, to have it given away.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claim<'a> {
    /// The connection.
    #[serde(borrow)]
    pub claim: Cow<'a, str>,
    /// What the answer is called, see [`Reply::of`].
    #[serde(rename = "q", borrow)]
    pub question: Cow<'a, str>,
    /// The second time. Redis brings everything to all hubs in one order: what comes before this is told to the client by the hub
    /// that has it, and what comes after by the one that asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl<'a> Claim<'a> {
    /// Reads what [`Claim::json`] wrote.
    pub fn read(payload: &'a str) -> Option<Self> {
        // Most of what comes is none: it need not be parsed to know.
        if payload.starts_with("{\"claim\":") { serde_json::from_str(payload).ok() } else { None }
    }

    /// As it goes over the backplane.
    #[allow(clippy::missing_panics_doc)]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a claim always has a JSON form")
    }
}

/// Someone speaks to a user, as target `told`.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    /// What the speaker is called.
    pub from: &'a str,
    /// By its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// What was said.
    pub text: &'a str,
    /// When the hub took it, in milliseconds since 1970.
    pub at: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reaches_clients_as_it_was_said() {
        let payload = r#"{"x":"me.7","t":"draw","a":[{"b":1,"a":"\u00fc"},null]}"#;

        let word = Word::read(payload).unwrap();

        assert_eq!(word.json(), payload);
        assert_eq!(
            word.say(Encoding::Json)[..],
            *b"{\"type\":1,\"target\":\"draw\",\"arguments\":[{\"b\":1,\"a\":\"\\u00fc\"},null]}\x1e"
        );
        let same = serde_json::json!([{"b": 1, "a": "ü"}, null]);
        assert_eq!(word.say(Encoding::MessagePack), Encoding::MessagePack.invocation(None, "draw", &same));
    }

    #[test]
    fn a_word_that_wants_an_answer_is_a_call_with_an_id() {
        let payload = r#"{"to":"c","q":"me-7-1","t":"ask","a":[]}"#;

        let word = Word::read(payload).unwrap();

        assert_eq!(word.json(), payload);
        assert_eq!(
            word.say(Encoding::Json)[..],
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
            assert_eq!(Reply::read(payload).unwrap().json(), payload);
            assert!(Word::read(payload).is_none());
        }
        assert!(Reply::read(r#"{"of":"me-7-1"}"#).is_none());
        assert!(Reply::read(r#"{"of":"me-7-1","fate":"gone"}"#).is_none());
        assert!(Reply::read(r#"{"t":"x","a":[]}"#).is_none());
    }

    #[test]
    fn what_is_no_word_is_not_read() {
        for payload in ["", "{}", r#"{"t":"x","a":1}"#, r#"{"t":"x"}"#, r#"{"t":1,"a":[]}"#] {
            assert!(Word::read(payload).is_none(), "{payload}");
        }
    }

    #[test]
    fn the_hub_s_own_targets_are_reserved_in_any_case() {
        assert!(is_reserved("Message") && is_reserved("told") && !is_reserved("draw"));
    }
}
