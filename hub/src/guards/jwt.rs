//! JSON Web Tokens of clients (RFC 7519), which are checked with a key in a file.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::admission_error::AdmissionError;
use super::client_identity::ClientIdentity;
use crate::sync::lock;

/// The least time between two checks of the file, which changes without notice if it is a mounted Secret.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The kind of key, and thus of signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum JwtAlgorithm {
    /// A secret that the issuer of tokens and the hub share.
    #[value(name = "HS256")]
    Hs256,
    /// A public key, as PEM.
    #[value(name = "RS256")]
    Rs256,
    /// A set of public keys (RFC 7517), distinguished by `kid`.
    #[value(name = "JWKS")]
    Jwks,
}

/// The requirements for tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// The file with the key or the keys.
    pub key_file: PathBuf,
    /// The kind of key.
    pub algorithm: JwtAlgorithm,
    /// The required value of the claim `iss`; `None`: any.
    pub issuer: Option<String>,
    /// The required value of the claim `aud`, or one of its values; `None`: any.
    pub audience: Option<String>,
}

/// Checks tokens.
#[derive(Debug)]
pub struct Jwt {
    settings: JwtSettings,
    keys: Mutex<Keys>,
}

struct Keys {
    checked: Instant,
    changed: Option<SystemTime>,
    set: Result<KeySet, String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

#[derive(Clone)]
enum KeySet {
    One(Algorithm, DecodingKey),
    Many(JwkSet),
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    name: Option<String>,
    rooms: Option<Vec<String>>,
    exp: Option<u64>,
}

impl Jwt {
    /// Reads the key. If the file is missing or invalid, reading is repeated later.
    pub fn new(settings: JwtSettings) -> Self {
        let (set, changed) = (settings.read(), settings.changed());
        if let Err(why) = &set {
            tracing::warn!(why, "nobody gets in until tokens can be checked");
        }
        Self { settings, keys: Mutex::new(Keys { checked: Instant::now(), changed, set }) }
    }

    /// Checks a token, and returns the identity of its client.
    ///
    /// # Errors
    /// [`AdmissionError::Token`] if the token is not valid, and [`AdmissionError::Key`] if there is no usable
    /// key.
    pub fn identify(&self, token: &str) -> Result<ClientIdentity, AdmissionError> {
        let refused = |why: &dyn std::fmt::Display| AdmissionError::Token(why.to_string());
        let (algorithm, key) = match self.keys().map_err(AdmissionError::Key)? {
            KeySet::One(algorithm, key) => (algorithm, key),
            KeySet::Many(set) => {
                let header = decode_header(token).map_err(|error| refused(&error))?;
                let kid = header.kid.ok_or_else(|| refused(&"it has no `kid`"))?;
                let jwk = set.find(&kid).ok_or_else(|| refused(&"its `kid` is unknown"))?;
                let key = DecodingKey::from_jwk(jwk).map_err(|error| refused(&error))?;
                // An algorithm with a shared secret would take the public key for the secret, and anyone who
                // knows the public key could sign.
                if !is_public(header.alg) {
                    return Err(refused(&"its algorithm is not for public keys"));
                }
                (header.alg, key)
            }
        };
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_nbf = true;
        if let Some(issuer) = &self.settings.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".into());
        }
        match &self.settings.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.required_spec_claims.insert("aud".into());
            }
            None => validation.validate_aud = false,
        }
        let claims = decode::<Claims>(token, &key, &validation).map_err(|error| refused(&error))?.claims;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(ClientIdentity {
            user: claims.sub.map(Into::into),
            name: claims.name,
            rooms: claims.rooms,
            expires_in: claims.exp.map(|exp| Duration::from_secs(exp).saturating_sub(now)),
        })
    }

    fn keys(&self) -> Result<KeySet, String> {
        let mut keys = lock(&self.keys);
        if keys.checked.elapsed() >= CHECK_INTERVAL {
            keys.checked = Instant::now();
            let changed = self.settings.changed();
            if changed != keys.changed || keys.set.is_err() {
                keys.changed = changed;
                keys.set = self.settings.read();
                tracing::info!(readable = keys.set.is_ok(), "the key of tokens has changed");
            }
        }
        keys.set.clone()
    }
}

fn is_public(algorithm: Algorithm) -> bool {
    !matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

impl JwtSettings {
    fn changed(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.key_file).and_then(|file| file.modified()).ok()
    }

    fn read(&self) -> Result<KeySet, String> {
        let file = self.key_file.display();
        let bytes = std::fs::read(&self.key_file).map_err(|error| format!("cannot read {file}: {error}"))?;
        match self.algorithm {
            JwtAlgorithm::Hs256 => {
                let secret = bytes.trim_ascii_end();
                if secret.len() < 32 {
                    return Err(format!("the secret in {file} has fewer than 32 bytes"));
                }
                Ok(KeySet::One(Algorithm::HS256, DecodingKey::from_secret(secret)))
            }
            JwtAlgorithm::Rs256 => DecodingKey::from_rsa_pem(&bytes)
                .map(|key| KeySet::One(Algorithm::RS256, key))
                .map_err(|_| format!("{file} is no RSA public key in PEM")),
            JwtAlgorithm::Jwks => serde_json::from_slice(&bytes)
                .map(KeySet::Many)
                .map_err(|_| format!("{file} is no JSON Web Key Set")),
        }
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn jwt(name: &str, issuer: Option<&str>) -> (Jwt, PathBuf) {
        let key_file = std::env::temp_dir().join(format!("hub-jwt-{name}-{}", std::process::id()));
        std::fs::write(&key_file, [SECRET, b"\n"].concat()).unwrap();
        let settings = JwtSettings {
            key_file: key_file.clone(),
            algorithm: JwtAlgorithm::Hs256,
            issuer: issuer.map(Into::into),
            audience: None,
        };
        (Jwt::new(settings), key_file)
    }

    fn token(secret: &[u8], claims: &serde_json::Value) -> String {
        encode(&Header::default(), claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn a_valid_token_says_who_it_is_and_where_it_may_go() {
        let (jwt, file) = jwt("valid", Some("us"));
        let claims = json!({"sub": "7", "name": "Ada", "rooms": ["lobby"], "iss": "us", "exp": now() + 100, "aud": "x"});

        let identity = jwt.identify(&token(SECRET, &claims)).unwrap();

        assert_eq!((identity.user.as_deref(), identity.name.as_deref()), (Some("7"), Some("Ada")));
        assert!(identity.may_join("lobby") && !identity.may_join("attic"));
        assert!(identity.expires_in.unwrap() <= Duration::from_secs(100));
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn other_tokens_are_refused() {
        let (jwt, file) = jwt("other", Some("us"));
        let is_refused = |token: &str| matches!(jwt.identify(token), Err(AdmissionError::Token(_)));

        assert!(is_refused("nonsense"));
        assert!(is_refused(&token(b"another secret of thirty-two bytes", &json!({"iss": "us"}))));
        assert!(is_refused(&token(SECRET, &json!({"iss": "them"}))));
        assert!(is_refused(&token(SECRET, &json!({}))));
        assert!(is_refused(&token(SECRET, &json!({"iss": "us", "exp": now() - 1000}))));
        // This token has "alg": "none" and no signature.
        assert!(is_refused("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ1cyJ9."));
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn without_a_usable_key_nobody_gets_in() {
        let (_, file) = jwt("key", None);
        let settings =
            |algorithm| JwtSettings { key_file: file.clone(), algorithm, issuer: None, audience: None };
        for algorithm in [JwtAlgorithm::Rs256, JwtAlgorithm::Jwks] {
            let jwt = Jwt::new(settings(algorithm));
            assert!(matches!(jwt.identify(&token(SECRET, &json!({}))), Err(AdmissionError::Key(_))));
        }
        std::fs::write(&file, "short").unwrap();
        assert!(matches!(Jwt::new(settings(JwtAlgorithm::Hs256)).identify(""), Err(AdmissionError::Key(_))));
        std::fs::remove_file(&file).unwrap();
    }
}
