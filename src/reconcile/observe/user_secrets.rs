//! Secrets of users that a spec refers to. They carry no label of ours, so each is followed by a watch of its own, for as
//! long as some `ChatCluster` names it; no other Secret is read.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::key::Key;
use crate::metrics::Metrics;
use crate::queue::{Queue, Urgency};
use crate::reconcile::validate::{SecretKey, UserSecret};
use crate::store::watches::events;

/// How long the first answer of a new watch may take.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// The Secrets that are followed.
pub struct UserSecrets {
    client: Client,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    followed: Mutex<HashMap<Key, Follower>>,
}

#[derive(Debug)]
struct Follower {
    /// The names of the clusters that refer to it, in its namespace.
    clusters: Arc<Mutex<BTreeSet<String>>>,
    state: watch::Receiver<State>,
    task: AbortHandle,
}

#[derive(Clone, Debug)]
enum State {
    Unknown,
    Missing,
    Found(Arc<Secret>),
}

/// The API server did not say in time whether a Secret exists.
#[derive(Debug, Error)]
#[error("the API server did not say in time whether the Secret {0} exists")]
pub struct NoAnswer(String);

impl UserSecrets {
    /// Follows nothing yet.
    pub fn new(client: Client, queue: Arc<Queue>, metrics: Arc<Metrics>) -> Self {
        Self { client, queue, metrics, followed: Mutex::default() }
    }

    /// The Secrets that the cluster's spec names now; from here on their changes trigger the cluster, and those of what the
    /// spec named before no longer do.
    pub async fn follow<const N: usize>(
        &self,
        namespace: &str,
        cluster: &str,
        wanted: [Option<SecretKey>; N],
    ) -> Result<[UserSecret; N], NoAnswer> {
        let names: Vec<&str> = wanted.iter().flatten().map(|wanted| wanted.name.as_str()).collect();
        self.leave(namespace, cluster, &names);
        let mut found = [const { UserSecret::NotNamed }; N];
        for (found, wanted) in found.iter_mut().zip(wanted) {
            if let Some(wanted) = wanted {
                *found = self.known(namespace, cluster, wanted).await?;
            }
        }
        Ok(found)
    }

    /// The Secret, as soon as anything is known of it.
    async fn known(&self, namespace: &str, cluster: &str, wanted: SecretKey) -> Result<UserSecret, NoAnswer> {
        let mut state = self.join(namespace, cluster, &wanted.name);
        let known = state.wait_for(|state| !matches!(state, State::Unknown));
        let known = tokio::time::timeout(FIRST_ANSWER, known).await;
        match known.map_err(|_| NoAnswer(wanted.name.clone())) {
            Ok(Ok(state)) => Ok(match &*state {
                State::Found(secret) => UserSecret::Found(wanted, secret.clone()),
                State::Missing | State::Unknown => UserSecret::Missing(wanted),
            }),
            Ok(Err(_)) => Err(NoAnswer(wanted.name.clone())),
            Err(no_answer) => Err(no_answer),
        }
    }

    /// The cluster refers to no Secrets but `except`. A Secret that nobody refers to is followed no longer.
    pub fn leave(&self, namespace: &str, cluster: &str, except: &[&str]) {
        self.lock().retain(|(in_namespace, name), follower| {
            if in_namespace != namespace || except.contains(&name.as_str()) {
                return true;
            }
            let mut clusters = lock(&follower.clusters);
            clusters.remove(cluster);
            if clusters.is_empty() {
                follower.task.abort();
            }
            !clusters.is_empty()
        });
    }

    fn join(&self, namespace: &str, cluster: &str, secret: &str) -> watch::Receiver<State> {
        let mut followed = self.lock();
        let key = (namespace.to_owned(), secret.to_owned());
        let entry = followed.entry(key).or_insert_with(|| self.start(namespace, secret));
        lock(&entry.clusters).insert(cluster.to_owned());
        entry.state.clone()
    }

    fn start(&self, namespace: &str, secret: &str) -> Follower {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let named = Config::default().fields(&format!("metadata.name={secret}"));
        let mut events = Box::pin(events(api, named, self.metrics.clone()));
        let clusters: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let (sender, state) = watch::channel(State::Unknown);
        let (queue, concerned, namespace) = (self.queue.clone(), clusters.clone(), namespace.to_owned());
        let task = tokio::spawn(async move {
            let mut listed = false;
            while let Some(event) = events.next().await {
                let state = match event {
                    Event::Init => {
                        listed = false;
                        continue;
                    }
                    Event::InitApply(secret) | Event::Apply(secret) => {
                        listed = true;
                        State::Found(Arc::new(secret))
                    }
                    Event::InitDone if listed => continue,
                    Event::InitDone | Event::Delete(_) => State::Missing,
                };
                sender.send_replace(state);
                for cluster in lock(&concerned).iter() {
                    queue.push(&(namespace.clone(), cluster.clone()), Urgency::Now);
                }
            }
        });
        Follower { clusters, state, task: task.abort_handle() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Follower>> {
        lock(&self.followed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
