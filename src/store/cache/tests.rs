use super::*;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

fn object(name: &str, version: u32, cluster: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object.metadata.namespace = Some("ns".to_owned());
    object.metadata.resource_version = Some(version.to_string());
    object.metadata.labels = Some(BTreeMap::from([(INSTANCE.to_owned(), cluster.to_owned())]));
    object
}

fn raw(name: &str, version: u32, cluster: &str) -> Undecoded<ConfigMap> {
    Undecoded::from(&object(name, version, cluster))
}

fn version_of(cache: &Cache<ConfigMap>, name: &str) -> Option<String> {
    cache.get("ns", name).and_then(|o| o.resource_version())
}

fn lobby() -> Vec<Key> {
    vec![("ns".to_owned(), "lobby".to_owned())]
}

#[test]
fn an_older_event_does_not_undo_our_own_write() {
    let cache = Cache::default();
    cache.remember(&raw("a", 7, "lobby"));

    assert_eq!(cache.observe(&Part::Cluster, Event::Apply(raw("a", 5, "lobby"))).clusters, Vec::new());
    assert_eq!(cache.observe(&Part::Cluster, Event::Delete(raw("a", 6, "lobby"))).clusters, Vec::new());

    assert_eq!(version_of(&cache, "a").as_deref(), Some("7"));
}

#[test]
fn a_deletion_after_our_write_is_seen() {
    let cache = Cache::default();
    cache.remember(&raw("a", 7, "lobby"));

    let concerned = cache.observe(&Part::Cluster, Event::Delete(raw("a", 8, "lobby"))).clusters;

    assert!(concerned.starts_with(&lobby()));
    assert_eq!(version_of(&cache, "a"), None);
}

#[test]
fn the_answer_to_a_write_that_comes_after_its_undoing_does_not_bring_the_object_back() {
    let cache = Cache::default();
    cache.remember(&raw("a", 7, "lobby"));
    cache.observe(&Part::Cluster, Event::Delete(raw("a", 9, "lobby")));

    cache.remember(&raw("a", 8, "lobby"));
    assert_eq!(version_of(&cache, "a"), None);

    cache.observe(&Part::Cluster, Event::Apply(raw("a", 10, "lobby")));
    assert_eq!(version_of(&cache, "a").as_deref(), Some("10"));
}

#[test]
fn what_only_lost_its_label_can_be_remembered_as_it_is() {
    let cache = Cache::default();
    cache.remember(&raw("a", 7, "lobby"));
    cache.observe(&Part::Cluster, Event::Delete(raw("a", 8, "lobby")));

    cache.remember(&raw("a", 8, "lobby"));

    assert_eq!(version_of(&cache, "a").as_deref(), Some("8"));
}

#[test]
fn what_a_new_list_lacks_is_gone_but_not_what_we_wrote_meanwhile() {
    let cache = Cache::default();
    cache.observe(&Part::Cluster, Event::Apply(raw("gone", 1, "lobby")));

    cache.observe(&Part::Cluster, Event::Init);
    cache.observe(&Part::Cluster, Event::InitApply(raw("lobby-listed", 2, "lobby")));
    cache.remember(&raw("lobby-written", 3, "lobby"));
    let concerned = cache.observe(&Part::Cluster, Event::InitDone).clusters;

    assert_eq!(concerned, lobby());
    assert!(cache.is_synced());
    let names: Vec<_> = cache.of_cluster("ns", "lobby").iter().map(|o| o.name_any()).collect();
    assert_eq!(names, ["lobby-listed", "lobby-written"]);
}

#[test]
fn a_list_of_one_namespace_says_nothing_about_another() {
    let parts = ["ns", "other"].map(|name| Part::Namespace(name.to_owned()));
    let cache = Cache::within(&Scope::of(["ns", "other"].map(str::to_owned)));
    let mut elsewhere = object("a", 1, "lobby");
    elsewhere.metadata.namespace = Some("other".to_owned());

    cache.observe(&parts[0], Event::Init);
    cache.observe(&parts[1], Event::Init);
    cache.observe(&parts[0], Event::InitApply(raw("a", 2, "lobby")));
    cache.observe(&parts[1], Event::InitApply(Undecoded::from(&elsewhere)));
    cache.observe(&parts[0], Event::InitDone);
    assert!(!cache.is_synced());
    cache.observe(&parts[1], Event::InitDone);
    assert!(cache.is_synced());

    cache.observe(&parts[1], Event::Init);
    let concerned = cache.observe(&parts[1], Event::InitDone).clusters;

    assert_eq!(concerned, [("other".into(), "lobby".into())]);
    assert!(cache.get("ns", "a").is_some() && cache.get("other", "a").is_none());
}

#[test]
fn an_object_that_changes_hands_concerns_both_clusters() {
    let cache = Cache::default();
    cache.observe(&Part::Cluster, Event::Apply(raw("lobby-a", 1, "lobby")));

    let concerned = cache.observe(&Part::Cluster, Event::Apply(raw("lobby-a", 2, "other"))).clusters;

    assert_eq!(concerned, [("ns".into(), "lobby".into()), ("ns".into(), "other".into())]);
    assert!(cache.of_cluster("ns", "lobby").is_empty());
}

#[test]
fn clusters_whose_names_begin_alike_are_told_apart() {
    let cache = Cache::default();
    for (name, cluster) in [("a-1", "a"), ("a-b-1", "a-b"), ("a-c", "a"), ("ab-1", "ab"), ("b-1", "a")] {
        cache.observe(&Part::Cluster, Event::Apply(raw(name, 1, cluster)));
    }

    let names: Vec<_> = cache.of_cluster("ns", "a").iter().map(|o| o.name_any()).collect();
    assert_eq!(names, ["a-1", "a-c"]);
}

#[test]
fn what_someone_did_to_a_child_is_urgent_and_what_came_of_our_doing_is_not() {
    let of_generation = |mut object: ConfigMap, generation| {
        object.metadata.generation = Some(generation);
        Event::Apply(Undecoded::from(&object))
    };
    let cache = Cache::default();
    let urgency = |event| cache.observe(&Part::Cluster, event).urgency;

    assert_eq!(urgency(of_generation(object("a", 2, "lobby"), 1)), Urgency::Later, "it came to be");
    assert_eq!(urgency(of_generation(object("a", 3, "lobby"), 1)), Urgency::Soon, "its status");
    assert_eq!(urgency(of_generation(object("a", 4, "lobby"), 2)), Urgency::Now, "its spec");
    assert_eq!(urgency(of_generation(object("a", 4, "lobby"), 2)), Urgency::Later, "once more");
    assert_eq!(urgency(Event::Delete(raw("a", 5, "lobby"))), Urgency::Now, "deleted");

    // Of a kind that has no generation, all but the first counts.
    assert_eq!(urgency(Event::Apply(raw("b", 2, "lobby"))), Urgency::Later);
    assert_eq!(urgency(Event::Apply(raw("b", 3, "lobby"))), Urgency::Now);
}

fn mark(of: &str) -> StateHash {
    StateHash::of(&of)
}

#[test]
fn what_was_found_of_an_object_holds_for_that_version_and_no_other() {
    let cache = Cache::default();
    cache.observe(&Part::Cluster, Event::Apply(raw("a", 7, "lobby")));
    assert!(!cache.satisfies("ns", "a", mark("x")));

    cache.found(&object("a", 7, "lobby"), mark("x"));
    assert!(cache.satisfies("ns", "a", mark("x")));
    assert!(!cache.satisfies("ns", "a", mark("y")));

    // The watch tells of it once more, or lists anew.
    cache.observe(&Part::Cluster, Event::Apply(raw("a", 7, "lobby")));
    assert!(cache.satisfies("ns", "a", mark("x")));

    cache.observe(&Part::Cluster, Event::Apply(raw("a", 8, "lobby")));
    assert!(!cache.satisfies("ns", "a", mark("x")));
}

#[test]
fn what_was_found_of_a_version_that_is_past_is_not_taken_down() {
    let cache = Cache::default();
    cache.observe(&Part::Cluster, Event::Apply(raw("a", 8, "lobby")));

    cache.found(&object("a", 7, "lobby"), mark("x"));
    assert!(!cache.satisfies("ns", "a", mark("x")));

    cache.observe(&Part::Cluster, Event::Delete(raw("a", 9, "lobby")));
    cache.found(&object("a", 8, "lobby"), mark("x"));
    assert!(!cache.satisfies("ns", "a", mark("x")));
}

#[test]
fn of_objects_whose_versions_are_no_numbers_nothing_is_taken_down() {
    let cache = Cache::default();
    let mut odd = object("a", 7, "lobby");
    odd.metadata.resource_version = Some("odd".to_owned());
    cache.observe(&Part::Cluster, Event::Apply(Undecoded::from(&odd)));

    cache.found(&odd, mark("x"));

    assert!(!cache.satisfies("ns", "a", mark("x")));
}

#[test]
fn another_desired_state_has_another_mark() {
    let (one, other) = (object("a", 7, "lobby"), object("a", 7, "hall"));

    assert_eq!(StateHash::of(&one), StateHash::of(&one.clone()));
    assert_ne!(StateHash::of(&one), StateHash::of(&other));
}

#[test]
fn managed_fields_are_not_kept() {
    let cache = Cache::default();
    let mut written = object("a", 7, "lobby");
    written.metadata.managed_fields = Some(vec![ManagedFieldsEntry::default()]);

    cache.remember(&Undecoded::from(&written));

    assert_eq!(cache.get("ns", "a").as_deref(), Some(&object("a", 7, "lobby")));
}
