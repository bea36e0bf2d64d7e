//! Who is in a room: what pods tell each other on its channel, and what clients are told.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

#[cfg(doc)]
use super::said::Origin;
use signalr::encoding::{Encoding, Say};
use signalr::record::Record;

/// What pods tell each other of a room, besides its messages.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "lowercase")]
pub enum Event<'a> {
    /// Some came to a pod, some went.
    Changed {
        /// The process.
        #[serde(borrow)]
        i: Cow<'a, str>,
        /// Its pod.
        #[serde(borrow)]
        p: Cow<'a, str>,
        /// How many are there now.
        n: usize,
        /// Who came, or is called otherwise now.
        #[serde(borrow)]
        j: Vec<Guest<'a>>,
        /// Who went.
        l: Vec<u64>,
        /// What those of who came were that came from other pods, see [`Origin`]: there they are no more.
        #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
        f: Vec<Cow<'a, str>>,
    },
    /// All who are on a pod.
    List {
        /// The process.
        #[serde(borrow)]
        i: Cow<'a, str>,
        /// Its pod.
        #[serde(borrow)]
        p: Cow<'a, str>,
        /// How many are there now.
        n: usize,
        /// The first of them.
        #[serde(borrow)]
        m: Vec<Guest<'a>>,
        /// As in [`Event::Changed`].
        #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
        f: Vec<Cow<'a, str>>,
        /// The others are to say the same of themselves.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ask: bool,
    },
    /// Someone is writing.
    Typing {
        /// The connection.
        #[serde(borrow)]
        by: Cow<'a, str>,
        /// What it is called.
        #[serde(borrow)]
        from: Cow<'a, str>,
    },
}

impl<'a> Event<'a> {
    /// Reads what [`Event::json`] wrote.
    pub fn read(payload: &'a str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }

    /// As it goes over the backplane.
    #[allow(clippy::missing_panics_doc)]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("an event always has a JSON form")
    }
}

/// A member as pods tell each other of it: its key, its name, its user.
#[derive(Debug, Serialize, Deserialize)]
pub struct Guest<'a>(
    /// The connection's key in its process.
    pub u64,
    /// What it is called.
    #[serde(borrow)]
    pub Cow<'a, str>,
    /// By its token.
    #[serde(borrow)]
    pub Option<Cow<'a, str>>,
);

/// A member as clients know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// What it is called.
    pub name: String,
    /// The pod that serves it.
    #[serde(serialize_with = "text")]
    pub pod: Arc<str>,
    /// By its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// Who came and went, as target `presence`.
#[derive(Debug, Serialize)]
pub struct Presence<'a> {
    /// The room.
    pub room: &'a str,
    /// How many are in it.
    pub count: usize,
    /// How many pods serve them.
    pub pods: usize,
    /// Who came; nobody in large rooms.
    pub joined: Vec<Person>,
    /// Who went; nobody in large rooms.
    pub left: Vec<Person>,
}

impl Say for Presence<'_> {
    fn say(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "presence", &[self])
    }
}

/// Someone else is writing, as target `typing`.
#[derive(Debug, Serialize)]
pub struct Typing<'a> {
    /// The room.
    pub room: &'a str,
    /// What that one is called.
    pub from: &'a str,
}

impl Say for Typing<'_> {
    fn say(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "typing", &[self])
    }
}
