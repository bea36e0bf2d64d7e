//! A layer of the client that refuses writes while this operator does not lead, and tracks which requests the
//! API server fails to answer.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::sync::watch;
use tower::{BoxError, Layer, Service};

use crate::client::request_path::RequestPath;
use crate::error_chain::ErrorChain;
use crate::lease::{Moment, NotLeading, Tenure};

/// The requests that the API server fails to answer, by resource. An entry stays as long as the failure
/// lasts.
#[derive(Debug)]
pub struct Access {
    troubles: Mutex<BTreeMap<String, Trouble>>,
    recoveries: watch::Sender<u64>,
}

/// The time after which a failure that was not repeated no longer counts: its resource may no longer be
/// watched.
const FORGOTTEN: Duration = Duration::from_mins(2);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    last: Instant,
    kind: Kind,
}

/// The fault of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Unreachable(String),
    Unauthorized,
    Forbidden,
    NotFound,
    Failing(StatusCode),
}

impl Default for Access {
    fn default() -> Self {
        Self { troubles: Mutex::default(), recoveries: watch::Sender::new(0) }
    }
}

impl Access {
    /// Returns the failures that have lasted at least that long, each in a sentence that says what to do.
    pub fn troubles(&self, for_at_least: Duration) -> Vec<String> {
        let troubles = self.lock();
        let lasting = troubles.iter().filter(|(_, trouble)| {
            trouble.since.elapsed() >= for_at_least && trouble.last.elapsed() < FORGOTTEN
        });
        let mut sentences: Vec<String> = Vec::new();
        for (resource, Trouble { kind, .. }) in lasting {
            let sentence = kind.about(resource);
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        sentences
    }

    /// Returns a value that changes each time the API server answers everything again after a failure.
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.recoveries.subscribe()
    }

    /// Records the outcome of a request for that resource.
    fn note(&self, resource: &str, trouble: Option<Kind>) {
        let mut troubles = self.lock();
        match trouble {
            Some(kind) => {
                let now = Instant::now();
                let since = troubles.get(resource).map_or(now, |trouble| trouble.since);
                troubles.insert(resource.to_owned(), Trouble { since, last: now, kind });
            }
            None => {
                if troubles.remove(resource).is_some() && troubles.is_empty() {
                    self.recoveries.send_modify(|count| *count += 1);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Trouble>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    fn of(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::UNAUTHORIZED => Some(Self::Unauthorized),
            StatusCode::FORBIDDEN => Some(Self::Forbidden),
            StatusCode::NOT_FOUND => Some(Self::NotFound),
            status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                Some(Self::Failing(status))
            }
            _ => None,
        }
    }

    fn about(&self, resource: &str) -> String {
        match self {
            Self::Unreachable(error) => format!("the API server cannot be reached: {error}"),
            Self::Unauthorized => {
                "the API server does not accept the operator's credentials (401): is its service account there?".to_owned()
            }
            Self::Forbidden => {
                format!("the operator's role does not give it the rights that it needs on {resource} (403)")
            }
            Self::NotFound if resource.starts_with("chatclusters") => {
                "the CustomResourceDefinition chatclusters.chatcluster.dev is not installed".to_owned()
            }
            Self::NotFound => format!("the API server knows no {resource} (404)"),
            Self::Failing(status) => format!("the API server fails to answer for {resource} ({status})"),
        }
    }
}

/// Layer that wraps a service in [`Guarded`].
#[derive(Clone, Debug)]
pub struct Guard {
    /// Record of the outcomes.
    pub access: Arc<Access>,
    /// The right to write. With `None` every request passes, as the election's own requests must.
    pub tenure: Option<Tenure>,
}

/// A service whose writes need the Lease, and whose outcomes are recorded.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

impl<S, A> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<A>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<A>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let noted =
            noted(request.method(), request.uri().path()).map(|what| (what, self.guard.access.clone()));
        let fence = self.guard.tenure.clone().filter(|_| request.method() != Method::GET);
        if fence.as_ref().is_some_and(|tenure| !tenure.holds(Moment::now())) {
            return Box::pin(async { Err(NotLeading.into()) });
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = match fence {
                Some(tenure) => while_it_holds(answer, &tenure).await,
                None => answer.await.map_err(Into::into),
            };
            if let Some((resource, access)) = noted {
                access.note(&resource, trouble(&resource, &answer));
            }
            answer
        })
    }
}

/// Runs a request, and drops it when the Lease ends while it waits for a connection or for its answer.
async fn while_it_holds<T, E: Into<BoxError>>(
    request: impl Future<Output = Result<T, E>>,
    tenure: &Tenure,
) -> Result<T, BoxError> {
    let mut request = Box::pin(request);
    loop {
        let left = tenure.left(Moment::now());
        // The clock is read before each step of the request: a process that was stopped must not take another
        // step.
        let guarded = poll_fn(|context| {
            if tenure.holds(Moment::now()) {
                request.as_mut().poll(context).map_err(Into::into)
            } else {
                Poll::Ready(Err(NotLeading.into()))
            }
        });
        // The Lease may have been renewed meanwhile.
        if let Ok(answer) = tokio::time::timeout(left, guarded).await {
            return answer;
        }
    }
}

fn trouble<A>(resource: &str, answer: &Result<Response<A>, BoxError>) -> Option<Kind> {
    match answer {
        // The Lease is missing until the first operator creates it.
        Ok(response) if response.status() == StatusCode::NOT_FOUND && resource.starts_with(LEASES) => None,
        Ok(response) => Kind::of(response.status()),
        Err(error) => Some(Kind::Unreachable(ErrorChain(&**error).to_string())),
    }
}

const LEASES: &str = "leases";

/// Returns the resource under which the outcome of a request is recorded, for lists, watches and the Lease. A
/// request for a named object may fail although nothing is wrong with the operator.
fn noted(method: &Method, path: &str) -> Option<String> {
    match RequestPath::parse(path)? {
        RequestPath { namespace: Some(namespace), resource: LEASES, .. } => {
            Some(format!("{LEASES} in namespace {namespace}"))
        }
        RequestPath { namespace, resource, name: None, .. } if *method == Method::GET => {
            Some(match namespace {
                Some(namespace) => format!("{resource} in namespace {namespace}"),
                None => resource.to_owned(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
