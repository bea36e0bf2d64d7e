//! Tells the sender of a message how it went.

use crate::protocol::methods::PublishError;

type Report<T> = Box<dyn FnOnce(Result<T, PublishError>) + Send>;

/// Tells the sender of a message how it went, exactly once: dropped, it says [`PublishError::Unconfirmed`].
pub struct Receipt<T>(Option<Report<T>>);

impl<T> Receipt<T> {
    /// A receipt that calls `report`.
    pub fn new(report: impl FnOnce(Result<T, PublishError>) + Send + 'static) -> Self {
        Self(Some(Box::new(report)))
    }

    /// Says how it went.
    pub fn report(mut self, outcome: Result<T, PublishError>) {
        if let Some(report) = self.0.take() {
            report(outcome);
        }
    }
}

impl<T> Drop for Receipt<T> {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            report(Err(PublishError::Unconfirmed));
        }
    }
}

impl<T> std::fmt::Debug for Receipt<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receipt")
    }
}
