//! The crates of the workspace, and the floors of each.

/// A crate whose plan is checked.
pub(crate) struct Crate {
    /// The file of its root module.
    pub(crate) root: &'static str,
    /// Its top-level modules from the ground up. Modules on one floor, separated by spaces, do not import each other.
    pub(crate) floors: &'static [&'static str],
}

/// Every crate of the workspace.
pub(crate) const CRATES: &[Crate] = &[
    Crate {
        root: "src/lib.rs",
        floors: &[
            "causes hex key objects shutdown",
            "lease metrics telemetry",
            "client queue",
            "store",
            "http reconcile",
            "controller",
            "cli",
        ],
    },
    Crate { root: "api/src/lib.rs", floors: &["names pods reason", "diagnose status", "spec", "crd"] },
    Crate { root: "bench/src/main.rs", floors: &[] },
    Crate { root: "bench/operator/src/main.rs", floors: &[] },
    Crate {
        root: "hub/src/lib.rs",
        floors: &[
            "clock descriptors sync telemetry token",
            "canary guards protocol",
            "outbox topics",
            "metrics",
            "members",
            "rooms audiences",
            "backplane",
            "config",
            "admission",
            "chat session websocket",
            "connection transports",
            "handover",
            "hub",
            "tasks http server",
            "shutdown",
        ],
    },
    Crate { root: "hub/fuzz-targets/src/lib.rs", floors: &[] },
    Crate { root: "kubectl-chat/src/main.rs", floors: &[] },
    Crate {
        root: "signalr/src/lib.rs",
        floors: &[
            "error negotiate",
            "message record",
            "json messagepack",
            "encoding",
            "framing handshake stateful",
        ],
    },
    Crate {
        root: "tests/support/src/lib.rs",
        floors: &["bounds children command environment", "namespace", "chat plugin scan"],
    },
    Crate { root: "xtask/src/main.rs", floors: &[] },
];
