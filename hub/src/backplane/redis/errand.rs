//! Something to do on Redis.

use crate::backplane::letter::{Letter, Stored};
use crate::backplane::receipt::Receipt;
use crate::protocol::methods::PublishError;
use crate::topics::Topic;

/// Something to do on Redis.
#[derive(Debug)]
pub enum Errand {
    /// Store a message, and publish it.
    Store {
        /// The message.
        letter: Letter,
        /// How that went.
        receipt: Receipt<Stored>,
    },
    /// Publish something that is not stored.
    Publish {
        /// To whom.
        topic: Topic,
        /// What.
        payload: String,
        /// How that went.
        receipt: Receipt<()>,
    },
}

/// Answers an errand for which there is no connection.
pub(super) fn refuse(errand: Errand) {
    match errand {
        Errand::Store { receipt, .. } => receipt.report(Err(PublishError::NotConnected)),
        Errand::Publish { receipt, .. } => receipt.report(Err(PublishError::NotConnected)),
    }
}
