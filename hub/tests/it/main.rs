//! The hub from outside: real processes, a real Redis with a password, and the real clients of npm, Python and Java.
//!
//! Needs `node`, `npm`, `python3` with venv, a JDK, `mvn`, and `redis-server` (or Debian's `redis-tools`, whose
//! `redis-check-rdb` is the same program). All is on loopback, and ends with its test.

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
