//! A small change of the spec, by which tests see that an operator works.

use std::time::Duration;

use serde_json::json;

use crate::support::{Chat, Kind};

/// Asks for an annotation with this value on the public Service.
pub(super) async fn ask_for(chat: &Chat<'_>, value: &str) {
    chat.set(json!({"service": {"annotations": {"example.com/asked-for": value}}})).await;
}

/// Waits until the public Service has the annotation with this value.
pub(super) async fn has(chat: &Chat<'_>, value: &str, bound: Duration) {
    let service = chat.child(Kind::Service, "");
    let what = format!("the Service of {} has what was asked for: {value}", chat.name);
    chat.ns
        .eventually(bound, &what, async || {
            let annotations = service.seen().await?["metadata"]["annotations"].clone();
            if annotations["example.com/asked-for"] == value { Ok(()) } else { Err(annotations.to_string()) }
        })
        .await;
}
