use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::reconcile::validate::SecretKeyRef;
use crate::reconcile::validate::testing::{cluster, keys, secret};

const SECRET: &str = "a secret of at least 32 bytes, shared";
const PEM: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArMqSCm+Ne242Xg5xtIlO
IrmhmwCiSM1hJfpwB1fsMEywnxrDo3WWNt5wCpGsG5fNh1APsQsqqywxcn14xZsn
jYFPYQzAz9CYk+ZF1fAMYhcW7RLPlRR+kYAYyAT+TRcgKTc3oyM8U8SJeIiI1QBl
14jHWUu9El70lbogb4kmeLlLOobB47emHKNDfeU1r8dtnwmuRAR2KaazeY9UOPDm
h1kXnEaCuYuXdcSZ3noXrgQFHZGRR4xAbTgq8uXQnEt3SKMFUbFtEkn6Q9BLVNd+
dyxhfWnbWCjWMnAaFb5pdCl//sg0ZbQDMl1eYUEq9ZGjOhaUVYN5fpps2B9VWDuB
HQIDAQAB
-----END PUBLIC KEY-----
";
const PKCS1: &str = "\
-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEArMqSCm+Ne242Xg5xtIlOIrmhmwCiSM1hJfpwB1fsMEywnxrDo3WW
Nt5wCpGsG5fNh1APsQsqqywxcn14xZsnjYFPYQzAz9CYk+ZF1fAMYhcW7RLPlRR+
kYAYyAT+TRcgKTc3oyM8U8SJeIiI1QBl14jHWUu9El70lbogb4kmeLlLOobB47em
HKNDfeU1r8dtnwmuRAR2KaazeY9UOPDmh1kXnEaCuYuXdcSZ3noXrgQFHZGRR4xA
bTgq8uXQnEt3SKMFUbFtEkn6Q9BLVNd+dyxhfWnbWCjWMnAaFb5pdCl//sg0ZbQD
Ml1eYUEq9ZGjOhaUVYN5fpps2B9VWDuBHQIDAQAB
-----END RSA PUBLIC KEY-----
";
const CURVE: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkUuo3FdK337gc4iSN684PV3CvPuT
zV59tA1rwsi5CiQlcrsQ7siv+tkdVNEpFG32tU1j1rQA1RBQGrpUCVf7BA==
-----END PUBLIC KEY-----
";
const ED25519: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA0kUzQa1OUUmS4CmdZ2vqfErC/ftSfuC118jE+JjVofc=
-----END PUBLIC KEY-----
";
const BROKEN: &str = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n";
const PRIVATE: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n";
const KEY_SET: &str = r#"{"keys": [{"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB"}]}"#;

fn with(algorithm: &str) -> Cluster {
    cluster(json!({"hub": {"auth": {"algorithm": algorithm, "keySecret": {"name": "mine", "key": "k"}}}}))
}

fn user(value: &str) -> UserSecret {
    let named = SecretKeyRef { name: "mine".to_owned(), key: "k".to_owned() };
    UserSecret::Found(named, Arc::new(secret(&[("k", value)])))
}

fn token(current: &[(&str, &str)]) -> (String, String) {
    let keys = resolve(&cluster(json!({})), Some(&secret(current)), &UserSecret::NotNamed);
    (String::from_utf8(keys.token.reveal().to_vec()).unwrap(), keys.revision)
}

#[test]
fn a_key_that_is_there_is_kept() {
    let long = "x".repeat(MIN_LENGTH);

    let kept = token(&[(hub_key::TOKEN, &long), (hub_key::REVISION, "r1")]);

    assert_eq!(kept, (long, "r1".to_owned()));
}

#[test]
fn a_key_that_is_missing_emptied_or_too_short_is_regenerated_and_changes_the_revision() {
    for broken in [None, Some(""), Some("short")] {
        let there = broken.map(|key| (hub_key::TOKEN, key)).into_iter();
        let there: Vec<_> = there.chain([(hub_key::REVISION, "r1")]).collect();

        let (made, revision) = token(&there);

        assert_eq!(made.len(), 64, "256 bits as hexadecimal digits");
        assert_ne!(revision, "r1");
    }
    assert_ne!(token(&[]).0, token(&[]).0);
}

#[test]
fn a_key_without_its_revision_is_kept_and_gets_another() {
    let long = "x".repeat(MIN_LENGTH);

    let (kept, revision) = token(&[(hub_key::TOKEN, &long)]);

    assert_eq!(kept, long);
    assert!(!revision.is_empty());
}

#[test]
fn keys_never_show_in_debug_output() {
    let text = format!("{:?}", keys(&with("HS256"), &user(SECRET)));

    assert!(text.contains("HubKey(hidden)") && !text.contains("[97, "), "{text}");
}

#[test]
fn without_auth_in_the_spec_no_key_of_the_users_is_copied() {
    assert_eq!(client_key(&cluster(json!({})), &user(SECRET)), Ok(None));
}

#[test]
fn each_algorithm_takes_its_own_kind_of_key_and_says_what_is_wrong_with_others() {
    use KeyError::{NoKeySet, NoPem, NotRsa, Private, Public, TooLong, TooShort};
    let long = "x".repeat(MAX_LENGTH + 1);
    let private_set = KEY_SET.replace("\"kid\"", "\"d\": \"AQAB\", \"kid\"");
    let certificate = PEM.replace("PUBLIC KEY", "CERTIFICATE");
    let cases = [
        ("HS256", SECRET, Ok(())),
        ("HS256", "short", Err(TooShort)),
        ("HS256", "", Err(TooShort)),
        ("HS256", &format!("short{}", "\n".repeat(MIN_LENGTH)), Err(TooShort)),
        ("HS256", PEM, Err(Public)),
        ("HS256", CURVE, Err(Public)),
        ("HS256", &certificate, Err(Public)),
        ("HS256", KEY_SET, Err(Public)),
        ("HS256", PRIVATE, Err(Private)),
        ("HS256", &long, Err(TooLong)),
        ("RS256", PEM, Ok(())),
        ("RS256", PKCS1, Ok(())),
        ("RS256", &format!("of the issuer\n{PEM}"), Ok(())),
        ("RS256", CURVE, Err(NotRsa)),
        ("RS256", ED25519, Err(NotRsa)),
        ("RS256", BROKEN, Err(NoPem)),
        ("RS256", &PKCS1.replace("RSA PUBLIC", "PUBLIC"), Err(NoPem)),
        ("RS256", &certificate, Err(NoPem)),
        ("RS256", SECRET, Err(NoPem)),
        ("RS256", KEY_SET, Err(NoPem)),
        ("RS256", PRIVATE, Err(Private)),
        ("RS256", &format!("{PRIVATE}{PEM}"), Err(Private)),
        ("JWKS", KEY_SET, Ok(())),
        ("JWKS", r#"{"keys": []}"#, Err(NoKeySet)),
        ("JWKS", r#"{"keys": [{}]}"#, Err(NoKeySet)),
        ("JWKS", r#"{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#, Err(NoKeySet)),
        ("JWKS", PEM, Err(NoKeySet)),
        ("JWKS", &private_set, Err(Private)),
    ];

    for (algorithm, value, expected) in cases {
        let found = client_key(&with(algorithm), &user(value));

        let found = found.map(|_| ()).map_err(|error| match error {
            HubAuthError::Invalid { error, .. } => error,
            other => panic!("{algorithm}, {value}: {other}"),
        });
        assert_eq!(found, expected, "{algorithm}, {value}");
    }
}

#[test]
fn a_key_has_another_name_for_each_algorithm() {
    let name = |algorithm, value| client_key(&with(algorithm), &user(value)).unwrap().unwrap().0;

    let names = [name("HS256", SECRET), name("RS256", PEM), name("JWKS", KEY_SET)];

    assert_eq!(names, hub_key::CLIENTS);
}

#[test]
fn what_is_wrong_is_said_with_the_remedy() {
    let named = SecretKeyRef { name: "mine".to_owned(), key: "k".to_owned() };
    let other = UserSecret::Found(named.clone(), Arc::new(secret(&[("jwt", SECRET)])));
    let said = |user: &UserSecret| client_key(&with("HS256"), user).unwrap_err().to_string();

    let missing = said(&UserSecret::Missing(named));
    let (no_key, short) = (said(&other), said(&user("hunter2")));

    assert!(missing.contains("Secret mine") && missing.contains("create it with the key k"), "{missing}");
    assert!(no_key.contains("no key k") && no_key.contains("it has jwt"), "{no_key}");
    assert!(short.contains("write a longer, random secret") && !short.contains("hunter2"), "{short}");
}

#[test]
fn while_the_users_key_cannot_be_used_what_is_there_stays() {
    let current = secret(&[(hub_key::RS256, PEM), ("more", "theirs")]);

    let keys = resolve(&with("HS256"), Some(&current), &user(PEM));

    assert!(keys.client_key_error.is_some());
    let there: Vec<_> = keys.client_keys.iter().map(|(name, key)| (name.as_str(), key.reveal())).collect();
    assert_eq!(there, [(hub_key::RS256, PEM.as_bytes())]);
}
