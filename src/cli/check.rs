//! `chatcluster-operator check URL…` waits until HTTP servers answer with success. `helm test` runs it: the
//! operator's
//! own image is the only one that every cluster has.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::error_chain::ErrorChain;

/// The time that a server gets until it answers with success: network policies take a while to admit a new
/// pod.
const PATIENCE: Duration = Duration::from_secs(30);
/// The time limit of one request.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(500);
/// The most bytes that are read of an answer.
const LONGEST_ANSWER: usize = 1 << 24;

/// Asks until the server answers with a 2xx, and returns the answer's first line.
///
/// # Errors
/// The last answer or failure, once the time is over.
pub(super) async fn check(url: &str) -> Result<String, String> {
    check_within(url, PATIENCE).await
}

async fn check_within(url: &str, patience: Duration) -> Result<String, String> {
    let started = Instant::now();
    loop {
        let answer = tokio::time::timeout(ATTEMPT, ask(url)).await;
        match answer.unwrap_or_else(|_| Err(format!("no answer in {} s", ATTEMPT.as_secs()))) {
            Ok(first_line) => return Ok(first_line),
            Err(error) if started.elapsed() > patience => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn ask(url: &str) -> Result<String, String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let url = url.parse().map_err(|error| format!("no URL: {error}"))?;
    let answer = client.get(url).await.map_err(|error| ErrorChain(&error).to_string())?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await.map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let first_line = text.lines().next().unwrap_or_default().to_owned();
    if status.is_success() { Ok(first_line) } else { Err(format!("{status}: {first_line}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_answer_is_good_or_said() {
        let router = Router::new()
            .route("/good", get(|| async { "ok\nmore\n" }))
            .route("/bad", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "not listed yet: pods\n") }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());

        let check = async |path| check_within(&format!("{base}{path}"), Duration::ZERO).await;

        assert_eq!(check("/good").await.as_deref(), Ok("ok"));
        assert_eq!(check("/bad").await, Err("503 Service Unavailable: not listed yet: pods".to_owned()));
        let nobody = check_within("http://127.0.0.1:1/", Duration::ZERO).await.unwrap_err();
        assert!(nobody.contains("onnection refused"), "{nobody}");
    }
}
