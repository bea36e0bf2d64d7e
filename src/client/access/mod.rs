//! A layer around the client of the API server: it refuses writes of an operator that does not lead, and knows what the API
//! server answers no longer.

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

use crate::causes::Causes;
use crate::client::path::Path;
use crate::lease::{Moment, NotLeading, Tenure};

/// What the API server fails to answer, by what was asked for: kept for as long as it fails.
#[derive(Debug)]
pub struct Access {
    troubles: Mutex<BTreeMap<String, Trouble>>,
    recoveries: watch::Sender<u64>,
}

/// How long a failure counts that has not been repeated: what is followed no longer is asked for no longer.
const FORGOTTEN: Duration = Duration::from_mins(2);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    last: Instant,
    kind: Kind,
}

/// What is wrong with an answer.
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
    /// What has been failing for so long, each in a sentence that says what to do.
    pub fn troubles(&self, for_at_least: Duration) -> Vec<String> {
        let troubles = self.lock();
        let lasting = troubles.iter().filter(|(_, trouble)| {
            trouble.since.elapsed() >= for_at_least && trouble.last.elapsed() < FORGOTTEN
        });
        let mut said: Vec<String> = Vec::new();
        for (resource, Trouble { kind, .. }) in lasting {
            let sentence = kind.about(resource);
            if !said.contains(&sentence) {
                said.push(sentence);
            }
        }
        said
    }

    /// Changes each time when all is answered again after something was not.
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.recoveries.subscribe()
    }

    /// The API server answered a request for that resource, or did not.
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

/// Lays [`Guarded`] around a service.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Where answers are noted.
    pub access: Arc<Access>,
    /// Who may write. `None`: everything passes, as the election itself has to.
    pub tenure: Option<Tenure>,
}

/// A service whose writes need a lease, and whose answers are noted.
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

/// Drops a request that waits, for a connection or for its answer, when the lease ends.
async fn while_it_holds<T, E: Into<BoxError>>(
    request: impl Future<Output = Result<T, E>>,
    tenure: &Tenure,
) -> Result<T, BoxError> {
    let mut request = Box::pin(request);
    loop {
        let left = tenure.left(Moment::now());
        // The clock is looked at before each step of the request: a process that was stopped must not take another.
        let guarded = poll_fn(|context| {
            if tenure.holds(Moment::now()) {
                request.as_mut().poll(context).map_err(Into::into)
            } else {
                Poll::Ready(Err(NotLeading.into()))
            }
        });
        // The lease may have been renewed meanwhile.
        if let Ok(answer) = tokio::time::timeout(left, guarded).await {
            return answer;
        }
    }
}

fn trouble<A>(resource: &str, answer: &Result<Response<A>, BoxError>) -> Option<Kind> {
    match answer {
        // The first operator makes it.
        Ok(response) if response.status() == StatusCode::NOT_FOUND && resource.starts_with(LEASES) => None,
        Ok(response) => Kind::of(response.status()),
        Err(error) => Some(Kind::Unreachable(Causes(&**error).to_string())),
    }
}

const LEASES: &str = "leases";

/// The resource that a request is noted under: those that lists and watches ask for, and the Lease. What is asked for by its
/// name may well be missing or refused without anything being wrong with the operator.
fn noted(method: &Method, path: &str) -> Option<String> {
    match Path::parse(path)? {
        Path { namespace: Some(namespace), resource: LEASES, .. } => {
            Some(format!("{LEASES} in namespace {namespace}"))
        }
        Path { namespace, resource, name: None, .. } if *method == Method::GET => Some(match namespace {
            Some(namespace) => format!("{resource} in namespace {namespace}"),
            None => resource.to_owned(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
