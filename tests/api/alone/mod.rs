//! Tests with operators of their own: several of them, killed, stopped, or cut off from the API server. The
//! operator that the other tests share must not run meanwhile, so these tests run by themselves, after the
//! others.
//!
//! Each test has a namespace, and its operators see only that namespace, as their proxy narrows every
//! request.

mod asked;
mod counted;
mod gate;
mod interrupted;
mod leader;
mod metrics;
mod process;
mod proxy;
mod scope;
mod trouble;
mod upgrade;

use tokio::sync::OnceCell;

use crate::operator;
use crate::support::Namespace;

static SET_UP: OnceCell<()> = OnceCell::const_new();

/// A namespace for a test, with the CRD installed and no operator.
async fn namespace(theme: &str) -> Namespace {
    SET_UP.get_or_init(operator::install_crds).await;
    Namespace::new(theme).await
}
