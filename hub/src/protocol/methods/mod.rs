//! The methods of the hub and their arguments.

mod binding;
mod call;
mod error;

pub use self::binding::bind;
pub use self::call::{ClientCall, HubCall, JoinOptions, Recipients, SendOptions};
pub use self::error::{CallError, PublishError, short};
