//! Which of our fields the API server does not keep as we write them, so that their absence is not taken for drift. It
//! stores some values in another form (a webhook may, too), and every version of Kubernetes may add to them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::objects::compare::Difference;

/// What was learnt from answers to our writes, by the cluster's uid and the child's. It can be lost: then it is learnt
/// again, by a write that changes nothing.
#[derive(Debug, Default)]
pub struct Kept {
    changed: Mutex<HashMap<String, HashMap<String, Vec<Difference>>>>,
}

impl Kept {
    /// After a write to the child `child` of the cluster `cluster`: what the answer then had otherwise.
    pub(super) fn learn(&self, cluster: &str, child: &str, changed: Vec<Difference>) {
        let mut all = self.lock();
        if !changed.is_empty() {
            all.entry(cluster.to_owned()).or_default().insert(child.to_owned(), changed);
        } else if let Some(children) = all.get_mut(cluster) {
            children.remove(child);
        }
    }

    /// Whether that field had our value when it was last written.
    pub(super) fn keeps(&self, cluster: &str, child: Option<&str>, difference: &Difference) -> bool {
        let all = self.lock();
        let changed = child.and_then(|child| all.get(cluster)?.get(child));
        !changed.is_some_and(|changed| changed.contains(difference))
    }

    /// The cluster is no more.
    pub fn forget(&self, cluster: &str) {
        self.lock().remove(cluster);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Vec<Difference>>>> {
        // What is behind the lock is whole between any two statements.
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
