//! Negotiation: the request by HTTP that comes before a connection.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use signalr::client::negotiation::{connection_token, request_target};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::endpoint::Endpoint;
use crate::error::Error;

/// Asks a hub for a connection, over `stream`, which is closed afterwards. Returns the token of the
/// connection.
///
/// # Errors
/// [`Error::Http`], [`Error::Refused`], [`Error::NoConnection`] or [`Error::Timeout`].
pub async fn negotiate<S>(stream: S, endpoint: &Endpoint, deadline: Instant) -> Result<String, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let target = request_target(&endpoint.path);
    let (status, body) = timeout_at(deadline, post(stream, endpoint, &target))
        .await
        .map_err(|_| Error::Timeout(format!("the answer to POST {target}")))??;
    if status != StatusCode::OK {
        return Err(Error::Refused { target, status, body: String::from_utf8_lossy(&body).into_owned() });
    }
    connection_token(&body).ok_or(Error::NoConnection { target })
}

async fn post<S>(stream: S, endpoint: &Endpoint, target: &str) -> Result<(StatusCode, Bytes), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = request(endpoint, target).map_err(|error| Error::Http(error.to_string()))?;
    let failed = |error: hyper::Error| Error::Http(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(failed)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(failed)?;
    Ok((status, body.to_bytes()))
}

fn request(endpoint: &Endpoint, target: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
    let mut request = Request::post(target).body(Empty::new())?;
    endpoint.fill_in(&mut request)?;
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// The result of a negotiation, and the request, with a server that gives this answer.
    async fn negotiated(endpoint: &Endpoint, status: &str, body: &str) -> (Result<String, Error>, String) {
        let (near, mut far) = tokio::io::duplex(4096);
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let server = tokio::spawn(async move {
            let mut request = vec![0; 4096];
            let length = far.read(&mut request).await.unwrap();
            far.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).to_lowercase()
        });
        let deadline = Instant::now() + Duration::from_secs(10);
        (negotiate(near, endpoint, deadline).await, server.await.unwrap())
    }

    #[tokio::test]
    async fn the_hub_gives_the_token_of_a_connection() {
        let endpoint = Endpoint::new("chat", "/hub");

        let (token, request) = negotiated(&endpoint, "200 OK", r#"{"connectionToken":"abc"}"#).await;

        assert_eq!(token, Ok("abc".to_owned()));
        assert!(request.starts_with("post /hub/negotiate?negotiateversion=1 http/1.1\r\n"), "{request}");
        assert!(request.contains("host: chat\r\n") && !request.contains("authorization"), "{request}");
    }

    #[tokio::test]
    async fn credentials_are_shown_in_a_header() {
        let endpoint =
            Endpoint::new("chat", "/hub").with_authorization(HeaderValue::from_static("Bearer abc"));

        let (_, request) = negotiated(&endpoint, "200 OK", "{}").await;

        assert!(request.contains("authorization: bearer abc\r\n"), "{request}");
    }

    #[tokio::test]
    async fn an_answer_without_a_connection_is_an_error_that_names_the_path() {
        let endpoint = Endpoint::new("chat", "/hub");

        let (refused, _) = negotiated(&endpoint, "404 Not Found", "nothing here").await;
        let (other, _) = negotiated(&endpoint, "200 OK", "<html>").await;

        let target = "/hub/negotiate?negotiateVersion=1".to_owned();
        let body = "nothing here".to_owned();
        assert_eq!(
            refused,
            Err(Error::Refused { target: target.clone(), status: StatusCode::NOT_FOUND, body })
        );
        assert_eq!(other, Err(Error::NoConnection { target }));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "POST /hub/negotiate?negotiateVersion=1 is answered with 404 Not Found; is there a SignalR hub at this path?"
        );
    }

    #[tokio::test]
    async fn a_hub_that_does_not_answer_is_waited_for_until_the_deadline() {
        let (near, _far) = tokio::io::duplex(4096);

        let late = negotiate(near, &Endpoint::new("chat", "/hub"), Instant::now()).await;

        assert!(matches!(late, Err(Error::Timeout(_))), "{late:?}");
    }
}
