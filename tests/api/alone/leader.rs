//! Two operators: one is active, and when it is stopped, killed, cut off or asked to end, the other takes
//! over. They are never active at once.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams};
use serde_json::json;

use super::asked::{ask_for, has};
use super::gate::Way;
use super::process::Operator;
use super::proxy::Proxy;
use crate::audit::{Audit, Entry};
use crate::redis::Redis;
use crate::support::{Chat, Namespace, SOON};

const LEASE: &str = "chatcluster-operator";
/// The bound for a Lease to expire: it holds for 15 seconds without a renewal.
const EXPIRY: Duration = Duration::from_mins(1);

/// Two operators, with pods called `first` and `second`: the first leads at the start.
struct Pair<'a> {
    ns: &'a Namespace,
    first: Operator,
    proxy_of_first: Proxy,
    _second: Operator,
    _proxy_of_second: Proxy,
    audit: Audit,
    lobby: Chat<'a>,
    /// A Redis that answers, so that a reconcile takes no longer than its writes.
    _redis: Redis,
}

impl<'a> Pair<'a> {
    async fn new(ns: &'a Namespace) -> Self {
        let audit = Audit::from_now();
        let (proxy_of_first, proxy_of_second) =
            (Proxy::new(ns, "first").await, Proxy::new(ns, "second").await);
        let first = Operator::start(ns, "first", &proxy_of_first);
        first.answers(ns, "/readyz", 200, "ok").await;
        leads(ns, "first", SOON).await;
        let second = Operator::start(ns, "second", &proxy_of_second);
        second.answers(ns, "/readyz", 200, "standing by").await;
        let spec = json!({"redis": {"persistence": "None"}, "service": {"publish": "Immediately"}});
        let lobby = ns.chat("lobby", spec).await;
        lobby.has_all_children().await;
        let redis = Redis::of(&lobby).await;
        lobby.becomes("BackplaneReady", "True", "Ready", SOON).await;
        Self {
            ns,
            first,
            proxy_of_first,
            _second: second,
            _proxy_of_second: proxy_of_second,
            audit,
            lobby,
            _redis: redis,
        }
    }

    /// Changes the spec, so that the leader has something to write, until the other future is done.
    async fn busy<T>(&self, meanwhile: impl Future<Output = T>) -> T {
        let changes = async {
            for number in 0_u32.. {
                ask_for(&self.lobby, &number.to_string()).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            done = meanwhile => done,
            () = changes => unreachable!("the changes go on for ever"),
        }
    }

    /// The writes of the first and of the second operator, without those of the Lease.
    async fn writes(&self) -> (Vec<Entry>, Vec<Entry>) {
        let entries = self.audit.entries(self.ns).await;
        let writes_of = |name: &str| {
            let is_write = |entry: &&Entry| {
                ["create", "update", "patch", "delete"].contains(&entry.verb.as_str())
                    && entry.agent.starts_with("chatcluster-operator")
                    && entry.agent.ends_with(&format!("({name})"))
                    && !entry.uri.contains("/leases")
            };
            entries.iter().filter(is_write).cloned().collect::<Vec<_>>()
        };
        (writes_of("first"), writes_of("second"))
    }

    async fn until_first_writes(&self) {
        let writes = async || match self.writes().await.0.len() {
            few @ 0..5 => Err(format!("{few} writes of the first operator")),
            _ => Ok(()),
        };
        self.ns.eventually(SOON, "the first operator writes", writes).await;
    }

    /// Asserts, from the audit log, that the first operator's writes were done before the second began to
    /// write.
    async fn never_wrote_both(&self) {
        let (first, second) = self.writes().await;
        let end = first.iter().map(|entry| &entry.answered).max().expect("the first operator has written");
        let start =
            second.iter().map(|entry| &entry.received).min().expect("the second operator has written");
        assert!(
            end < start,
            "the first operator wrote until {end}, the second from {start}: {first:#?}\n{second:#?}"
        );
        println!("the first operator made {} writes until {end}", first.len());
        println!("the second operator made {} writes from {start}", second.len());
    }

    /// Makes trouble for the first operator, and waits until the second has taken over and applied the last
    /// change. Returns how long that took.
    async fn hand_over(&self, what: &str, trouble: impl Future<Output = ()>) -> Duration {
        let taken_over = async {
            self.until_first_writes().await;
            let start = Instant::now();
            trouble.await;
            leads(self.ns, "second", EXPIRY).await;
            start
        };
        let start = self.busy(taken_over).await;
        ask_for(&self.lobby, "the last").await;
        has(&self.lobby, "the last", SOON).await;
        let took = start.elapsed();
        println!("hand-over when the leader {what}: {:.1} s", took.as_secs_f64());
        took
    }

    /// Waits until the first operator ends, and asserts that it did so because it lost its Lease.
    async fn first_gives_up(&mut self) {
        let status = self.first.ends().await;
        assert_eq!(status.code(), Some(1), "{}", self.first.log());
        assert!(self.first.log().contains("leads no longer"), "{}", self.first.log());
    }
}

/// Waits until the Lease is held by the operator of this name.
async fn leads(ns: &Namespace, name: &str, bound: Duration) {
    let leases: Api<Lease> = Api::namespaced(ns.client.clone(), &ns.name);
    ns.eventually(bound, &format!("{name} holds the Lease"), async || {
        let lease = leases.get_opt(LEASE).await.map_err(|error| error.to_string())?;
        let holder = lease.and_then(|lease| lease.spec?.holder_identity);
        if holder.as_deref() == Some(name) { Ok(()) } else { Err(format!("{holder:?} holds it")) }
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_is_asked_to_end_hands_over_within_seconds() {
    let ns = super::namespace("asked").await;
    let mut pair = Pair::new(&ns).await;

    let took = pair.hand_over("is asked to end", pair.first.signal("TERM")).await;

    assert!(took < SOON / 2, "{took:?}: the Lease was not given back");
    assert!(pair.first.ends().await.success(), "{}", pair.first.log());
    pair.never_wrote_both().await;
}

#[tokio::test]
async fn a_leader_that_is_killed_is_replaced_when_its_lease_expires() {
    let ns = super::namespace("killed").await;
    let mut pair = Pair::new(&ns).await;

    pair.hand_over("is killed", pair.first.signal("KILL")).await;

    pair.first.ends().await;
    pair.never_wrote_both().await;
}

#[tokio::test]
async fn a_leader_that_was_stopped_for_too_long_wakes_up_and_writes_nothing() {
    let ns = super::namespace("stopped").await;
    let mut pair = Pair::new(&ns).await;

    pair.hand_over("is stopped", pair.first.signal("STOP")).await;
    let before = pair.writes().await.0.len();
    pair.busy(async { pair.first.signal("CONT").await }).await;

    pair.first_gives_up().await;
    assert_eq!(pair.writes().await.0.len(), before);
    pair.never_wrote_both().await;
}

#[tokio::test]
async fn a_leader_that_is_cut_off_from_the_api_server_gives_up_before_another_takes_over() {
    let ns = super::namespace("apart").await;
    let mut pair = Pair::new(&ns).await;

    pair.hand_over("is cut off", async { pair.proxy_of_first.set(Way::Frozen) }).await;

    pair.first_gives_up().await;
    pair.never_wrote_both().await;
}

#[tokio::test]
async fn a_write_of_a_former_leader_that_arrives_late_does_no_harm() {
    let ns = super::namespace("late").await;
    let mut pair = Pair::new(&ns).await;
    let before = pair.writes().await.0.len();

    pair.proxy_of_first.set(Way::Muted);
    ask_for(&pair.lobby, "the old").await;
    pair.first_gives_up().await;
    ask_for(&pair.lobby, "the new").await;
    has(&pair.lobby, "the new", EXPIRY).await;
    pair.proxy_of_first.set(Way::Open);

    ns.eventually(SOON, "the old write arrives", async || {
        let (first, _) = pair.writes().await;
        if first.len() > before { Ok(()) } else { Err(format!("still {before} writes")) }
    })
    .await;
    has(&pair.lobby, "the new", SOON).await;
}

#[tokio::test]
async fn one_of_several_operators_leads_and_a_deleted_lease_is_not_taken_too_early() {
    let ns = super::namespace("race").await;
    let audit = Audit::from_now();
    let mut operators = Vec::new();
    for name in ["first", "second", "third"] {
        let proxy = Proxy::new(&ns, name).await;
        operators.push((Operator::start(&ns, name, &proxy), proxy));
    }
    let ready = async |words: &str| {
        let mut ready = Vec::new();
        for (index, (operator, _)) in operators.iter().enumerate() {
            let answer = operator.get("/readyz").await?;
            if answer == (200, words.to_owned()) {
                ready.push(index);
            }
        }
        Ok::<_, String>(ready)
    };
    let standing_by = "ok: standing by, another operator leads";
    let leader = ns
        .eventually(SOON, "one leads and two stand by", async || {
            let (leading, waiting) = (ready("ok").await?, ready(standing_by).await?);
            if leading.len() == 1 && waiting.len() == 2 {
                Ok(leading[0])
            } else {
                Err(format!("{leading:?} lead"))
            }
        })
        .await;

    let leases: Api<Lease> = Api::namespaced(ns.client.clone(), &ns.name);
    leases.delete(LEASE, &DeleteParams::default()).await.expect("deleting the Lease");

    let (former, _) = &mut operators[leader];
    assert_eq!(former.ends().await.code(), Some(1));
    let created = |entry: &&Entry| entry.code == 201 && entry.uri.contains("/leases");
    let count = audit.entries(&ns).await.iter().filter(created).count();
    assert_eq!(count, 1, "nobody has recreated the Lease yet");
    ns.eventually(EXPIRY, "another operator recreates the Lease", async || {
        let lease = leases.get_opt(LEASE).await.map_err(|error| error.to_string())?;
        lease.map(|_| ()).ok_or_else(|| "there is no Lease".into())
    })
    .await;
}
