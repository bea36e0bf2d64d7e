//! Rate limits by token buckets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

use crate::sync::lock;

/// The most addresses that are remembered.
const MOST_ADDRESSES: usize = 100_000;

/// The size of a burst, as the number of seconds whose events may happen at once.
const BURST: f64 = 2.0;

/// The limit of events per second.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self { left: f64::from(per_second) * BURST, at: now }
    }

    /// Takes one event from the bucket. Returns false if the bucket is empty.
    pub fn take(&mut self, per_second: u32, now: Instant) -> bool {
        let rate = f64::from(per_second);
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        self.left = (self.left + gained).min(rate * BURST);
        self.at = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }

    fn is_full(&self, per_second: u32, now: Instant) -> bool {
        self.left + now.saturating_duration_since(self.at).as_secs_f64() * f64::from(per_second)
            >= f64::from(per_second) * BURST
    }
}

/// A bucket for each address.
#[derive(Debug)]
pub struct PerAddress {
    per_second: u32,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl PerAddress {
    /// A limit of events per second for each address; 0: no limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second, buckets: Mutex::default() }
    }

    /// Takes one event from an address's bucket. Returns false if the bucket is empty, or if too many
    /// addresses are remembered.
    pub fn take(&self, address: IpAddr) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let now = Instant::now();
        let mut buckets = lock(&self.buckets);
        if buckets.len() >= MOST_ADDRESSES && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| !bucket.is_full(self.per_second, now));
            if buckets.len() >= MOST_ADDRESSES {
                return false;
            }
        }
        buckets.entry(address).or_insert_with(|| Bucket::new(self.per_second, now)).take(self.per_second, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, start);
        let taken = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(10, now)).count();

        assert_eq!(taken(&mut bucket, start), 20);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(500)), 5);
        assert_eq!(taken(&mut bucket, start + Duration::from_hours(1)), 20);
    }

    #[test]
    fn addresses_do_not_take_each_other_s() {
        let rates = PerAddress::new(1);
        let [a, b] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);

        assert_eq!((0..10).filter(|_| rates.take(a)).count(), 2);
        assert!(rates.take(b));
    }
}
