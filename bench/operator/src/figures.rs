//! Percentiles and counts. Pure.

use crate::audit::Entry;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The percentile of sorted values: the smallest value that at least this share of them does not exceed.
/// `None` without values.
pub(crate) fn at(sorted: &[f64], share: f64) -> Option<f64> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index of a slice
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Microseconds as milliseconds: count, median, 99th percentile and maximum.
pub(crate) fn milliseconds(micros: impl IntoIterator<Item = i64>) -> Value {
    let mut all: Vec<f64> = micros.into_iter().map(|micros| micros as f64 / 1e3).collect();
    all.sort_by(f64::total_cmp);
    json!({"count": all.len(), "p50": at(&all, 0.5), "p99": at(&all, 0.99), "most": all.last()})
}

/// Microseconds as seconds.
pub(crate) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// The number of requests of each kind, such as `patch services`.
pub(crate) fn by_kind<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        *counts.entry(format!("{} {}", entry.verb, entry.resource)).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();

        assert_eq!(
            [0.5, 0.99, 1.0, 0.0].map(|share| at(&values, share)),
            [100.0, 198.0, 200.0, 1.0].map(Some)
        );
        assert_eq!(at(&[], 0.5), None);
        assert_eq!(at(&[7.0], 0.99), Some(7.0));
    }

    #[test]
    fn times_are_in_milliseconds() {
        assert_eq!(
            milliseconds([3000, 1000, 2500]),
            json!({"count": 3, "p50": 2.5, "p99": 3.0, "most": 3.0})
        );
    }
}
