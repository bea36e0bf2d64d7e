//! The hub from outside: real processes, a real Redis with a password, and the real npm client.
//!
//! Needs `node`, `npm`, and `redis-server` (or Debian's `redis-tools`, whose `redis-check-rdb` is the same program).
//! All is on loopback, and ends with its test.

mod backplane;
mod client;
mod lifecycle;
mod page;
mod support;
mod wire;
