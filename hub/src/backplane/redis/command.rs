//! Commands for Redis, which the rest of the hub sends to the backplane's connection.

use crate::backplane::receipt::Receipt;
use crate::backplane::store::{StoreAck, StoreRequest};
use crate::protocol::methods::PublishError;
use crate::topics::Topic;

/// A command that the backplane's connection carries out on Redis.
#[derive(Debug)]
pub enum Command {
    /// Stores a message, and publishes it.
    Store {
        /// The message.
        request: StoreRequest,
        /// The callback for the result.
        receipt: Receipt<StoreAck>,
    },
    /// Publishes a payload that is not stored.
    Publish {
        /// The topic.
        topic: Topic,
        /// The payload.
        payload: String,
        /// The callback for the result.
        receipt: Receipt<()>,
    },
}

/// Reports that there is no connection.
pub(super) fn refuse(command: Command) {
    match command {
        Command::Store { receipt, .. } => receipt.report(Err(PublishError::NotConnected)),
        Command::Publish { receipt, .. } => receipt.report(Err(PublishError::NotConnected)),
    }
}
