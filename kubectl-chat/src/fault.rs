//! Errors of commands, each one line that says what to do, and the exit codes for scripts.

use std::process::ExitCode;

use kube::core::Status;
use thiserror::Error;

/// The reason why a command did not do what it was asked to do.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The command ran, and its answer is no.
    #[error("{0}")]
    No(String),
    /// The request makes no sense here.
    #[error("{0}")]
    Refused(String),
    #[error("no cluster to talk to: {0}; name a kubeconfig with --kubeconfig or KUBECONFIG")]
    NoKubeconfig(String),
    #[error("the API server does not answer: {0}")]
    Unreachable(String),
    #[error("the API server does not know you ({0}): log in again, or choose another --context")]
    Unauthorized(String),
    #[error("{0}; ask an administrator of the cluster for that right")]
    Forbidden(String),
    #[error(
        "this cluster knows no ChatClusters: the operator is not installed; install it with: helm install chatcluster \
         charts/chatcluster --namespace chatcluster-system --create-namespace"
    )]
    NotInstalled,
    #[error("there is no ChatCluster {name} in namespace {namespace}; {hint}")]
    NoSuchCluster { name: String, namespace: String, hint: String },
    #[error("cannot {doing}: {why}")]
    Failed { doing: String, why: String },
}

impl Fault {
    /// The fault for an error of the API server during `doing`, such as `list pods`.
    pub(crate) fn of(doing: impl Into<String>, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(doing.into(), status),
            kube::Error::Service(_) | kube::Error::HyperError(_) => Self::Unreachable(root(error)),
            kube::Error::Auth(_) => Self::Unauthorized(root(error)),
            _ => Self::Failed { doing: doing.into(), why: root(error) },
        }
    }

    fn of_status(doing: String, status: &Status) -> Self {
        match status.code {
            401 => Self::Unauthorized(status.message.clone()),
            403 => Self::Forbidden(status.message.clone()),
            404 if is_unknown_resource(status) => Self::NotInstalled,
            _ => Self::Failed { doing, why: status.message.clone() },
        }
    }

    pub(crate) fn failed(doing: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Failed { doing: doing.into(), why: why.to_string() }
    }

    /// 1: the answer is no; 3: the question or the action failed. (2 is clap's, for a command line that it
    /// does not understand.)
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::No(_)) { 1 } else { 3 })
    }
}

/// True if the API server does not know the kind, rather than the object: then its answer names no object.
fn is_unknown_resource(status: &Status) -> bool {
    status.details.as_ref().is_none_or(|details| details.name.is_empty())
}

/// True if this user lacks the right.
pub(crate) fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// True if the object does not exist.
pub(crate) fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404 && !is_unknown_resource(status))
}

/// The innermost cause: the outer errors only say that there is one.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: serde_json::Value) -> kube::Error {
        kube::Error::Api(Box::new(serde_json::from_value(json).unwrap()))
    }

    #[test]
    fn a_kind_that_is_not_installed_is_told_from_an_object_that_is_not_there() {
        let kind = answer(serde_json::json!({"status": "Failure", "code": 404, "reason": "NotFound",
            "message": "the server could not find the requested resource"}));
        let object = answer(serde_json::json!({"status": "Failure", "code": 404, "reason": "NotFound",
            "message": "chatclusters.chatcluster.dev \"lobby\" not found", "details": {"name": "lobby"}}));

        assert!(matches!(Fault::of("get lobby", &kind), Fault::NotInstalled));
        assert!(!is_missing(&kind));
        assert!(is_missing(&object));
    }

    #[test]
    fn what_is_forbidden_is_said_in_the_api_servers_words() {
        let forbidden = answer(serde_json::json!({"status": "Failure", "code": 403, "reason": "Forbidden",
            "message": "pods is forbidden: User \"eve\" cannot list resource \"pods\""}));

        let fault = Fault::of("list pods", &forbidden);

        assert!(fault.to_string().starts_with("pods is forbidden: User \"eve\" cannot list"), "{fault}");
        assert_eq!(format!("{:?}", fault.exit_code()), format!("{:?}", ExitCode::from(3)));
    }
}
