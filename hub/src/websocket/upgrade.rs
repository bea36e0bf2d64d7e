//! Upgrades an HTTP request to a WebSocket (RFC 6455, section 4.2).

use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ring::digest;
use tokio::net::TcpStream;

/// The reason why a request cannot be upgraded to a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotUpgradable {
    /// The version of the protocol is not 13.
    #[error("this is no WebSocket request of version 13")]
    Version,
    /// The key is missing.
    #[error("this WebSocket request has no key")]
    Key,
}

/// The response that upgrades the connection to a WebSocket.
///
/// # Errors
/// A [`NotUpgradable`] if the request is not a WebSocket handshake.
pub fn accept(headers: &HeaderMap) -> Result<Response<Body>, NotUpgradable> {
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(NotUpgradable::Version);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(NotUpgradable::Key)?;
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept =
        HeaderValue::try_from(BASE64_STANDARD.encode(context.finish())).map_err(|_| NotUpgradable::Key)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// The socket of an upgraded connection of [`crate::server`], and the data that has been read from it
/// already.
pub fn socket_of(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    // The data is copied, even if it is empty, because hyper's value keeps the whole buffer of the request.
    Some((parts.io.into_inner(), Bytes::copy_from_slice(&parts.read_buf)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        let mut headers = HeaderMap::new();
        assert_eq!(accept(&headers).unwrap_err(), NotUpgradable::Version);
        headers.insert(SEC_WEBSOCKET_VERSION, "13".parse().unwrap());
        assert_eq!(accept(&headers).unwrap_err(), NotUpgradable::Key);
        headers.insert(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());

        let response = accept(&headers).unwrap();

        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
