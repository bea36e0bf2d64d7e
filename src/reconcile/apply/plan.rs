//! The changes that would be made, for `status.pending`. Nothing is written.

use kube::ResourceExt;

use super::Applier;
use super::decide::{Child, Decision, DesiredChild};
use super::stages::{ChildAction, Stages, stages};
use crate::reconcile::desired::{Children, WorkloadError};
use crate::reconcile::judge::Growth;
use crate::store::cache::Cache;
use chatcluster_api::names::{COMPONENT, Component};
use chatcluster_api::{Pending, PendingAction, Restarts};

/// The maximum number of fields of one child that `status.pending` names.
const FIELDS_NAMED: usize = 20;

impl Applier<'_> {
    /// Returns the changes that [`Applier::apply`] would make, child by child.
    pub fn plan(&self, children: Children, growth: &Growth) -> Vec<Pending> {
        let Stages { foundation, redis_service, redis, hubs, scaling, public } =
            stages(children, self.caches, &self.cluster.name, &PlanChild(*self));
        let grows = match growth {
            Growth::Expand { claim, .. } => Some(Pending {
                child: format!("PersistentVolumeClaim/{claim}"),
                action: PendingAction::Update,
                fields: vec!["spec.resources.requests.storage".to_owned()],
                restarts: None,
            }),
            Growth::None | Growth::Unbound { .. } | Growth::NotExpandable { .. } => None,
        };
        let all = foundation.into_iter().chain([redis_service, grows, redis, hubs, scaling]);
        all.chain(public).flatten().collect()
    }
}

/// Plans the change of each child, if there is one.
struct PlanChild<'a>(Applier<'a>);

impl<'a> ChildAction<'a> for PlanChild<'a> {
    type Output = Option<Pending>;

    fn ensure<K: Child>(&self, cache: &'a Cache<K>, desired: K) -> Self::Output {
        let Self(applier) = self;
        let mark = applier.unsatisfied(cache, &desired)?;
        let desired = DesiredChild::new(desired, mark);
        let actual = cache.get(&applier.cluster.namespace, &desired.name);
        let (action, found) = match applier.decide(&desired, actual.as_deref()) {
            Decision::Nothing => {
                if let Some(actual) = actual {
                    cache.found(&*actual, mark);
                }
                return None;
            }
            Decision::Foreign => return None,
            Decision::Create | Decision::Terminating => {
                return Some(pending::<K>(&desired.name, PendingAction::Create));
            }
            Decision::Update(found) | Decision::Repair(found) => (PendingAction::Update, found),
            Decision::Recreate(found) => (PendingAction::Recreate, found),
        };
        let restarts = actual.is_some_and(|actual| desired.changes_template(&actual, &found));
        let hub = desired.object.labels().get(COMPONENT).map(String::as_str) == Some(Component::Hub.as_str());
        Some(Pending {
            fields: found.into_iter().take(FIELDS_NAMED).map(|difference| difference.path).collect(),
            restarts: restarts.then_some(if hub { Restarts::Hub } else { Restarts::Redis }),
            ..pending::<K>(&desired.name, action)
        })
    }

    fn remove<K: Child>(&self, cache: &'a Cache<K>, name: &str) -> Self::Output {
        self.0.own_child(cache, name).map(|_| pending::<K>(name, PendingAction::Delete))
    }

    /// A workload whose desired state cannot be built stays as it is.
    fn refuse(&self, _: WorkloadError) -> Self::Output {
        None
    }
}

fn pending<K: Child>(name: &str, action: PendingAction) -> Pending {
    Pending { child: format!("{}/{name}", K::kind(&())), action, fields: Vec::new(), restarts: None }
}
