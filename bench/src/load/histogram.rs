//! A histogram of latencies, in buckets at most 0.8 % wide.

/// The number of buckets for each power of two.
const STEPS: u32 = 128;

pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; (64 - 7 + 1) * STEPS as usize], total: 0, most: 0 }
    }

    pub(super) fn add(&mut self, nanoseconds: u64) {
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
        self.most = self.most.max(nanoseconds);
    }

    /// The percentile in milliseconds: this share of all values does not exceed it. 0 without values.
    pub(super) fn at(&self, share: f64) -> f64 {
        let wanted = (share * self.total as f64).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return milliseconds(top(index).min(self.most));
            }
        }
        0.0
    }

    pub(super) fn most(&self) -> f64 {
        milliseconds(self.most)
    }
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

fn bucket(nanoseconds: u64) -> usize {
    let shift = (64 - nanoseconds.leading_zeros()).saturating_sub(8);
    (shift * STEPS) as usize + (nanoseconds >> shift) as usize
}

/// The largest value of a bucket.
fn top(index: usize) -> u64 {
    let shift = (index / STEPS as usize).saturating_sub(1);
    ((index - shift * STEPS as usize + 1) as u64).checked_shl(shift as u32).map_or(u64::MAX, |t| t - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_within_one_percent_of_the_exact_one() {
        let exact: Vec<u64> = (0..20_000_u64).map(|i| i * i * 7 + 3).collect();
        let mut histogram = Histogram::new();
        for &value in &exact {
            histogram.add(value);
        }

        for share in [0.001, 0.5, 0.99, 0.999, 1.0] {
            let want = milliseconds(exact[(share * exact.len() as f64).ceil() as usize - 1]);
            let got = histogram.at(share);
            assert!(got >= want && got <= want * 1.01, "{share}: {got} for {want}");
        }
    }

    #[test]
    fn of_nothing_there_is_no_latency() {
        assert!(Histogram::new().at(0.5).abs() < f64::EPSILON);
    }
}
