//! Two of kube's clients as one: reads go by the first, writes by the second, whose connections are served
//! only while the lease holds. A request may wait somewhere on its way (in a buffer, for a connection, for
//! the task that serves the connection) while the process is stopped, past all checks that were made before;
//! when the lease has ended meanwhile, it goes no further.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use axum::http::{Method, Request, Response};
use hyper::rt::Executor;
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::limit::ConcurrencyLimitLayer;
use tower::util::BoxService;
use tower::{ServiceExt as _, service_fn};

use crate::lease::{Moment, Tenure};

/// Returns the way to the API server. With a `tenure`, its writes need the lease, and at most `WRITES` of
/// them are under way at a time.
///
/// # Errors
/// If the configuration cannot be used.
pub fn way(config: &Config, tenure: Option<&Tenure>) -> Result<ClientBuilder<Way>, kube::Error> {
    let reads = Client::try_from(config.clone())?;
    let writes = match tenure {
        Some(tenure) => {
            let connections = ClientBuilder::try_from((config.clone(), Fence(tenure.clone())))?;
            connections.with_layer(&ConcurrencyLimitLayer::new(WRITES)).build()
        }
        None => reads.clone(),
    };
    let by_method = service_fn(move |request: Request<Body>| {
        let client = if request.method() == Method::GET { reads.clone() } else { writes.clone() };
        async move { client.send(request).await }
    });
    Ok(ClientBuilder::new(by_method.boxed(), config.default_namespace.clone()))
}

/// The service that tells writes from reads.
pub type Way = BoxService<Request<Body>, Response<Body>, kube::Error>;

/// The number of writes that are under way at a time, each on a connection of its own. A cluster is made with
/// ten at once; with hundreds the API server would do no more in a second, and each connection takes tens of
/// KiB, on both sides.
const WRITES: usize = 64;

/// Runs the tasks that serve connections, for as long as the lease holds: each looks at the clock before each
/// of its steps, and ends with the lease, and its connection with it. A process that is stopped for longer
/// than the lease within such a step, some ten microseconds, still finishes it: one write of a former leader
/// does no harm.
#[derive(Clone)]
struct Fence(Tenure);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Executor<Task> for Fence {
    fn execute(&self, mut task: Task) {
        let tenure = self.0.clone();
        tokio::spawn(poll_fn(move |context| {
            if tenure.holds(Moment::now()) { task.as_mut().poll(context) } else { Poll::Ready(()) }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each request on each connection, and returns the paths of the requests so far.
    async fn server() -> (Config, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
        let paths = Arc::<Mutex<Vec<String>>>::default();
        let asked = paths.clone();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let asked = asked.clone();
                tokio::spawn(async move {
                    let mut bytes = vec![0; 4096];
                    while let Ok(length @ 1..) = connection.read(&mut bytes).await {
                        let text = String::from_utf8_lossy(&bytes[..length]);
                        asked.lock().unwrap().push(text.lines().next().unwrap().to_owned());
                        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    }
                });
            }
        });
        (config, paths)
    }

    #[tokio::test]
    async fn nothing_is_written_when_the_lease_has_ended() {
        let (config, asked) = server().await;
        let tenure = Tenure::waiting();
        let client = way(&config, Some(&tenure)).unwrap().build();
        let ask = async |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            client.send(request).await.is_ok()
        };

        assert!(!ask(Method::POST, "/too-early").await);
        tenure.renew(Moment::now());
        assert!(ask(Method::POST, "/in-time").await);
        tenure.end();
        assert!(!ask(Method::POST, "/too-late").await);
        assert!(ask(Method::GET, "/read").await);

        assert_eq!(*asked.lock().unwrap(), ["POST /in-time HTTP/1.1", "GET /read HTTP/1.1"]);
    }
}
