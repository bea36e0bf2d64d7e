//! The hub from outside: real processes, a Redis with a password, and the clients of npm, Python and Java.
//!
//! The tests need `node`, `npm`, `python3` with venv, a JDK, `mvn`, and `redis-server` (or Debian's
//! `redis-tools`, whose `redis-check-rdb` is the same program). They use loopback only, and end every process
//! that they start.

mod audiences;
mod backplane;
mod client;
mod features;
mod handover;
mod history;
mod hostile;
mod lifecycle;
mod matrix;
mod metrics;
mod outage;
mod page;
mod presence;
mod stateful;
mod support;
mod wire;
