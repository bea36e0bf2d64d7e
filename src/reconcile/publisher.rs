//! Writes Kubernetes events, each once, beside the reconciles and few at a time: when a thousand clusters
//! are created, most of the API server's time goes to their children.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::warn;

use crate::reconcile::events::EventContent;
use crate::shutdown;
use chatcluster_api::names::OPERATOR;

/// The time for which an event that repeats itself is not written again.
const QUIET: Duration = Duration::from_mins(1);
/// The longest note that the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;
/// The most events that wait to be written. A reconcile with one more waits as well.
const WAITING: usize = 2048;
/// The number of events that are written at a time.
const AT_ONCE: usize = 2;
/// The time for writing the remaining events when the operator is asked to end.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// Queues events to be written.
pub struct Publisher {
    instance: String,
    queue: mpsc::Sender<Event>,
    recent: Mutex<Recent>,
}

/// The task that writes the queued events.
pub struct Publishing {
    task: JoinHandle<()>,
    ends: watch::Sender<bool>,
}

/// The events of the last minute, so that none is repeated.
#[derive(Default)]
struct Recent {
    /// The time of each event, by a hash of the cluster's uid, the reason and the note.
    at: HashMap<u64, Instant>,
    /// The time of the last removal of old entries. It is not done for each event, or a thousand clusters
    /// would pay for each other.
    swept: Option<Instant>,
}

impl Publisher {
    /// Starts the task that writes events. `instance` is the name of the operator's pod. Needs a Tokio
    /// runtime.
    pub fn start(client: Client, instance: String) -> (Arc<Self>, Publishing) {
        let (queue, queued) = mpsc::channel(WAITING);
        let (ends, ending) = watch::channel(false);
        let task = tokio::spawn(write_all(client, queued, ending));
        (Arc::new(Self { instance, queue, recent: Mutex::default() }), Publishing { task, ends })
    }

    /// Publishes an event about the cluster soon, unless the same one was published a moment ago. An event
    /// that cannot be written is logged and lost: events are a courtesy, and no reconcile fails for one.
    pub async fn publish(&self, cluster: &ObjectReference, content: EventContent) {
        if self.is_new(cluster, &content) {
            // The queue is closed only at the very end.
            let _ = self.queue.send(self.event(cluster, content)).await;
        }
    }

    fn is_new(&self, cluster: &ObjectReference, content: &EventContent) -> bool {
        let now = Instant::now();
        let is_lately = |at: Instant| now.duration_since(at) < QUIET;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if !recent.swept.is_some_and(is_lately) {
            recent.at.retain(|_, at| is_lately(*at));
            recent.at.shrink_to_fit();
            recent.swept = Some(now);
        }
        let mut hasher = DefaultHasher::new();
        (&cluster.uid, &content.reason, &content.note).hash(&mut hasher);
        !recent.at.insert(hasher.finish(), now).is_some_and(is_lately)
    }

    fn event(&self, cluster: &ObjectReference, content: EventContent) -> Event {
        let now = Timestamp::now();
        let name = cluster.name.as_deref().unwrap_or_default();
        let mut note = content.note;
        let mut end = note.len().min(LONGEST_NOTE);
        while !note.is_char_boundary(end) {
            end -= 1;
        }
        note.truncate(end);
        Event {
            metadata: ObjectMeta {
                // A name as client-go makes it: unique, and sorted by object in a listing.
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: Some(cluster.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            type_: Some(if content.warning { "Warning" } else { "Normal" }.to_owned()),
            action: Some("Reconcile".to_owned()),
            reason: Some(content.reason),
            note: Some(note),
            regarding: Some(cluster.clone()),
            related: content.related,
            reporting_controller: Some(OPERATOR.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }
}

impl Publishing {
    /// Writes the remaining events, for a short time at most, and no new ones. Call it while the operator
    /// still leads.
    pub async fn finish(self) {
        self.ends.send_replace(true);
        if tokio::time::timeout(LAST_EVENTS, self.task).await.is_err() {
            warn!("the operator ends before all events are written");
        }
    }
}

/// Writes events until `ending`, and then the remaining ones.
async fn write_all(client: Client, queue: mpsc::Receiver<Event>, ending: watch::Receiver<bool>) {
    let events = stream::unfold(queue, |mut queue| async {
        let event = tokio::select! {
            event = queue.recv() => event,
            () = shutdown::wait(ending.clone()) => {
                queue.close();
                queue.recv().await
            }
        };
        Some((event?, queue))
    });
    events.for_each_concurrent(AT_ONCE, |event| write(&client, event)).await;
}

async fn write(client: &Client, event: Event) {
    let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let reason = event.reason.clone();
    if let Err(error) = api.create(&PostParams::default(), &event).await {
        warn!(%error, reason, "an event could not be written");
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::{Request, Response};
    use kube::client::Body;
    use tokio::sync::Semaphore;
    use tower::service_fn;

    use super::*;

    #[derive(Default)]
    struct Server {
        under_way: usize,
        most: usize,
        written: usize,
    }

    #[tokio::test]
    async fn all_events_are_written_before_the_end_and_few_at_a_time() {
        let server = Arc::new(Mutex::new(Server::default()));
        let answers = Arc::new(Semaphore::new(0));
        let client = {
            let (server, answers) = (Arc::clone(&server), Arc::clone(&answers));
            Client::new(
                service_fn(move |_: Request<Body>| {
                    let (server, answers) = (Arc::clone(&server), Arc::clone(&answers));
                    async move {
                        {
                            let mut server = server.lock().unwrap();
                            server.under_way += 1;
                            server.most = server.most.max(server.under_way);
                        }
                        answers.acquire().await.unwrap().forget();
                        let mut server = server.lock().unwrap();
                        server.under_way -= 1;
                        server.written += 1;
                        Ok::<_, Infallible>(Response::new(Body::from(b"{\"metadata\":{}}".to_vec())))
                    }
                }),
                "default",
            )
        };
        let (publisher, publishing) = Publisher::start(client, "operator-0".to_owned());
        let cluster = ObjectReference { name: Some("lobby".to_owned()), ..ObjectReference::default() };
        let content = |note: String| EventContent {
            warning: false,
            reason: "Repaired".to_owned(),
            note,
            related: None,
        };

        for n in 0..8 {
            publisher.publish(&cluster, content(format!("{n} is back"))).await;
        }
        publisher.publish(&cluster, content("7 is back".to_owned())).await;
        while server.lock().unwrap().under_way < AT_ONCE {
            tokio::task::yield_now().await;
        }
        tokio::join!(publishing.finish(), async { answers.add_permits(8) });
        publisher.publish(&cluster, content("too late".to_owned())).await;

        let server = server.lock().unwrap();
        assert_eq!((server.written, server.most), (8, AT_ONCE));
    }
}
