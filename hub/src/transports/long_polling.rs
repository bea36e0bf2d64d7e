//! Long polling: each GET returns the queued records, or waits for some. The client sends its data by POST.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use signalr::encoding::Encoding;

use crate::session::Session;

/// The time after which a poll is answered, even without records: proxies end requests that take longer.
const LONGEST: Duration = Duration::from_secs(90);

/// Serves one poll. The first one is answered at once: it only opens the connection.
pub async fn serve(session: Arc<Session>, is_first: bool) -> Response {
    session.outbox.activity.received_now();
    if is_first {
        return answer(Encoding::Json, Vec::new());
    }
    let lease = session.acquire().await;
    let mut batch = Vec::new();
    let reason = tokio::select! {
        biased;
        () = lease.superseded() => return StatusCode::NO_CONTENT.into_response(),
        reason = session.outbox.take(&mut batch) => reason,
        () = tokio::time::sleep(LONGEST) => None,
    };
    // The client was connected for all the time that its poll waited.
    session.outbox.activity.received_now();
    let encoding = session.outbox.encoding();
    if let Some(reason) = reason {
        batch.extend(reason.record(encoding));
        session.close_sent.cancel();
        if batch.is_empty() {
            return StatusCode::NO_CONTENT.into_response();
        }
    }
    let body = batch.iter().flat_map(|record| record.iter().copied()).collect();
    answer(encoding, body)
}

fn answer(encoding: Encoding, body: Vec<u8>) -> Response {
    let media_type = match encoding {
        Encoding::Json => "text/plain; charset=utf-8",
        Encoding::MessagePack => "application/octet-stream",
    };
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")], body).into_response()
}
