//! Logs, on standard error. They tell of connections, but never contain messages or passwords.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts the logs as `RUST_LOG` (default `info`) and `LOG_FORMAT` (`json`, or else text) specify.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if std::env::var("LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        logs.json().flatten_event(true).init();
    } else {
        logs.with_target(false).init();
    }
}
