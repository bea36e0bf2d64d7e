//! The crates of the workspace, and the floors of each.

/// A crate whose plan is checked.
pub(crate) struct Crate {
    /// The file of its root module.
    pub(crate) root: &'static str,
    /// Its top-level modules from the ground up. Modules on one floor, separated by spaces, do not import
    /// each other.
    pub(crate) floors: &'static [&'static str],
}

/// Every crate of the workspace.
pub(crate) const CRATES: &[Crate] = &[
    Crate {
        root: "src/lib.rs",
        floors: &[
            "error_chain hex key objects shutdown",
            "lease metrics telemetry",
            "client queue",
            "store",
            "http reconcile",
            "controller",
            "cli",
        ],
    },
    Crate { root: "api/src/lib.rs", floors: &["names pods reason", "diagnose status", "spec", "crd"] },
    Crate { root: "bench/src/main.rs", floors: &["socket websocket", "floor load"] },
    Crate {
        root: "bench/operator/src/main.rs",
        floors: &[
            "api names objects options wait",
            "audit crossing operator pods",
            "bench figures redis",
            "create delete reference rest restart",
            "churn drift floor",
            "run",
        ],
    },
    Crate {
        root: "hub/src/lib.rs",
        floors: &[
            "clock descriptors sync telemetry token",
            "guards peers protocol",
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
    Crate {
        root: "kubectl-chat/src/main.rs",
        floors: &[
            "fault model text",
            "cluster output pending",
            "complete operator rollout rotate",
            "change read",
            "forward logs plan status",
            "open verify",
            "cli",
        ],
    },
    Crate {
        root: "signalr/src/lib.rs",
        floors: &[
            "error negotiate",
            "message record",
            "json messagepack",
            "encoding",
            "client framing handshake split stateful",
        ],
    },
    Crate {
        root: "signalr-client/src/lib.rs",
        floors: &["endpoint error", "event negotiation socket", "client"],
    },
    Crate {
        root: "tests/support/src/lib.rs",
        floors: &["bounds children command environment", "namespace", "chat plugin scan"],
    },
    Crate {
        root: "xtask/src/main.rs",
        floors: &[
            "interrupt reference repo",
            "sh",
            "cargo chart deps fuzz target",
            "bridge cluster crds kube plugin",
            "images",
            "install",
            "bench demo",
            "test",
            "args",
        ],
    },
];
