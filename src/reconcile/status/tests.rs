//! Situations, and the statuses that describe them.

use std::sync::Arc;

use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::reconcile::apply::ApplyError;
use crate::reconcile::desired::overlay::OverlayError;
use crate::reconcile::judge::judge;
use crate::reconcile::observe::RedisReport;
use crate::reconcile::validate::testing::{auth, cluster};
use crate::reconcile::validate::{Auth, AuthError, SecretKeyRef, UserSecret};

fn of<K: serde::de::DeserializeOwned>(value: Value) -> Arc<K> {
    Arc::new(serde_json::from_value(value).unwrap())
}

fn ready_pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "annotations": {"chatcluster.dev/auth-revision": "r1"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}
    })
}

fn pending_redis() -> Value {
    json!({
        "metadata": {"name": "lobby-redis-0", "annotations": {"chatcluster.dev/auth-revision": "r1"}},
        "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no"}]}
    })
}

/// Returns two hubs, Redis and the public Service, all ready.
fn well() -> Observed {
    Observed {
        auth: None,
        user_secret: UserSecret::NotNamed,
        hub_token: None,
        hub_secret: UserSecret::NotNamed,
        redis_set: None,
        hub_deployment: Some(of(json!({
            "metadata": {"name": "lobby-hub", "generation": 1},
            "spec": {"replicas": 2, "selector": {}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
        }))),
        hub_autoscaler: None,
        public_service: Some(of(json!({
            "metadata": {"name": "lobby"},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
        }))),
        redis_pod: Some(of(ready_pod("lobby-redis-0"))),
        hub_pods: vec![of(ready_pod("lobby-hub-a")), of(ready_pod("lobby-hub-b"))],
        claim: None,
        storage_class: Some(std::sync::Arc::default()),
        without_storage_classes: false,
        redis: RedisReport::Answers(Vec::new()),
        unsubscribed_hubs: Vec::new(),
    }
}

fn failure(error: &ApplyError) -> Failure {
    Failure { reason: error.reason(), message: error.to_string() }
}

fn judged(cluster: &Cluster, observed: &Observed, failures: &[Failure]) -> ChatClusterStatus {
    let before = ChatClusterStatus::default();
    let verdicts = judge(cluster, observed, Ok(&auth()), &before);
    let unapplied = Unapplied { failures, pending: Vec::new() };
    status(cluster, Some(1), observed, &verdicts, unapplied, &before, Timestamp::UNIX_EPOCH)
}

fn condition(status: &ChatClusterStatus, type_: ConditionType) -> (String, String, String) {
    let found = status.condition(type_).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

#[track_caller]
fn not_ready(status: &ChatClusterStatus, type_: ConditionType, reason: Reason, words: &str) {
    for type_ in [type_, ConditionType::Ready] {
        let (value, found, message) = condition(status, type_);
        assert_eq!(
            (value.as_str(), found.as_str()),
            ("False", reason.as_str().as_str()),
            "{type_:?}: {message}"
        );
        assert!(message.contains(words), "{type_:?} should say {words:?}: {message}");
    }
}

#[test]
fn all_is_well() {
    let status = judged(&cluster(json!({})), &well(), &[]);

    assert_eq!(
        condition(&status, ConditionType::Ready),
        ("True".into(), "Ready".into(), "2 hubs serve at 192.0.2.7".into())
    );
    assert_eq!(status.address.as_deref(), Some("192.0.2.7"));
    assert_eq!(status.hub.unwrap().summary, "2/2");
}

#[test]
fn an_address_tells_its_port_unless_it_is_80() {
    let status = judged(&cluster(json!({"service": {"port": 8080}})), &well(), &[]);

    assert_eq!(status.address.as_deref(), Some("192.0.2.7:8080"));
}

#[test]
fn a_load_balancer_without_an_address_is_awaited_and_what_gives_one_is_said() {
    let observed = Observed { public_service: Some(of(json!({"metadata": {"name": "lobby"}}))), ..well() };

    let status = judged(&cluster(json!({})), &observed, &[]);

    not_ready(&status, ConditionType::Published, Reason::AddressPending, "cloud-provider-kind");
    not_ready(
        &status,
        ConditionType::Published,
        Reason::AddressPending,
        "port-forward service/lobby 8080:80",
    );
}

#[test]
fn a_hub_that_is_not_subscribed_is_named() {
    let observed =
        Observed { unsubscribed_hubs: vec!["lobby-hub-b".to_owned()], public_service: None, ..well() };

    let status = judged(&cluster(json!({})), &observed, &[]);

    not_ready(&status, ConditionType::Verified, Reason::HubNotSubscribed, "hub pod lobby-hub-b");
}

#[test]
fn hubs_that_subscribe_late_are_verified_by_readiness() {
    let observed = Observed { unsubscribed_hubs: vec!["lobby-hub-b".to_owned()], ..well() };

    let status = judged(&cluster(json!({"hub": {"verify": "Readiness"}})), &observed, &[]);

    assert_eq!(condition(&status, ConditionType::Verified).1, "Verified");
}

#[test]
fn a_password_that_redis_rejects_is_said_with_the_remedy() {
    let observed = Observed { redis: RedisReport::PasswordRejected, public_service: None, ..well() };

    let status = judged(&cluster(json!({})), &observed, &[]);

    not_ready(
        &status,
        ConditionType::BackplaneReady,
        Reason::PasswordRejected,
        "kubectl delete pod lobby-redis-0",
    );
}

#[test]
fn a_redis_out_of_reach_is_a_problem_only_if_that_lasts() {
    let out_of_reach = |times| Observed {
        redis: RedisReport::Unreachable { error: "timed out".into(), times },
        public_service: None,
        ..well()
    };

    let status = judged(&cluster(json!({})), &out_of_reach(1), &[]);
    not_ready(&status, ConditionType::BackplaneReady, Reason::RedisStarting, "is starting");

    let status = judged(&cluster(json!({})), &out_of_reach(5), &[]);
    not_ready(&status, ConditionType::BackplaneReady, Reason::Unreachable, "(timed out)");

    let by_a_new_operator = judge(&cluster(json!({})), &out_of_reach(1), Ok(&auth()), &status);
    assert_eq!(
        by_a_new_operator.backplane.reason,
        Reason::Unreachable,
        "what it said stays until there is news"
    );
}

#[test]
fn who_is_ready_stays_so_while_redis_is_out_of_reach_for_a_moment() {
    let cluster = cluster(json!({}));
    let before = judged(&cluster, &well(), &[]);
    let hubs: Vec<_> = well().hub_pods.iter().map(|pod| pod.name_any()).collect();
    let verdicts = |times| {
        let report = RedisReport::Unreachable { error: "timed out".into(), times };
        let observed = Observed { redis: report, unsubscribed_hubs: hubs.clone(), ..well() };
        judge(&cluster, &observed, Ok(&auth()), &before)
    };

    assert_eq!(verdicts(1), judge(&cluster, &well(), Ok(&auth()), &before));
    assert_eq!(verdicts(5).backplane.reason, Reason::Unreachable);
    assert_eq!(verdicts(5).verified.reason, Reason::WaitingForBackplane);
}

#[test]
fn a_redis_that_restarts_with_a_new_password_is_no_problem() {
    let observed = Observed { redis: RedisReport::PasswordRejected, ..well() };
    let new = Auth { revision: "r2".to_owned(), ..auth() };

    let verdicts = judge(&cluster(json!({})), &observed, Ok(&new), &ChatClusterStatus::default());

    assert_eq!(verdicts.password.reason, Reason::Rotating);
    assert_eq!(verdicts.backplane.reason, Reason::RedisStarting);
}

#[test]
fn a_storage_class_that_does_not_exist_is_named() {
    let claim = json!({
        "metadata": {"name": "data-lobby-redis-0"},
        "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}
    });
    let pending = Observed {
        redis_pod: Some(of(pending_redis())),
        claim: Some(of(claim)),
        storage_class: None,
        redis: RedisReport::NotAsked,
        public_service: None,
        ..well()
    };

    let status = judged(&cluster(json!({})), &pending, &[]);
    not_ready(&status, ConditionType::BackplaneReady, Reason::StorageClassMissing, "storage class fast");

    // An operator of some namespaces only cannot read storage classes.
    let unknown = Observed { without_storage_classes: true, ..pending.clone() };
    let status = judged(&cluster(json!({})), &unknown, &[]);
    not_ready(&status, ConditionType::BackplaneReady, Reason::VolumePending, "storage class fast");

    let status = judged(
        &cluster(json!({})),
        &Observed { storage_class: Some(std::sync::Arc::default()), ..pending },
        &[],
    );
    not_ready(
        &status,
        ConditionType::BackplaneReady,
        Reason::VolumePending,
        "describe pvc data-lobby-redis-0",
    );
}

#[test]
fn no_hubs_are_no_service() {
    let status = judged(&cluster(json!({"hub": {"replicas": 0}})), &well(), &[]);

    not_ready(&status, ConditionType::HubReady, Reason::ScaledToZero, "kubectl scale chatcluster/lobby");
}

#[test]
fn hubs_that_are_rolled_do_not_undo_what_was_verified() {
    let rolling = Observed {
        hub_deployment: Some(of(json!({
            "metadata": {"generation": 2}, "spec": {"replicas": 2, "selector": {}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
        }))),
        ..well()
    };
    let before = judged(&cluster(json!({})), &well(), &[]);
    let judge = |before| judge(&cluster(json!({})), &rolling, Ok(&auth()), before).verified.holds;

    assert!(judge(&before));
    assert!(!judge(&ChatClusterStatus::default()), "before the first time all hubs must be ready");
}

#[test]
fn a_missing_secret_is_said_and_what_is_in_use_until_then() {
    let error = AuthError::SecretMissing { name: "mine".into(), key: "pw".into() };
    let observed = Observed { auth: Some(of(json!({}))), ..well() };

    let verdicts = judge(&cluster(json!({})), &observed, Err(&error), &ChatClusterStatus::default());

    assert_eq!(verdicts.password.reason, Reason::SecretMissing);
    assert!(verdicts.password.message.ends_with("until then the former password is in use"));
}

#[test]
fn what_could_not_be_written_comes_first_in_the_summary() {
    let taken = ApplyError::NameTaken {
        kind: "Service".into(),
        name: "lobby".into(),
        owner: "belongs to Deployment web".into(),
    };

    let status = judged(
        &cluster(json!({})),
        &Observed { redis: RedisReport::PasswordRejected, ..well() },
        &[failure(&taken)],
    );

    let (_, reason, message) = condition(&status, ConditionType::Ready);
    assert_eq!(reason, "NameTaken");
    assert!(message.starts_with("Service lobby exists and belongs to Deployment web"), "{message}");
}

#[test]
fn a_paused_cluster_says_so_and_how_it_is() {
    let status = judged(&cluster(json!({"paused": true})), &well(), &[]);

    let (value, reason, message) = condition(&status, ConditionType::Ready);
    assert_eq!((value.as_str(), reason.as_str()), ("True", "Paused"));
    assert!(message.contains("2 hubs serve"), "{message}");
}

#[test]
fn a_cluster_of_an_operator_that_holds_says_so() {
    let mut held = cluster(json!({}));
    held.held = Some(HoldReason::Hold);

    let (_, reason, message) = condition(&judged(&held, &well(), &[]), ConditionType::Ready);

    assert_eq!(reason, "Held");
    assert!(message.starts_with("held: the operator was started with --hold"), "{message}");
}

#[test]
fn with_an_autoscaler_as_many_hubs_are_wanted_as_it_asks_for() {
    let scaled = cluster(json!({"hub": {"replicas": 7, "autoscaling": {"minReplicas": 1}}}));

    let status = judged(&scaled, &well(), &[]);

    assert_eq!(status.hub.as_ref().unwrap().summary, "2/2");
    assert_eq!(condition(&status, ConditionType::HubReady).0, "True");
}

#[test]
fn an_autoscaler_without_metrics_is_told_and_holds_nothing_up() {
    let hpa = of(json!({"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "x"}},
        "status": {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}]}}));
    let observed = Observed { hub_autoscaler: Some(hpa), ..well() };
    let scaled = cluster(json!({"hub": {"autoscaling": {}}}));

    let (value, _, message) = condition(&judged(&scaled, &observed, &[]), ConditionType::HubReady);

    assert_eq!(value, "True");
    assert!(message.contains("FailedGetResourceMetric") && message.contains("metrics server"), "{message}");
}

#[test]
fn a_weak_password_is_named_and_in_use() {
    let named = SecretKeyRef { name: "mine".to_owned(), key: "pw".to_owned() };
    let observed = Observed { user_secret: UserSecret::Found(named, Arc::default()), ..well() };

    let status = judged(&cluster(json!({})), &observed, &[]);

    let (value, reason, message) = condition(&status, ConditionType::PasswordCurrent);
    assert_eq!((value.as_str(), reason.as_str()), ("True", "WeakPassword"));
    assert!(message.contains("Secret mine") && !message.contains("s3cret"), "{message}");
    assert_eq!(condition(&status, ConditionType::Ready).0, "True");
}

#[test]
fn a_pod_template_that_cannot_be_used_is_the_first_thing_said() {
    let wrong = ApplyError::PodTemplate(OverlayError::Unknown {
        field: "hub.podTemplate",
        path: "spec.nodeSelektor".to_owned(),
    });

    let (value, reason, message) =
        condition(&judged(&cluster(json!({})), &well(), &[failure(&wrong)]), ConditionType::Ready);

    assert_eq!((value.as_str(), reason.as_str()), ("False", "PodTemplateInvalid"));
    assert!(message.contains("hub.podTemplate has a field spec.nodeSelektor"), "{message}");
}

#[test]
fn a_missing_key_for_clients_tokens_is_said_and_that_hubs_run_on() {
    let with_auth = cluster(json!({"hub": {"auth": {"keySecret": {"name": "mine"}}}}));
    let unmade = Observed { hub_deployment: None, ..well() };
    let error =
        crate::reconcile::validate::hub_keys::client_key(&with_auth, &UserSecret::NotNamed).unwrap_err();

    let status = judged(&with_auth, &well(), &[failure(&ApplyError::HubAuth(error))]);

    not_ready(&status, ConditionType::HubReady, Reason::AuthSecretMissing, "the Secret mine");
    let (_, _, message) = condition(&status, ConditionType::HubReady);
    assert!(message.ends_with("until then the hubs run on as they were"), "{message}");
    let (_, _, message) = condition(&judged(&with_auth, &unmade, &[]), ConditionType::HubReady);
    assert!(!message.contains("run on"), "{message}");
}

#[test]
fn a_transition_time_stays_until_the_status_changes() {
    let cluster = cluster(json!({}));
    let first = judged(&cluster, &well(), &[]);
    let later = Timestamp::from_second(60).unwrap();
    let again = |observed: &Observed| {
        let verdicts = judge(&cluster, observed, Ok(&auth()), &first);
        let unapplied = Unapplied { failures: &[], pending: Vec::new() };
        status(&cluster, Some(1), observed, &verdicts, unapplied, &first, later)
    };

    assert_eq!(again(&well()), first);
    let rejected = again(&Observed { redis: RedisReport::PasswordRejected, ..well() });
    assert_eq!(rejected.condition(ConditionType::BackplaneReady).unwrap().last_transition_time, Time(later));
    assert_eq!(
        rejected.condition(ConditionType::HubReady).unwrap().last_transition_time,
        Time(Timestamp::UNIX_EPOCH)
    );
}

#[test]
fn every_reason_has_its_paragraph_in_the_operations_page() {
    let page = include_str!("../../../docs/operations.md");

    let missing: Vec<_> =
        Reason::ALL.iter().filter(|reason| !page.contains(&format!("### {}\n", reason.as_str()))).collect();

    assert!(missing.is_empty(), "docs/operations.md has no paragraph for {missing:?}");
}
