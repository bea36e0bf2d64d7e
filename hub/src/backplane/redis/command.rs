//! A command for Redis: what the rest of the hub asks of the backplane's connection.

use crate::backplane::receipt::Receipt;
use crate::backplane::store::{StoreAck, StoreRequest};
use crate::protocol::methods::PublishError;
use crate::topics::Topic;

/// A command that the backplane's connection carries out on Redis.
#[derive(Debug)]
pub enum Command {
    /// Store a message, and publish it.
    Store {
        /// The message.
        request: StoreRequest,
        /// How that went.
        receipt: Receipt<StoreAck>,
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

/// Refuses a command while there is no connection.
pub(super) fn refuse(command: Command) {
    match command {
        Command::Store { receipt, .. } => receipt.report(Err(PublishError::NotConnected)),
        Command::Publish { receipt, .. } => receipt.report(Err(PublishError::NotConnected)),
    }
}
