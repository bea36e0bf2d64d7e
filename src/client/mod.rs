//! The client of the API server, with layers that refuse writes without the Lease, track what the API server
//! fails to answer, and count requests.

pub mod access;
mod request_path;
pub mod requests;
pub mod wire;
