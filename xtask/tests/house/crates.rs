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
    Crate { root: "src/lib.rs", floors: &[] },
    Crate { root: "bench/src/main.rs", floors: &[] },
    Crate { root: "bench/operator/src/main.rs", floors: &[] },
    Crate { root: "hub/src/lib.rs", floors: &[] },
    Crate { root: "kubectl-chat/src/main.rs", floors: &[] },
    Crate { root: "xtask/src/main.rs", floors: &[] },
];
