//! The chat page, as built from `hub/web/` by `build.rs` and kept in the binary.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

/// A file of the page.
struct Asset {
    /// The path at which the file is served.
    path: &'static str,
    /// The file's media type.
    media_type: &'static str,
    content: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page runs its own script and talks to its own hub, and nothing else, whatever a message contains.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// One route for each file.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.iter().fold(Router::new(), |router, asset| router.route(asset.path, get(async || respond(asset))))
}

fn respond(asset: &'static Asset) -> impl IntoResponse {
    // Vite puts a hash of the content into the names under `assets`. Other names stay the same when their
    // content changes.
    let cache = if asset.path.starts_with("/assets/") { "max-age=31536000, immutable" } else { "no-cache" };
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, asset.content)
}
