//! The methods of this hub: which there are, and what they take.

mod binding;
mod call;
mod error;

pub use self::binding::bind;
pub use self::call::{ClientCall, HubCall, JoinOptions, Recipients, SendOptions};
pub use self::error::{CallError, PublishError, short};
