//! The users' Secrets to which specs refer. They carry no label of ours, so each has a watch of
//! its own for as long as some `ChatCluster` names it; no other Secret is read.

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
use crate::reconcile::validate::{SecretKeyRef, UserSecret};
use crate::store::watches::events;

/// The timeout of the first answer of a new watch.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// The users' Secrets that are watched.
pub struct UserSecrets {
    client: Client,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    watched: Mutex<HashMap<Key, SecretWatch>>,
}

#[derive(Debug)]
struct SecretWatch {
    /// The names of the clusters that refer to the Secret, which are in its namespace.
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
pub struct SecretTimeout(String);

impl UserSecrets {
    /// Creates a registry that watches no Secret yet.
    pub fn new(client: Client, queue: Arc<Queue>, metrics: Arc<Metrics>) -> Self {
        Self { client, queue, metrics, watched: Mutex::default() }
    }

    /// Returns the Secrets that the cluster's spec names now. From here on their changes trigger the cluster,
    /// and changes of Secrets that the spec named before no longer do.
    pub async fn follow<const N: usize>(
        &self,
        namespace: &str,
        cluster: &str,
        wanted: [Option<SecretKeyRef>; N],
    ) -> Result<[UserSecret; N], SecretTimeout> {
        let names: Vec<&str> = wanted.iter().flatten().map(|wanted| wanted.name.as_str()).collect();
        self.release(namespace, cluster, &names);
        let mut found = [const { UserSecret::NotNamed }; N];
        for (found, wanted) in found.iter_mut().zip(wanted) {
            if let Some(wanted) = wanted {
                *found = self.first_answer(namespace, cluster, wanted).await?;
            }
        }
        Ok(found)
    }

    /// Returns the Secret, once the first answer of its watch has arrived.
    async fn first_answer(
        &self,
        namespace: &str,
        cluster: &str,
        wanted: SecretKeyRef,
    ) -> Result<UserSecret, SecretTimeout> {
        let mut state = self.subscribe(namespace, cluster, &wanted.name);
        let known = state.wait_for(|state| !matches!(state, State::Unknown));
        let known = tokio::time::timeout(FIRST_ANSWER, known).await;
        match known.map_err(|_| SecretTimeout(wanted.name.clone())) {
            Ok(Ok(state)) => Ok(match &*state {
                State::Found(secret) => UserSecret::Found(wanted, secret.clone()),
                State::Missing | State::Unknown => UserSecret::Missing(wanted),
            }),
            Ok(Err(_)) => Err(SecretTimeout(wanted.name.clone())),
            Err(no_answer) => Err(no_answer),
        }
    }

    /// Records that the cluster refers to no Secrets except `except`. A Secret to which no cluster refers is
    /// no longer watched.
    pub fn release(&self, namespace: &str, cluster: &str, except: &[&str]) {
        self.lock().retain(|(in_namespace, name), watch| {
            if in_namespace != namespace || except.contains(&name.as_str()) {
                return true;
            }
            let mut clusters = lock(&watch.clusters);
            clusters.remove(cluster);
            if clusters.is_empty() {
                watch.task.abort();
            }
            !clusters.is_empty()
        });
    }

    fn subscribe(&self, namespace: &str, cluster: &str, secret: &str) -> watch::Receiver<State> {
        let mut watched = self.lock();
        let key = (namespace.to_owned(), secret.to_owned());
        let entry = watched.entry(key).or_insert_with(|| self.start_watch(namespace, secret));
        lock(&entry.clusters).insert(cluster.to_owned());
        entry.state.clone()
    }

    fn start_watch(&self, namespace: &str, secret: &str) -> SecretWatch {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let named = Config::default().fields(&format!("metadata.name={secret}"));
        let mut events = Box::pin(events(api, named, self.metrics.clone()));
        let clusters: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let (sender, state) = watch::channel(State::Unknown);
        let (queue, affected, namespace) = (self.queue.clone(), clusters.clone(), namespace.to_owned());
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
                for cluster in lock(&affected).iter() {
                    queue.push(&(namespace.clone(), cluster.clone()), Urgency::Now);
                }
            }
        });
        SecretWatch { clusters, state, task: task.abort_handle() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, SecretWatch>> {
        lock(&self.watched)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The data behind these locks is consistent between any two statements, so a panic leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
