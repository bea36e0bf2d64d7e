//! A handle on one `ChatCluster`: the changes that a user makes to it, and its conditions and events.

use std::time::Duration;

use chatcluster_api::ChatCluster;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use serde_json::{Value, json};

use crate::bounds::{PODS, SOON};
use crate::children::{Child, Kind, children};
use crate::namespace::Namespace;

/// One `ChatCluster` of a test's namespace.
pub struct Chat<'a> {
    /// The namespace of the object.
    pub ns: &'a Namespace,
    /// The name of the object.
    pub name: String,
}

impl Namespace {
    /// Creates a `ChatCluster` with exactly this spec.
    pub async fn chat(&self, name: &str, spec: Value) -> Chat<'_> {
        let chat = Chat::named(self, name);
        chat.create(spec).await;
        chat
    }
}

impl<'a> Chat<'a> {
    /// The `ChatCluster` of this name, whether or not it exists.
    pub fn named(ns: &'a Namespace, name: &str) -> Self {
        Self { ns, name: name.to_owned() }
    }

    /// The API of the namespace's `ChatClusters`.
    pub fn api(&self) -> Api<ChatCluster> {
        Api::namespaced(self.ns.client.clone(), &self.ns.name)
    }

    /// Creates the object from raw JSON: the typed object would fill in the defaults, which is the API
    /// server's task.
    pub async fn create(&self, spec: Value) {
        let created = self.try_create(spec, false).await;
        created.unwrap_or_else(|error| panic!("creating ChatCluster {}: {error}", self.name));
    }

    /// Like `create`, for a spec that may be refused. With `dry_run` nothing is stored.
    pub async fn try_create(&self, spec: Value, dry_run: bool) -> kube::Result<DynamicObject> {
        let resource = ApiResource::erase::<ChatCluster>(&());
        let object = DynamicObject::new(&self.name, &resource).data(json!({"spec": spec}));
        self.raw().create(&PostParams { dry_run, ..PostParams::default() }, &object).await
    }

    /// The object as the API server has it, whether or not it can be read as a `ChatCluster`.
    pub fn raw(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<ChatCluster>(&());
        Api::namespaced_with(self.ns.client.clone(), &self.ns.name, &resource)
    }

    /// Applies a merge patch to the spec: null removes a field.
    pub async fn set(&self, spec: Value) {
        let changed = self.try_set(spec, false).await;
        changed.unwrap_or_else(|error| panic!("changing ChatCluster {}: {error}", self.name));
    }

    /// Like `set`, for a patch that may be refused. With `dry_run` nothing is stored.
    pub async fn try_set(&self, spec: Value, dry_run: bool) -> kube::Result<DynamicObject> {
        let params = PatchParams { dry_run, ..PatchParams::default() };
        self.raw().patch(&self.name, &params, &Patch::Merge(json!({"spec": spec}))).await
    }

    /// Changes an annotation that means nothing to the operator, so that it reconciles.
    pub async fn touch(&self) {
        let touched =
            json!({"metadata": {"annotations": {"example.com/touched": rand::random::<u32>().to_string()}}});
        let touched = self.api().patch(&self.name, &PatchParams::default(), &Patch::Merge(touched)).await;
        touched.unwrap_or_else(|error| panic!("annotating ChatCluster {}: {error}", self.name));
    }

    /// The object, which must exist.
    pub async fn get(&self) -> ChatCluster {
        self.api().get(&self.name).await.unwrap_or_else(|error| panic!("ChatCluster {}: {error}", self.name))
    }

    /// Deletes the object; its children follow in the background.
    pub async fn delete(&self) {
        let deleted = self.api().delete(&self.name, &DeleteParams::background()).await;
        deleted.unwrap_or_else(|error| panic!("deleting ChatCluster {}: {error}", self.name));
    }

    /// Waits until a condition has this status and reason for the current spec.
    pub async fn becomes(&self, type_: &str, status: &str, reason: &str, bound: Duration) -> Condition {
        let what = format!("gets {type_}={status}, {reason}");
        self.says(type_, bound, &what, |c| c.status == status && c.reason == reason).await
    }

    /// Pauses the cluster, and waits until the operator has seen that.
    pub async fn pause(&self) {
        self.set(json!({"paused": true})).await;
        self.says("Ready", SOON, "is paused", |condition| condition.reason == "Paused").await;
    }

    /// Waits until a condition is as wanted and describes the current spec.
    pub async fn says(
        &self,
        type_: &str,
        bound: Duration,
        what: &str,
        as_wanted: impl Fn(&Condition) -> bool,
    ) -> Condition {
        let what = format!("ChatCluster {} {what}", self.name);
        self.ns
            .eventually(bound, &what, async || {
                let chat = self.get().await;
                let conditions = chat.status.unwrap_or_default().conditions;
                let Some(condition) = conditions.into_iter().find(|c| c.type_ == type_) else {
                    return Err(format!("no condition {type_}"));
                };
                let now = condition.observed_generation == chat.metadata.generation;
                if now && as_wanted(&condition) { Ok(condition) } else { Err(format!("{condition:?}")) }
            })
            .await
    }

    /// Waits until the cluster serves clients as its spec says.
    pub async fn becomes_ready(&self) {
        self.becomes("Ready", "True", "Ready", PODS).await;
    }

    /// Waits for an event of the operator that has this reason and these words in its note.
    pub async fn tells(&self, reason: &str, words: &[&str]) -> Event {
        let what = format!("{reason} with {words:?} in its note");
        self.tells_that(&what, |event| {
            let note = event.note.as_deref().unwrap_or_default();
            event.reason.as_deref() == Some(reason) && words.iter().all(|word| note.contains(word))
        })
        .await
    }

    /// Waits for the event that reports the repair of this child and has these words in its note.
    pub async fn tells_of_repair(&self, child: &Child, words: &[&str]) {
        let what = format!("Repaired, related to {child}, with {words:?} in its note");
        self.tells_that(&what, |event| {
            let (note, related) = (event.note.as_deref().unwrap_or_default(), event.related.as_ref());
            event.reason.as_deref() == Some("Repaired")
                && related.and_then(|r| r.kind.as_deref()) == Some(&format!("{:?}", child.kind))
                && related.and_then(|r| r.name.as_deref()) == Some(&child.name)
                && note.contains(&child.name)
                && words.iter().all(|word| note.contains(word))
        })
        .await;
    }

    async fn tells_that(&self, what: &str, is_it: impl Fn(&Event) -> bool) -> Event {
        let what = format!("an event about ChatCluster {}: {what}", self.name);
        self.ns
            .eventually(SOON, &what, async || {
                let events = self.events().await;
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                let seen: Vec<String> =
                    events.iter().map(|e| format!("{}: {}", text(&e.reason), text(&e.note))).collect();
                events.into_iter().find(|event| is_it(event)).ok_or_else(|| format!("{seen:#?}"))
            })
            .await
    }

    /// The events of the operator about this cluster.
    pub async fn events(&self) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.ns.client.clone(), &self.ns.name);
        let events =
            api.list(&ListParams::default()).await.unwrap_or_else(|error| panic!("listing events: {error}"));
        events
            .items
            .into_iter()
            .filter(|e| {
                let about = e.regarding.as_ref();
                e.reporting_controller.as_deref() == Some("chatcluster-operator")
                    && about.and_then(|o| o.kind.as_deref()) == Some("ChatCluster")
                    && about.and_then(|o| o.name.as_deref()) == Some(&self.name)
            })
            .collect()
    }

    /// The child of this kind. Its name is that of the `ChatCluster` followed by `suffix`, such as `-redis`.
    pub fn child(&self, kind: Kind, suffix: &str) -> Child {
        self.ns.child(kind, &format!("{}{suffix}", self.name))
    }

    /// All children of a cluster whose Service is published.
    pub fn children(&self) -> Vec<Child> {
        children(&self.name).iter().map(|(kind, name)| self.ns.child(*kind, name)).collect()
    }

    /// Waits until all children exist.
    pub async fn has_all_children(&self) {
        for child in self.children() {
            self.ns.wait_for(&child, SOON).await;
        }
    }

    /// Waits until no child exists any more.
    pub async fn has_no_children(&self, bound: Duration) {
        for child in self.children() {
            self.ns.wait_until_gone(&child, bound).await;
        }
    }

    /// Waits until all children exist and belong to this cluster, and not to an earlier one of the same name.
    pub async fn owns_all_children(&self) {
        let uid = self.get().await.metadata.uid;
        for child in self.children() {
            self.ns
                .eventually(SOON, &format!("{child} has its owner"), async || {
                    let owner = child.seen().await?["metadata"]["ownerReferences"][0]["uid"].clone();
                    if owner.as_str() == uid.as_deref() {
                        Ok(())
                    } else {
                        Err(format!("its owner is {owner}"))
                    }
                })
                .await;
        }
    }

    /// The password of the cluster's Redis, from its Secret.
    pub async fn password(&self) -> String {
        self.secret_key("redis.password").await
    }

    /// The key that signs connection tokens, from its Secret.
    pub async fn token_key(&self) -> String {
        self.key_of("-hub-token", "token.key").await
    }

    /// The decoded value of a key of the Secret with the password.
    pub async fn secret_key(&self, key: &str) -> String {
        self.key_of("-redis-auth", key).await
    }

    /// The decoded value of a key of one of the cluster's Secrets.
    pub async fn key_of(&self, suffix: &str, key: &str) -> String {
        let api: Api<k8s_openapi::api::core::v1::Secret> =
            Api::namespaced(self.ns.client.clone(), &self.ns.name);
        let secret = api.get(&format!("{}{suffix}", self.name)).await.expect("the cluster's Secret");
        let value = secret.data.unwrap_or_default().remove(key);
        String::from_utf8(value.unwrap_or_else(|| panic!("the Secret has no key {key}")).0).expect("text")
    }
}
