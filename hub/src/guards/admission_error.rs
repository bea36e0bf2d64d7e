//! The reasons for which a client is not let in.

use http::StatusCode;

/// Why a client does not get in, in words for its developer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// A page from elsewhere.
    #[error("pages from {0} may not connect; add this origin to HUB_ALLOWED_ORIGINS")]
    Origin(String),
    /// No token, or none that is valid.
    #[error("a valid token is needed, as `access_token` or in an Authorization header: {0}")]
    Token(String),
    /// The key is not readable: nobody gets in until it is.
    #[error("tokens cannot be checked now: {0}")]
    Key(String),
    /// The hub is full.
    #[error("this hub has as many connections as it takes; try again later")]
    Full,
    /// Too fast.
    #[error("too many connections from this address; try again in a second")]
    TooFast,
}

impl AdmissionError {
    /// The status for the client.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Key(_) | Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooFast => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}
