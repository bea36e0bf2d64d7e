//! The fields that the API server stores otherwise than the operator writes them, so that the difference is
//! not taken for drift. The API server normalizes some values (a webhook may, too), and every version of
//! Kubernetes may add to them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::objects::compare::Difference;

/// The differences between writes and the answers to them, by the cluster's uid and the child's. They can be
/// lost: then they are learnt again, by a write that changes nothing.
#[derive(Debug, Default)]
pub struct ServerDefaults {
    changed: Mutex<HashMap<String, HashMap<String, Vec<Difference>>>>,
}

impl ServerDefaults {
    /// Learns from a write to the child `child` of the cluster `cluster`. `changed`: the fields in which the
    /// answer differed from the write.
    pub(super) fn learn(&self, cluster: &str, child: &str, changed: Vec<Difference>) {
        let mut all = self.lock();
        if !changed.is_empty() {
            all.entry(cluster.to_owned()).or_default().insert(child.to_owned(), changed);
        } else if let Some(children) = all.get_mut(cluster) {
            children.remove(child);
        }
    }

    /// True if that field had our value when it was last written.
    pub(super) fn keeps(&self, cluster: &str, child: Option<&str>, difference: &Difference) -> bool {
        let all = self.lock();
        let changed = child.and_then(|child| all.get(cluster)?.get(child));
        !changed.is_some_and(|changed| changed.contains(difference))
    }

    /// Drops the differences of a deleted cluster.
    pub fn forget(&self, cluster: &str) {
        self.lock().remove(cluster);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Vec<Difference>>>> {
        // The data behind the lock is consistent between any two statements, so a panic leaves it usable.
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
