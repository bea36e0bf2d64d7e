use std::convert::Infallible;
use std::future::ready;

use super::*;

/// An API server that gives every request the same answer, and counts them.
#[derive(Clone, Default)]
struct Server {
    asked: Arc<Mutex<u32>>,
    status: StatusCode,
}

impl Service<Request<Body>> for Server {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        *self.asked.lock().unwrap() += 1;
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        ready(Ok(response))
    }
}

fn guard(tenure: Option<Tenure>) -> Guard {
    Guard { access: Arc::default(), tenure }
}

fn request(method: Method, path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    request
}

const CHILD: &str = "/api/v1/namespaces/team/secrets/lobby-redis-auth";

#[tokio::test]
async fn an_operator_that_does_not_lead_reads_and_does_not_write() {
    let server = Server::default();
    let mut guarded = guard(Some(Tenure::waiting())).layer(server.clone());

    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let refused = guarded.call(request(method, CHILD)).await.unwrap_err();
        assert!(refused.is::<NotLeading>());
    }
    assert_eq!(*server.asked.lock().unwrap(), 0);

    guarded.call(request(Method::GET, CHILD)).await.unwrap();
    assert_eq!(*server.asked.lock().unwrap(), 1);
}

#[tokio::test]
async fn without_election_everything_is_written() {
    let server = Server::default();
    let mut guarded = guard(Some(Tenure::alone())).layer(server.clone());

    guarded.call(request(Method::PATCH, CHILD)).await.unwrap();

    assert_eq!(*server.asked.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_write_that_waits_is_dropped_when_the_lease_has_not_been_renewed() {
    let tenure = Tenure::waiting();
    let never = || std::future::pending::<Result<(), Infallible>>();

    tenure.renew(Moment::now().before(Duration::from_millis(9_900)));
    let refused = while_it_holds(never(), &tenure).await.unwrap_err();
    assert!(refused.is::<NotLeading>());

    tenure.renew(Moment::now());
    let waits = tokio::time::timeout(Duration::from_millis(300), while_it_holds(never(), &tenure)).await;
    assert!(waits.is_err(), "it may wait while the lease holds");
}

#[tokio::test]
async fn what_is_not_answered_is_named_until_it_is() {
    let guard = guard(None);
    let mut recoveries = guard.access.recoveries();
    let ask = async |path: &str, status: StatusCode| {
        let server = Server { status, ..Server::default() };
        guard.layer(server).call(request(Method::GET, path)).await.unwrap();
        guard.access.troubles(Duration::ZERO)
    };
    let chats = "/apis/chatcluster.dev/v1alpha1/chatclusters";

    let said = ask(chats, StatusCode::NOT_FOUND).await;
    assert_eq!(said, ["the CustomResourceDefinition chatclusters.chatcluster.dev is not installed"]);
    let said = ask("/api/v1/secrets", StatusCode::FORBIDDEN).await;
    assert!(said.len() == 2 && said[1].contains("secrets (403)"), "{said:?}");
    assert_eq!(guard.access.troubles(Duration::from_mins(1)), Vec::<String>::new(), "not for so long yet");
    assert_eq!(ask("/api/v1/secrets", StatusCode::OK).await.len(), 1);
    assert!(!recoveries.has_changed().unwrap(), "something is still missing");

    assert_eq!(ask(chats, StatusCode::OK).await, Vec::<String>::new());
    assert!(recoveries.has_changed().unwrap());

    recoveries.mark_unchanged();
    ask(chats, StatusCode::OK).await;
    assert!(!recoveries.has_changed().unwrap());
}

#[test]
fn only_what_the_operator_cannot_do_without_is_noted() {
    let noted = |path| noted(&Method::GET, path);

    assert_eq!(noted("/api/v1/secrets").as_deref(), Some("secrets"));
    assert_eq!(
        noted("/apis/apps/v1/namespaces/team/deployments").as_deref(),
        Some("deployments in namespace team")
    );
    assert_eq!(noted(CHILD), None);
    let lease = "/apis/coordination.k8s.io/v1/namespaces/system/leases/chatcluster-operator";
    assert_eq!(noted(lease).as_deref(), Some("leases in namespace system"));
    assert_eq!(super::noted(&Method::PATCH, "/api/v1/namespaces/team/secrets"), None);
}
