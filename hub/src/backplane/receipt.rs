//! Reports to the sender of a message whether it was stored or published.

use crate::protocol::methods::PublishError;

type Report<T> = Box<dyn FnOnce(Result<T, PublishError>) + Send>;

/// The callback of a message's sender, which is called exactly once. A receipt that is dropped reports
/// [`PublishError::Unconfirmed`].
pub struct Receipt<T>(Option<Report<T>>);

impl<T> Receipt<T> {
    /// A receipt that calls `report`.
    pub fn new(report: impl FnOnce(Result<T, PublishError>) + Send + 'static) -> Self {
        Self(Some(Box::new(report)))
    }

    /// Reports the result.
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
