//! What a client can do: the hub's methods, with plain types in and out. How they are called is others' concern.

mod answers;
mod departure;
mod participant;
mod rooms;
mod services;
mod words;

pub use self::answers::{Joined, WhoIsThere};
pub use self::participant::{Connection, Participant};
pub use self::services::ChatServices;
