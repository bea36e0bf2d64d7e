//! A WebSocket that carries records of SignalR.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use signalr::client::handshake;
use signalr::client::negotiation::connection_target;
use signalr::encoding::Encoding;
use signalr::framing::Framer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::endpoint::Endpoint;
use crate::error::Error;

/// The largest record that is taken from a hub, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// A WebSocket to a hub, over any connection.
#[derive(Debug)]
pub struct Socket<S> {
    stream: WebSocketStream<S>,
    framer: Framer,
    encoding: Encoding,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Upgrades `stream` to a WebSocket of the hub, for the connection with the token that
    /// [`negotiate`](crate::negotiate) has returned. Without a token the negotiation is skipped.
    ///
    /// # Errors
    /// [`Error::Upgrade`].
    pub async fn open(stream: S, endpoint: &Endpoint, token: Option<&str>) -> Result<Self, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Upgrade(error.to_string());
        let uri = format!("ws://{}{}", endpoint.host, connection_target(&endpoint.path, token));
        let mut request = uri.into_client_request().map_err(|error| failed(&error))?;
        endpoint.fill_in(&mut request).map_err(|error| failed(&error))?;
        let (stream, _) = client_async(request, stream).await.map_err(|error| failed(&error))?;
        Ok(Self { stream, framer: Framer::new(MOST_BYTES), encoding: Encoding::Json })
    }

    /// Agrees with the hub on an encoding for all that follows.
    ///
    /// # Errors
    /// [`Error::Handshake`], or the reason why the connection ended.
    pub async fn shake_hands(&mut self, encoding: Encoding) -> Result<(), Error> {
        self.send(handshake::request(encoding).into_bytes()).await?;
        handshake::response(&self.next().await?)?;
        self.encoding = encoding;
        self.framer.set_encoding(encoding);
        Ok(())
    }

    /// The encoding of records: JSON until a handshake has agreed on another one.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Sends bytes, which normally are whole records, as one message.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub async fn send(&mut self, records: Bytes) -> Result<(), Error> {
        let message = match self.encoding {
            Encoding::Json => Message::Text(
                Utf8Bytes::try_from(records).map_err(|_| Error::Broken("JSON is UTF-8".to_owned()))?,
            ),
            Encoding::MessagePack => Message::Binary(records),
        };
        self.stream.send(message).await.map_err(|error| Error::Broken(error.to_string()))
    }

    /// Waits for the next record, pings included, without its separator or length. No record is lost if the
    /// wait is abandoned.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Broken`] or [`Error::Protocol`]: the connection has ended.
    pub async fn next(&mut self) -> Result<Bytes, Error> {
        loop {
            if let Some(record) = self.framer.next_record()? {
                return Ok(record);
            }
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => self.framer.feed(text.into()),
                Some(Ok(Message::Binary(bytes))) => self.framer.feed(bytes),
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) =
                        frame.map(|frame| (frame.code.into(), frame.reason.to_string())).unzip();
                    return Err(Error::Closed { code, reason: reason.filter(|reason| !reason.is_empty()) });
                }
                // The library answers pings by itself.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Error::Broken(error.to_string())),
                None => return Err(Error::Broken("the other side has gone".to_owned())),
            }
        }
    }

    /// Closes the WebSocket. Errors do not matter: the connection is gone either way.
    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn credentials_are_shown_in_a_header_and_never_in_the_address() {
        let (near, mut far) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let mut request = vec![0; 4096];
            let length = far.read(&mut request).await.unwrap();
            far.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let endpoint =
            Endpoint::new("chat", "/hub").with_authorization(HeaderValue::from_static("Bearer eyJh"));

        let refused = Socket::open(near, &endpoint, Some("abc")).await;

        let error = refused.unwrap_err().to_string();
        assert!(error.starts_with("no WebSocket: ") && error.contains("401"), "{error}");
        let request = server.await.unwrap();
        assert!(request.starts_with("GET /hub?id=abc HTTP/1.1\r\n"), "{request}");
        assert_eq!(request.to_lowercase().matches("host: chat\r\n").count(), 1, "{request}");
        assert!(request.contains("uthorization: Bearer eyJh\r\n"), "{request}");
    }
}
