//! Two operators: one works, and when that is stopped, killed, cut off or asked to end, the other does, never both.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams};
use serde_json::json;

use super::gate::Way;
use super::process::Operator;
use super::proxy::Proxy;
use crate::audit::{Audit, Entry};
use crate::redis::Redis;
use crate::support::{Chat, Kind, Namespace, SOON};

const LEASE: &str = "chatcluster-operator";
/// A Lease holds for 15 seconds without a renewal.
const EXPIRY: Duration = Duration::from_mins(1);

/// The operators `a`, which leads, and `b`, which stands by.
struct Pair<'a> {
    ns: &'a Namespace,
    a: Operator,
    way_of_a: Proxy,
    _b: Operator,
    _way_of_b: Proxy,
    audit: Audit,
    lobby: Chat<'a>,
    /// One that answers, so that a reconcile takes no longer than its writes.
    _redis: Redis,
}

impl<'a> Pair<'a> {
    async fn new(ns: &'a Namespace) -> Self {
        let audit = Audit::from_now();
        let (way_of_a, way_of_b) = (Proxy::new(ns, "a").await, Proxy::new(ns, "b").await);
        let a = Operator::start(ns, "a", &way_of_a);
        says(ns, &a, 200, "ok").await;
        leads(ns, "a", SOON).await;
        let b = Operator::start(ns, "b", &way_of_b);
        says(ns, &b, 200, "standing by").await;
        let spec = json!({"redis": {"persistence": "None"}, "service": {"publish": "Immediately"}});
        let lobby = ns.chat("lobby", spec).await;
        lobby.has_all_children().await;
        let redis = Redis::of(&lobby).await;
        lobby.becomes("BackplaneReady", "True", "Ready", SOON).await;
        Self { ns, a, way_of_a, _b: b, _way_of_b: way_of_b, audit, lobby, _redis: redis }
    }

    /// Changes the spec all the time, so that whoever leads has something to write, until the other future is done.
    async fn busy<T>(&self, meanwhile: impl Future<Output = T>) -> T {
        let changes = async {
            for number in 0_u32.. {
                self.ask_for(&number.to_string()).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            done = meanwhile => done,
            () = changes => unreachable!("it goes on for ever"),
        }
    }

    async fn ask_for(&self, value: &str) {
        self.lobby.set(json!({"service": {"annotations": {"example.com/asked-for": value}}})).await;
    }

    /// Waits until the Service is as it was asked for last.
    async fn has(&self, value: &str, bound: Duration) {
        let service = self.lobby.child(Kind::Service, "");
        self.ns
            .eventually(bound, &format!("the Service has what was asked for: {value}"), async || {
                let annotations = service.seen().await?["metadata"]["annotations"].clone();
                if annotations["example.com/asked-for"] == value {
                    Ok(())
                } else {
                    Err(annotations.to_string())
                }
            })
            .await;
    }

    /// What each wrote, but for the Lease.
    async fn writes(&self) -> (Vec<Entry>, Vec<Entry>) {
        let entries = self.audit.entries(self.ns).await;
        let of = |name: &str| {
            let is_write = |entry: &&Entry| {
                ["create", "update", "patch", "delete"].contains(&entry.verb.as_str())
                    && entry.agent.starts_with("chatcluster-operator")
                    && entry.agent.ends_with(&format!("({name})"))
                    && !entry.uri.contains("/leases")
            };
            entries.iter().filter(is_write).cloned().collect::<Vec<_>>()
        };
        (of("a"), of("b"))
    }

    async fn until_a_writes(&self) {
        let writes = async || match self.writes().await.0.len() {
            few @ 0..5 => Err(format!("{few} writes of a")),
            _ => Ok(()),
        };
        self.ns.eventually(SOON, "a writes", writes).await;
    }

    /// From the audit log: when `b` began to write, everything that `a` wrote was done.
    async fn never_wrote_both(&self) {
        let (a, b) = self.writes().await;
        let last_of_a = a.iter().map(|entry| &entry.answered).max().expect("a wrote something");
        let first_of_b = b.iter().map(|entry| &entry.received).min().expect("b wrote something");
        assert!(last_of_a < first_of_b, "a wrote until {last_of_a}, b from {first_of_b}: {a:#?}\n{b:#?}");
        println!("a made {} writes until {last_of_a}, b {} from {first_of_b}", a.len(), b.len());
    }

    /// Makes trouble for `a`, and waits until `b` has taken over and written what was asked for. How long that took.
    async fn hand_over(&self, what: &str, trouble: impl Future<Output = ()>) -> Duration {
        let taken_over = async {
            self.until_a_writes().await;
            let start = Instant::now();
            trouble.await;
            leads(self.ns, "b", EXPIRY).await;
            start
        };
        let start = self.busy(taken_over).await;
        self.ask_for("the last").await;
        self.has("the last", SOON).await;
        let took = start.elapsed();
        println!("hand-over when the leader {what}: {:.1} s", took.as_secs_f64());
        took
    }

    /// `a` ended because it lost its Lease, and says so.
    async fn a_gives_up(&mut self) {
        let status = self.a.ends().await;
        assert_eq!(status.code(), Some(1), "{}", self.a.log());
        assert!(self.a.log().contains("leads no longer"), "{}", self.a.log());
    }
}

async fn says(ns: &Namespace, operator: &Operator, code: u16, words: &str) {
    ns.eventually(SOON, &format!("/readyz is {code}: {words}"), async || {
        let answer = operator.get("/readyz").await?;
        if answer.0 == code && answer.1.contains(words) { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
}

async fn leads(ns: &Namespace, name: &str, bound: Duration) {
    let leases: Api<Lease> = Api::namespaced(ns.client.clone(), &ns.name);
    ns.eventually(bound, &format!("{name} holds the Lease"), async || {
        let lease = leases.get_opt(LEASE).await.map_err(|error| error.to_string())?;
        let holder = lease.and_then(|lease| lease.spec?.holder_identity);
        if holder.as_deref() == Some(name) { Ok(()) } else { Err(format!("{holder:?} does")) }
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_is_asked_to_end_hands_over_within_seconds() {
    let ns = super::namespace("asked").await;
    let mut pair = Pair::new(&ns).await;

    let took = pair.hand_over("is asked to end", pair.a.signal("TERM")).await;

    assert!(took < SOON / 2, "{took:?}: the Lease was not given back");
    assert!(pair.a.ends().await.success(), "{}", pair.a.log());
    pair.never_wrote_both().await;
}

#[tokio::test]
async fn a_leader_that_is_killed_is_replaced_when_its_lease_expires() {
    let ns = super::namespace("killed").await;
    let mut pair = Pair::new(&ns).await;

    pair.hand_over("is killed", pair.a.signal("KILL")).await;

    pair.a.ends().await;
    pair.never_wrote_both().await;
}

#[tokio::test]
async fn a_leader_that_was_stopped_for_too_long_wakes_up_and_writes_nothing() {
    let ns = super::namespace("stopped").await;
    let mut pair = Pair::new(&ns).await;

    pair.hand_over("is stopped", pair.a.signal("STOP")).await;
    let before = pair.writes().await.0.len();
    pair.busy(async { pair.a.signal("CONT").await }).await;

    pair.a_gives_up().await;
    assert_eq!(pair.writes().await.0.len(), before);
    pair.never_wrote_both().await;
}

#[tokio::test]
async fn a_leader_that_is_cut_off_from_the_api_server_gives_up_before_another_takes_over() {
    let ns = super::namespace("apart").await;
    let mut pair = Pair::new(&ns).await;

    pair.hand_over("is cut off", async { pair.way_of_a.set(Way::Frozen) }).await;

    pair.a_gives_up().await;
    pair.never_wrote_both().await;
}

#[tokio::test]
async fn what_a_former_leader_sent_and_what_arrives_late_does_no_harm() {
    let ns = super::namespace("late").await;
    let mut pair = Pair::new(&ns).await;
    let before = pair.writes().await.0.len();

    pair.way_of_a.set(Way::Muted);
    pair.ask_for("the old").await;
    pair.a_gives_up().await;
    pair.ask_for("the new").await;
    pair.has("the new", EXPIRY).await;
    pair.way_of_a.set(Way::Open);

    ns.eventually(SOON, "the old write arrives", async || {
        let (a, _) = pair.writes().await;
        if a.len() > before { Ok(()) } else { Err(format!("still {before} writes")) }
    })
    .await;
    pair.has("the new", SOON).await;
}

#[tokio::test]
async fn of_operators_that_start_at_once_one_leads_and_a_lease_that_is_deleted_is_not_taken_too_early() {
    let ns = super::namespace("race").await;
    let audit = Audit::from_now();
    let mut operators = Vec::new();
    for name in ["a", "b", "c"] {
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
    let made = |entry: &&Entry| entry.code == 201 && entry.uri.contains("/leases");
    assert_eq!(audit.entries(&ns).await.iter().filter(made).count(), 1, "nobody has made it again yet");
    ns.eventually(EXPIRY, "another makes it", async || {
        let lease = leases.get_opt(LEASE).await.map_err(|error| error.to_string())?;
        lease.map(|_| ()).ok_or_else(|| "it is not there".into())
    })
    .await;
}
