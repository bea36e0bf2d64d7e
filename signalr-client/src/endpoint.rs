//! The address of a hub at the far end of a connection.

use http::HeaderValue;
use http::header::{AUTHORIZATION, HOST};

/// A hub's host and path, and the credentials to show there.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(crate) host: String,
    pub(crate) path: String,
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// The hub at `path`, such as `/hub`. `host` goes into the header `Host`.
    pub fn new(host: impl Into<String>, path: impl Into<String>) -> Self {
        Self { host: host.into(), path: path.into(), authorization: None }
    }

    /// The same hub, which is shown this value of the header `Authorization` (RFC 6750).
    #[must_use]
    pub fn with_authorization(self, value: HeaderValue) -> Self {
        Self { authorization: Some(value), ..self }
    }

    /// Adds the headers that every request has.
    pub(crate) fn fill_in<B>(&self, request: &mut http::Request<B>) -> Result<(), http::Error> {
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(&self.host)?);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(())
    }
}
