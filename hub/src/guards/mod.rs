//! Guards, which decide which requests are admitted: by origin, by token, and by rate.

mod admission_error;
mod client_identity;
mod jwt;
mod origins;
mod rates;

use http::HeaderMap;

pub use self::admission_error::AdmissionError;
pub use self::client_identity::ClientIdentity;
pub use self::jwt::{Jwt, JwtAlgorithm, JwtSettings};
pub use self::origins::Origins;
pub use self::rates::{Bucket, PerAddress};

/// The guards of a hub that examine requests.
#[derive(Debug)]
pub struct Guards {
    /// The origins whose pages may connect.
    pub origins: Origins,
    /// The check of tokens; `None`: clients need no token.
    pub jwt: Option<Jwt>,
}

impl Guards {
    /// Checks a request, and returns the identity of its client.
    ///
    /// # Errors
    /// An [`AdmissionError`].
    pub fn identify(
        &self,
        headers: &HeaderMap,
        query_token: Option<&str>,
    ) -> Result<ClientIdentity, AdmissionError> {
        self.origins.check(headers)?;
        let Some(jwt) = &self.jwt else { return Ok(ClientIdentity::default()) };
        let bearer = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer.or(query_token).ok_or_else(|| AdmissionError::Token("there is none".into()))?;
        jwt.identify(token)
    }
}
