//! The reasons why clients are not admitted.

use http::StatusCode;

/// The reason why a client is not admitted, in words for its developer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// The page's origin is not allowed.
    #[error("pages from {0} may not connect; add this origin to HUB_ALLOWED_ORIGINS")]
    Origin(String),
    /// The token is missing or invalid.
    #[error("a valid token is needed, as `access_token` or in an Authorization header: {0}")]
    Token(String),
    /// The key of tokens cannot be read, so nobody is admitted.
    #[error("tokens cannot be checked now: {0}")]
    Key(String),
    /// The hub has as many connections as it may.
    #[error("this hub has as many connections as it takes; try again later")]
    Full,
    /// The client's address opens connections too fast.
    #[error("too many connections from this address; try again in a second")]
    TooFast,
}

impl AdmissionError {
    /// The status of the HTTP response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Key(_) | Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooFast => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}
