//! Where the operator looks: in the whole cluster, or in some namespaces. Of these, each is watched by itself, as that is all that
//! Roles allow, and what the watches tell is put together into what one watch would tell.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use futures::stream::{self, BoxStream, StreamExt, select_all};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::key::{Key, key};
use crate::store::packed::{Packed, Packer};

/// The namespaces that the operator serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Cluster,
    /// These, and nothing that belongs to the whole cluster.
    Namespaces(BTreeSet<String>),
}

impl Scope {
    /// Of these namespaces; of all if none is named.
    pub fn of(namespaces: impl IntoIterator<Item = String>) -> Self {
        let named: BTreeSet<String> = namespaces
            .into_iter()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if named.is_empty() { Self::Cluster } else { Self::Namespaces(named) }
    }

    /// What has to be watched to see every object of the kind.
    pub fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::Cluster => vec![Api::all(client.clone())],
            Self::Namespaces(names) => {
                names.iter().map(|name| Api::namespaced(client.clone(), name)).collect()
            }
        }
    }
}

/// Several watches of one kind as one, whose first list is complete once all of theirs are.
pub fn merged<K>(mut watches: Vec<BoxStream<'static, Event<K>>>) -> BoxStream<'static, Event<K>>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Send + 'static,
{
    if watches.len() == 1 {
        return watches.remove(0);
    }
    let mut merging = Merging::of(watches.len());
    let numbered =
        watches.into_iter().enumerate().map(|(number, watch)| watch.map(move |event| (number, event)));
    select_all(numbered).flat_map(move |(number, event)| stream::iter(merging.observe(number, event))).boxed()
}

struct Merging<K> {
    parts: Vec<Part>,
    packer: Packer,
    /// Whether the first list has been told.
    told: bool,
    kind: PhantomData<fn() -> K>,
}

struct Part {
    known: BTreeMap<Key, Packed>,
    /// What the list that is under way has shown so far.
    listed: BTreeSet<Key>,
    complete: bool,
}

impl<K: Resource<DynamicType = ()> + Serialize + DeserializeOwned> Merging<K> {
    fn of(watches: usize) -> Self {
        let part = || Part { known: BTreeMap::new(), listed: BTreeSet::new(), complete: false };
        let parts = (0..watches).map(|_| part()).collect();
        Self { parts, packer: Packer::default(), told: false, kind: PhantomData }
    }

    fn observe(&mut self, number: usize, event: Event<K>) -> Vec<Event<K>> {
        let part = &mut self.parts[number];
        let news = match event {
            Event::Init => {
                part.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                part.listed.insert(key(&object));
                part.known.insert(key(&object), self.packer.object(&object));
                vec![Event::Apply(object)]
            }
            Event::Apply(object) => {
                part.known.insert(key(&object), self.packer.object(&object));
                vec![Event::Apply(object)]
            }
            Event::Delete(object) => {
                part.known.remove(&key(&object));
                vec![Event::Delete(object)]
            }
            Event::InitDone => {
                part.complete = true;
                part.gone().into_iter().map(Event::Delete).collect()
            }
        };
        if self.told {
            return news;
        }
        if !self.parts.iter().all(|part| part.complete) {
            return Vec::new();
        }
        self.told = true;
        let all = self
            .parts
            .iter()
            .flat_map(|part| part.known.values().map(|known| Event::InitApply(known.object())));
        std::iter::once(Event::Init).chain(all).chain([Event::InitDone]).collect()
    }
}

impl Part {
    /// What a list that is complete did not show.
    fn gone<K: Resource + DeserializeOwned>(&mut self) -> Vec<K> {
        let gone: Vec<Key> = self.known.keys().filter(|key| !self.listed.contains(*key)).cloned().collect();
        let mut gone: Vec<K> =
            gone.iter().filter_map(|key| self.known.remove(key)).map(|known| known.object()).collect();
        for object in &mut gone {
            // Nobody saw its last version: whatever is known of it is older than its end.
            object.meta_mut().resource_version = None;
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;

    fn object(namespace: &str, name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some(namespace.to_owned());
        object.metadata.name = Some(name.to_owned());
        object.metadata.resource_version = Some("7".to_owned());
        object
    }

    fn said(events: &[Event<ConfigMap>]) -> Vec<String> {
        let about = |what: &str, object: &ConfigMap| format!("{what} {}", object.name_any());
        let word = |event: &Event<ConfigMap>| match event {
            Event::Init => "init".to_owned(),
            Event::InitApply(object) => about("list", object),
            Event::InitDone => "done".to_owned(),
            Event::Apply(object) => about("apply", object),
            Event::Delete(object) => about("delete", object),
        };
        events.iter().map(word).collect()
    }

    fn list(merging: &mut Merging<ConfigMap>, number: usize, objects: &[ConfigMap]) -> Vec<String> {
        let mut news = merging.observe(number, Event::Init);
        for object in objects {
            news.extend(merging.observe(number, Event::InitApply(object.clone())));
        }
        news.extend(merging.observe(number, Event::InitDone));
        said(&news)
    }

    #[test]
    fn no_namespace_named_is_all_of_them() {
        assert_eq!(Scope::of([]), Scope::Cluster);
        assert_eq!(Scope::of([String::new()]), Scope::Cluster);
        let some = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(Scope::of(["b".to_owned(), " a ".to_owned(), "b".to_owned()]), Scope::Namespaces(some));
    }

    #[test]
    fn the_first_list_is_told_once_all_are_complete() {
        let mut merging = Merging::of(2);

        assert_eq!(list(&mut merging, 0, &[object("a", "one"), object("a", "two")]), [""; 0]);
        assert_eq!(said(&merging.observe(0, Event::Delete(object("a", "two")))), [""; 0]);
        assert_eq!(said(&merging.observe(0, Event::Apply(object("a", "three")))), [""; 0]);

        let told = list(&mut merging, 1, &[object("b", "four")]);
        assert_eq!(told, ["init", "list one", "list three", "list four", "done"]);
    }

    #[test]
    fn what_a_new_list_lacks_is_gone_and_nothing_of_another_namespace() {
        let mut merging = Merging::of(2);
        list(&mut merging, 0, &[object("a", "one"), object("a", "two")]);
        list(&mut merging, 1, &[object("b", "one")]);

        assert_eq!(list(&mut merging, 0, &[object("a", "two")]), ["apply two", "delete one"]);
        assert_eq!(said(&merging.observe(1, Event::Delete(object("b", "one")))), ["delete one"]);
    }

    #[tokio::test]
    async fn watches_are_heard_together() {
        let watch = |namespace: &str| {
            let events = [Event::Init, Event::InitApply(object(namespace, namespace)), Event::InitDone];
            stream::iter(events).chain(stream::pending()).boxed()
        };

        let events = merged(vec![watch("a"), watch("b")]).take(4).collect::<Vec<_>>().await;

        assert_eq!(said(&events), ["init", "list a", "list b", "done"]);
    }
}
