//! Logs, on standard error. They say what happens to connections, never what is in a message or a password.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Logs as `RUST_LOG` (default `info`) and `LOG_FORMAT` (`json`, or text for people) say.
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
