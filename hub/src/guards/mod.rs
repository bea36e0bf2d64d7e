//! Who gets in: whose pages, with which token, how many, how fast.

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

/// All guards of a hub.
#[derive(Debug)]
pub struct Guards {
    /// Whose pages.
    pub origins: Origins,
    /// With which token; `None`: with none.
    pub jwt: Option<Jwt>,
}

impl Guards {
    /// Whether this request may go on, and whose it is.
    ///
    /// # Errors
    /// A [`AdmissionError`].
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
