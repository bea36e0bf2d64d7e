//! The client's side of the protocol: messages that only a client writes or reads.
//!
//! Invocations, stream items, completions, pings and acknowledgements are the same in both directions:
//! [`Encoding`](crate::encoding::Encoding) writes them.

pub mod handshake;
pub mod message;
pub mod negotiation;
