//! The client of the API server, and what lies around it: whom the lease lets write, what the API server answers no longer, and
//! a count of the requests.

pub mod access;
mod path;
pub mod requests;
pub mod wire;
