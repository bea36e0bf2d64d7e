//! Leader election: one of several operators works, and none works on a Lease that it may have lost.
//!
//! The decisions are pure ([`Elector`], [`Tenure::holds`]): they take the Lease of the API server and a
//! moment, and return what to do. Each waiting operator counts the expiry by its own clock, from when it
//! first *saw* a renewal, so clocks of different machines need not agree. Every write names the resource
//! version that it replaces: if two operators take an expired Lease at once, one of them fails. A leader
//! counts from before it *sent* its last renewal, stops writing well before others may take over, and ends
//! its process. See docs/decisions/0003-own-election.md.

mod elector;
mod moment;
mod tenure;
mod times;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use thiserror::Error;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use chatcluster_api::names::OPERATOR;
use elector::{Elector, Step};
pub use moment::Moment;
pub use tenure::{NotLeading, Tenure};
use times::{ATTEMPT, DEADLINE, LOOK, RELEASE, RENEWAL};

/// The reason why an operator no longer leads.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Another operator holds the Lease.
    #[error("the Lease was taken by {0}")]
    Taken(String),
    /// No renewal was accepted in time: the API server did not answer, or this process was stopped.
    #[error("the Lease was not renewed within {} s: {last}", DEADLINE.as_secs())]
    NotRenewed {
        /// The outcome of the last attempt.
        last: String,
    },
}

/// The reason why one attempt at the Lease failed. Another one may succeed.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Request(#[from] kube::Error),
    #[error("no answer within {} s", ATTEMPT.as_secs())]
    NoAnswer(#[from] tokio::time::error::Elapsed),
}

impl Failure {
    fn code(&self) -> Option<u16> {
        match self {
            Self::Request(kube::Error::Api(status)) => Some(status.code),
            Self::Request(_) | Self::NoAnswer(_) => None,
        }
    }
}

/// The Lease that the operators of one namespace share.
pub struct LeaseLock {
    api: Api<Lease>,
    identity: String,
    tenure: Tenure,
}

/// The Lease while this process holds it.
pub struct Leadership {
    lock: LeaseLock,
    /// The Lease as this process last wrote it.
    held: Lease,
}

impl LeaseLock {
    /// Returns the Lease `chatcluster-operator` in `namespace`. `identity` is the name of the operator's pod,
    /// which no other process has at the same time. `tenure` tells from now on whether this process leads.
    ///
    /// `client` must be one that may write while this process does not lead.
    pub fn new(client: Client, namespace: &str, identity: &str, tenure: Tenure) -> Self {
        Self { api: Api::namespaced(client, namespace), identity: identity.to_owned(), tenure }
    }

    /// Waits until this operator leads.
    pub async fn acquire(self) -> Leadership {
        let mut elector = Elector::new(&self.identity);
        let mut leader = None;
        loop {
            match self.try_acquire(&mut elector).await {
                Ok(Some((held, sent))) => {
                    self.tenure.renew(sent);
                    info!(identity = self.identity, "this operator leads");
                    return Leadership { lock: self, held };
                }
                Ok(None) => {
                    self.tenure.stand_by();
                    let holder = elector.holder();
                    if leader.as_ref() != Some(&holder) {
                        info!(leader = holder, "another operator leads: standing by");
                        leader = Some(holder);
                    }
                }
                Err(error) => warn!(%error, "the Lease cannot be read or written; trying again"),
            }
            sleep(LOOK).await;
        }
    }

    /// Takes the Lease if it is free. Returns it with the moment before it was written.
    async fn try_acquire(&self, elector: &mut Elector) -> Result<Option<(Lease, Moment)>, Failure> {
        let read = timeout(ATTEMPT, self.api.get_opt(OPERATOR)).await??;
        let spec = read.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
        let now = Moment::now();
        let spec = match elector.decide(spec.as_ref(), now, Timestamp::now()) {
            Step::Wait => return Ok(None),
            Step::Take(spec) => spec,
        };
        let written = match read {
            Some(lease) => self.replace(&lease, spec).await,
            None => self.create(spec).await,
        };
        match written {
            Ok(lease) => Ok(Some((lease, now))),
            // Another operator was faster: its expiry counts from now.
            Err(failure) if failure.code() == Some(409) => {
                let read = timeout(ATTEMPT, self.api.get_opt(OPERATOR)).await??;
                elector.see(read.and_then(|lease| lease.spec).as_ref(), Moment::now());
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn create(&self, spec: LeaseSpec) -> Result<Lease, Failure> {
        let metadata = ObjectMeta { name: Some(OPERATOR.to_owned()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(spec) };
        Ok(timeout(ATTEMPT, self.api.create(&PostParams::default(), &lease)).await??)
    }

    /// Writes `spec` if the Lease is still the one that was read: the request names its resource version.
    async fn replace(&self, read: &Lease, spec: LeaseSpec) -> Result<Lease, Failure> {
        let lease = Lease { spec: Some(spec), ..read.clone() };
        Ok(timeout(ATTEMPT, self.api.replace(OPERATOR, &PostParams::default(), &lease)).await??)
    }
}

impl Leadership {
    /// Renews the Lease until `asked`, and then still holds it. An error means that the Lease is lost. The
    /// process must then end, because another operator may lead already.
    pub async fn keep(mut self, asked: impl Future<Output = ()>) -> Result<Self, LeaseError> {
        tokio::select! {
            () = asked => {}
            lost = self.renew_for_ever() => {
                self.lock.tenure.end();
                return Err(lost);
            }
        }
        Ok(self)
    }

    async fn renew_for_ever(&mut self) -> LeaseError {
        let mut last = "this process was not running".to_owned();
        let mut pause = RENEWAL;
        loop {
            sleep(pause).await;
            if !self.lock.tenure.holds(Moment::now()) {
                return LeaseError::NotRenewed { last };
            }
            let sent = Moment::now();
            pause = match self.renew().await {
                Ok(()) => {
                    self.lock.tenure.renew(sent);
                    RENEWAL
                }
                Err(error @ Failure::Request(kube::Error::Api(_)))
                    if matches!(error.code(), Some(404 | 409)) =>
                {
                    if let Err(lost) = self.reread().await {
                        return lost;
                    }
                    Duration::ZERO
                }
                Err(error) => {
                    warn!(%error, "the Lease could not be renewed; trying again");
                    last = error.to_string();
                    LOOK
                }
            };
        }
    }

    async fn renew(&mut self) -> Result<(), Failure> {
        let spec = LeaseSpec {
            renew_time: Some(MicroTime(Timestamp::now())),
            ..self.held.spec.clone().unwrap_or_default()
        };
        self.held = self.lock.replace(&self.held, spec).await?;
        Ok(())
    }

    /// Handles a Lease that differs from the one written last. It is still ours if somebody only labelled it,
    /// or if a renewal was written and only its answer was lost.
    async fn reread(&mut self) -> Result<(), LeaseError> {
        match timeout(ATTEMPT, self.lock.api.get_opt(OPERATOR)).await {
            Ok(Ok(Some(lease))) if is_same_term(&lease, &self.held) => {
                self.held = lease;
                Ok(())
            }
            Ok(Ok(Some(lease))) => {
                let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
                Err(LeaseError::Taken(if holder.is_empty() {
                    "nobody: it was given up".to_owned()
                } else {
                    holder
                }))
            }
            Ok(Ok(None)) => Err(LeaseError::Taken("nobody: it was deleted".to_owned())),
            // The next renewal fails in the same way, or the deadline passes.
            Ok(Err(_)) | Err(_) => {
                sleep(LOOK).await;
                Ok(())
            }
        }
    }

    /// Releases the Lease, so that another operator need not wait for its expiry. Nothing is written after
    /// this.
    pub async fn release(mut self) {
        self.lock.tenure.end();
        if timeout(RELEASE, self.give_back()).await.is_err() {
            warn!("the Lease could not be given back in time; others wait for it to expire");
        }
    }

    async fn give_back(&mut self) {
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            // Clients that know only expiry wait no longer than this.
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..self.held.spec.clone().unwrap_or_default()
        };
        let mut released = self.lock.replace(&self.held, spec.clone()).await;
        // A renewal may have been under way when we were asked to end.
        if matches!(&released, Err(failure) if failure.code() == Some(409)) && self.reread().await.is_ok() {
            released = self.lock.replace(&self.held, spec).await;
        }
        match released {
            Ok(_) => info!("gave the Lease back"),
            Err(error) => warn!(%error, "the Lease could not be given back; others wait for it to expire"),
        }
    }
}

/// True if the same process wrote both, since it acquired the Lease.
fn is_same_term(a: &Lease, b: &Lease) -> bool {
    let term = |lease: &Lease| {
        let spec = lease.spec.clone().unwrap_or_default();
        (lease.metadata.uid.clone(), spec.holder_identity, spec.acquire_time, spec.lease_transitions)
    };
    term(a) == term(b)
}
