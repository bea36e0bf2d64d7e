//! Origins whose pages may connect (RFC 6454). Programs other than browsers send no origin, and need none.

use http::header::{HOST, HeaderValue, ORIGIN};
use http::{HeaderMap, header};

use super::admission_error::AdmissionError;

/// The headers that a page of another origin may send (SignalR's clients do).
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, x-requested-with, x-signalr-user-agent");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// The origins whose pages may connect; the hub's own origin is always one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    all: bool,
    listed: Vec<String>,
}

impl Origins {
    /// Reads `https://example.com,http://localhost:3000` or `*`.
    ///
    /// # Errors
    /// A text that says which origins are valid.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut origins = Self::default();
        for origin in text.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            if origin == "*" {
                origins.all = true;
                continue;
            }
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', '@', ' ', '*'])) {
                return Err(format!(
                    "{origin:?} is no origin; give a scheme and a host without a path, such as https://example.com, or *"
                ));
            }
            origins.listed.push(origin.to_ascii_lowercase());
        }
        Ok(origins)
    }

    /// # Errors
    /// [`AdmissionError::Origin`] if the request comes from a page of another origin.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), AdmissionError> {
        match headers.get(ORIGIN) {
            Some(origin) if !self.allow(origin, headers) => {
                let text: String = String::from_utf8_lossy(origin.as_bytes()).chars().take(200).collect();
                Err(AdmissionError::Origin(text))
            }
            _ => Ok(()),
        }
    }

    fn allow(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else { return false };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_ascii_lowercase);
        let is_own = origin.split_once("://").is_some_and(|(_, own)| Some(own) == host.as_deref());
        self.all || is_own || self.listed.contains(&origin)
    }

    /// Adds the headers that let a page of an allowed origin read the response (the Fetch standard, "CORS
    /// protocol").
    pub fn put_headers(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let Some(origin) = request.get(ORIGIN).filter(|origin| self.allow(origin, request)) else { return };
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        response.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        response.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        response.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listed: &str, origin: &str) -> Result<(), AdmissionError> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("chat.example.com:8080"));
        headers.insert(ORIGIN, origin.parse().unwrap());
        Origins::new(listed).unwrap().check(&headers)
    }

    #[test]
    fn the_hub_s_own_page_and_those_that_are_listed_get_in() {
        assert_eq!(check("", "https://chat.example.com:8080"), Ok(()));
        assert_eq!(check("https://a.example, http://localhost:3000", "HTTP://localhost:3000"), Ok(()));
        assert_eq!(check("*", "https://anyone.example"), Ok(()));
        assert_eq!(
            check("https://a.example", "http://a.example"),
            Err(AdmissionError::Origin("http://a.example".into()))
        );
        assert_eq!(check("", "null"), Err(AdmissionError::Origin("null".into())));
        assert_eq!(Origins::default().check(&HeaderMap::new()), Ok(()));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in ["example.com", "https://", "https://a/b", "https://*.example.com"] {
            assert!(Origins::new(text).is_err(), "{text}");
        }
    }
}
