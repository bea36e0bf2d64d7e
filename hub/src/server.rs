//! Accepts TCP connections, and reads requests from them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// The pause after an error that no client has caused, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The most bytes of a request's head, which is kept for each connection that has not sent all of it.
const MOST_HEAD: usize = 16 * 1024;

/// Accepts connections until `stop` is cancelled. Once this has returned, no connection is accepted any more;
/// requests that are being served continue.
pub async fn serve(listener: TcpListener, router: Router, head_timeout: Duration, stop: CancellationToken) {
    // Small messages must not wait for others to share a packet with them. Accepted sockets inherit the
    // option from the listener.
    let _ = rustix::net::sockopt::set_tcp_nodelay(&listener, true);
    loop {
        let (socket, address) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::warn!(%error, "cannot accept connections");
                        tokio::time::sleep(PAUSE).await;
                    }
                    continue;
                }
            },
        };
        tokio::spawn(serve_connection(socket, address, router.clone(), head_timeout, stop.clone()));
    }
}

/// True if the client disconnected before its connection was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves the requests of one connection. A WebSocket that a request opens lives on in a task of its own, so
/// that the memory of this task is freed.
async fn serve_connection(
    socket: TcpStream,
    address: SocketAddr,
    router: Router,
    head_timeout: Duration,
    stop: CancellationToken,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        // The client has disconnected or does not speak HTTP, or its connection has become a WebSocket.
        _ = &mut connection => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
