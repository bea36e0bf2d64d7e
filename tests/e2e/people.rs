//! People at the chat: each uses a client of npm's `@microsoft/signalr`, or of `socket.io-client`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::Program;
use crate::support::{Chat, Namespace, PODS};

/// The bound for a message, which takes milliseconds.
const A_MESSAGE: Duration = Duration::from_secs(15);

/// The clients of one address.
pub(crate) struct People {
    program: Program,
    url: String,
}

impl People {
    /// Clients of the public address of a ready cluster.
    pub(crate) async fn of(chat: &Chat<'_>) -> Self {
        Self { program: Program::start("signalr.mjs"), url: format!("http://{}/hub", address(chat).await) }
    }

    /// Clients of a chat of `samples/socketio`.
    pub(crate) async fn of_socketio(chat: &Chat<'_>) -> Self {
        Self { program: Program::start("socketio.mjs"), url: format!("http://{}", address(chat).await) }
    }

    /// Connects to the hub that the load balancer chooses.
    pub(crate) async fn arrive(&self, name: &'static str) -> Person<'_> {
        self.arrive_not_at(name, &[]).await
    }

    /// Connects to a hub that serves none of these people.
    pub(crate) async fn arrive_apart(&self, name: &'static str, from: &[&Person<'_>]) -> Person<'_> {
        let pods: Vec<&str> = from.iter().map(|person| person.pod.as_str()).collect();
        self.arrive_not_at(name, &pods).await
    }

    /// Connects to a hub that is none of these pods.
    pub(crate) async fn arrive_not_at(&self, name: &'static str, pods: &[&str]) -> Person<'_> {
        let how = json!({"client": name, "url": self.url, "avoid": pods, "seconds": 60});
        let pod = self.program.must("connect", how).await["pod"].as_str().expect("a pod").to_owned();
        Person { people: self, name, pod }
    }

    /// Connects without negotiation, by opening a WebSocket at once.
    pub(crate) async fn arrive_without_negotiation(&self, name: &'static str) -> Person<'_> {
        let how = json!({"client": name, "url": self.url, "skipNegotiation": true});
        let pod = self.program.must("connect", how).await["pod"].as_str().expect("a pod").to_owned();
        Person { people: self, name, pod }
    }

    /// Ada and Bob, connected to two hubs, both in the room `garden`.
    pub(crate) async fn two_in_the_garden(&self) -> [Person<'_>; 2] {
        let ada = self.arrive("ada").await;
        let bob = self.arrive_apart("bob", &[&ada]).await;
        for person in [&ada, &bob] {
            person.join("garden").await;
        }
        [ada, bob]
    }
}

/// The public address of a ready cluster.
pub(crate) async fn address(chat: &Chat<'_>) -> String {
    let status = chat.get().await.status.unwrap_or_default();
    status.address.unwrap_or_else(|| panic!("ChatCluster {} is ready but has no address", chat.name))
}

/// One client.
pub(crate) struct Person<'a> {
    people: &'a People,
    pub(crate) name: &'static str,
    /// The hub pod that served the client when it connected.
    pub(crate) pod: String,
}

impl Person<'_> {
    pub(crate) async fn join(&self, room: &str) {
        self.people.program.must("join", json!({"client": self.name, "room": room})).await;
    }

    pub(crate) async fn leave(&self, room: &str) {
        self.people.program.must("leave", json!({"client": self.name, "room": room})).await;
    }

    pub(crate) async fn say(&self, room: &str, text: &str) {
        self.people.program.must("send", json!({"client": self.name, "room": room, "text": text})).await;
    }

    /// Sends a message, which may fail while something is down.
    pub(crate) async fn try_to_say(&self, room: &str, text: &str) -> Result<(), String> {
        let send = self.people.program.ask("send", json!({"client": self.name, "room": room, "text": text}));
        match tokio::time::timeout(Duration::from_secs(5), send).await {
            Ok(answer) => answer.map(|_| ()),
            Err(_) => Err("no answer in 5 s".into()),
        }
    }

    /// Waits for a message with this text, and returns it.
    pub(crate) async fn hears(&self, text: &str) -> Value {
        match self.heard_within(A_MESSAGE, text).await {
            Some(message) => message,
            None => panic!(
                "{} at {} did not hear “{text}” within {A_MESSAGE:?}; the events were: {:#?}",
                self.name,
                self.pod,
                self.people.program.events()
            ),
        }
    }

    pub(crate) async fn heard_within(&self, bound: Duration, text: &str) -> Option<Value> {
        self.people.program.event(bound, |event| self.is_message(event) && event["text"] == text).await
    }

    /// The texts of all messages that were received so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        let events = self.people.program.events();
        let texts = events.iter().filter(|event| self.is_message(event));
        texts.map(|event| event["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn is_message(&self, event: &Value) -> bool {
        event["event"] == "message" && event["client"] == self.name
    }

    /// Waits until the client has reconnected and rejoined its rooms. Returns the pod that serves it now.
    pub(crate) async fn reconnects(&self) -> String {
        let back = |event: &Value| event["event"] == "reconnected" && event["client"] == self.name;
        match self.people.program.event(PODS, back).await {
            Some(event) => event["pod"].as_str().unwrap_or_default().to_owned(),
            None => {
                panic!("{} did not reconnect within {PODS:?}: {:#?}", self.name, self.people.program.events())
            }
        }
    }

    /// True if the client has ever lost its connection.
    pub(crate) fn was_interrupted(&self) -> bool {
        let events = self.people.program.events();
        events.iter().any(|event| event["event"] == "reconnecting" && event["client"] == self.name)
    }
}

/// Asserts that everyone hears everyone, including themselves.
pub(crate) async fn everyone_hears_everyone(room: &str, people: &[&Person<'_>]) {
    for from in people {
        let text = format!("{} says {:08x}", from.name, rand::random::<u32>());
        from.say(room, &text).await;
        for to in people {
            let message = to.hears(&text).await;
            assert_eq!(message["from"], from.name);
            assert_eq!(message["room"], room);
        }
    }
}

/// The pods that serve these people.
pub(crate) fn pods_of(people: &[&Person<'_>]) -> BTreeSet<String> {
    people.iter().map(|person| person.pod.clone()).collect()
}

/// Has both speak until each has heard the other.
pub(crate) async fn speak_until_heard(ns: &Namespace, one: &Person<'_>, other: &Person<'_>) {
    speaks_until_heard(ns, one, other).await;
    speaks_until_heard(ns, other, one).await;
}

/// Sends a new message every second until the other person hears one of them.
pub(crate) async fn speaks_until_heard(ns: &Namespace, from: &Person<'_>, to: &Person<'_>) {
    let what = format!("{} hears {}", to.name, from.name);
    ns.eventually(PODS, &what, async || {
        let text = format!("can you hear me? {:08x}", rand::random::<u32>());
        from.try_to_say("garden", &text).await?;
        to.heard_within(Duration::from_secs(1), &text)
            .await
            .map(|_| ())
            .ok_or_else(|| "the message was sent but not heard".into())
    })
    .await;
}
