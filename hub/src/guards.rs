//! Who gets in: whose pages, with which token, how many, how fast.

mod jwt;
mod origins;
mod rates;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

pub use self::jwt::{Jwt, JwtAlgorithm, JwtSettings};
pub use self::origins::Origins;
pub use self::rates::{Bucket, PerAddress};

/// What is known of a client from its token; without tokens, nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Who it is (`sub`).
    pub user: Option<Arc<str>>,
    /// What it is called, whatever it says (`name`).
    pub name: Option<String>,
    /// The rooms that it may join; `None`: all.
    pub rooms: Option<Vec<String>>,
    /// When it is no longer welcome, from now.
    pub expires_in: Option<Duration>,
}

impl Identity {
    /// Whether the client may join a room.
    pub fn may_join(&self, room: &str) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|name| name == room))
    }
}

/// Why a client does not get in, in words for its developer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
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

impl Refusal {
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

/// All guards of a hub.
#[derive(Debug)]
pub struct Guards {
    /// Whose pages.
    pub origins: Origins,
    /// With which token; `None`: with none.
    pub jwt: Option<Jwt>,
    /// How fast from one address.
    pub per_address: PerAddress,
}

impl Guards {
    /// Whether this request may go on, and whose it is.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn identify(&self, headers: &HeaderMap, query_token: Option<&str>) -> Result<Identity, Refusal> {
        self.origins.check(headers)?;
        let Some(jwt) = &self.jwt else { return Ok(Identity::default()) };
        let bearer = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer.or(query_token).ok_or_else(|| Refusal::Token("there is none".into()))?;
        jwt.identify(token)
    }

    /// Whether one more connection may come from an address.
    ///
    /// # Errors
    /// [`Refusal::TooFast`].
    pub fn admit(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.per_address.take(address) { Ok(()) } else { Err(Refusal::TooFast) }
    }
}
