//! Server-Sent Events: one response that does not end carries all records for the client. The client sends
//! its data by POST.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use signalr::record::Record;

use crate::outbox::CloseReason;
use crate::session::Session;

/// Ends the session when its response is dropped, because the client has closed it.
struct StreamGuard(Arc<Session>);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.outbox.end(CloseReason::Gone);
        self.0.close_sent.cancel();
    }
}

/// The response that carries the session's events.
pub fn serve(session: Arc<Session>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache, no-store, no-transform"),
        // Without this, proxies that buffer responses would hold the events back.
        (http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    // A comment comes first, so that the client gets the headers at once, and with them the connection.
    let opened = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b":\r\n\r\n"))]);
    let events = stream::unfold(Some(StreamGuard(session)), |guard| async {
        let guard = guard?;
        let mut batch = Vec::new();
        let reason = guard.0.outbox.take(&mut batch).await;
        if let Some(reason) = &reason {
            batch.extend(reason.record(guard.0.outbox.encoding()));
        }
        let is_over = reason.is_some();
        Some((Ok(event(&batch)), (!is_over).then_some(guard)))
    });
    (headers, Body::from_stream(futures::StreamExt::chain(opened, events))).into_response()
}

/// One event with several records. No record contains a line break, because JSON escapes them.
fn event(batch: &[Record]) -> Bytes {
    if batch.is_empty() {
        return Bytes::new();
    }
    let mut event = Vec::with_capacity(10 + batch.iter().map(|record| record.len()).sum::<usize>());
    event.extend_from_slice(b"data: ");
    for record in batch {
        event.extend_from_slice(record);
    }
    event.extend_from_slice(b"\r\n\r\n");
    event.into()
}
