//! The rules for the settings of the hub itself: authentication and origins, limits, and history.

use serde_json::{Value, json};

use super::Refused;

/// Specs that cannot be created.
pub(super) fn refused() -> Vec<Refused> {
    let auth = |auth: Value| {
        let mut auth = auth;
        auth["keySecret"] = json!({"name": "mine"});
        json!({"hub": {"auth": auth}})
    };
    let origins = |origins: Value| json!({"hub": {"allowedOrigins": origins}});
    let limit = |name: &str, value: Value| json!({"hub": {"limits": {name: value}}});
    let many: Vec<_> = (0..65).map(|i| format!("https://{i}.example.com")).collect();
    let mut cases = vec![
        (json!({"hub": {"auth": {}}}), "spec.hub.auth.keySecret: Required"),
        (json!({"hub": {"auth": {"keySecret": {}}}}), "spec.hub.auth.keySecret.name: Required"),
        (json!({"hub": {"auth": {"keySecret": {"name": ""}}}}), "spec.hub.auth.keySecret.name"),
        (
            json!({"hub": {"auth": {"keySecret": {"name": "s", "key": "a/b"}}}}),
            "keySecret.key in body should match",
        ),
        (auth(json!({"algorithm": "none"})), "\"HS256\", \"RS256\", \"JWKS\""),
        (auth(json!({"issuer": ""})), "spec.hub.auth.issuer"),
        (auth(json!({"audience": "a b"})), "spec.hub.auth.audience in body should match"),
        (origins(json!(many)), "must have at most 64 items"),
        (origins(json!(["https://a.example", "https://a.example"])), "Duplicate value"),
        (
            origins(json!(["*", "https://a.example"])),
            "allows every origin: remove either '*' or the other origins",
        ),
        (limit("messageBytes", json!(1023)), "should be greater than or equal to 1024"),
        (limit("messageBytes", json!(16_777_217)), "should be less than or equal to"),
        (limit("connections", json!(-1)), "should be greater than or equal to 0"),
        (limit("roomsPerConnection", json!(0)), "should be greater than or equal to 1"),
        (limit("messagesPerSecond", json!("many")), "must be of type integer"),
        (limit("connectionsPerSecondPerAddress", json!(100_001)), "should be less than or equal to"),
        (json!({"hub": {"history": {"messages": -1}}}), "should be greater than or equal to 0"),
        (json!({"hub": {"history": {"retentionSeconds": 0}}}), "should be greater than or equal to 1"),
        (json!({"hub": {"rebalance": "yes"}}), "spec.hub.rebalance"),
    ];
    for origin in [
        "example.com",
        "https://example.com/",
        "https://Example.com",
        "https://*.example.com",
        "https://example.com:443",
        "http://example.com:80",
        "https://a,https://b",
        "https://",
        "null",
        "app://localhost",
    ] {
        cases.push((origins(json!([origin])), "origins as browsers send them, such as https://example.com"));
    }
    cases.extend(variables_set_twice());
    cases
}

/// Specs that set a field and also the variable that the operator derives from it.
fn variables_set_twice() -> Vec<Refused> {
    let auth = json!({"auth": {"keySecret": {"name": "mine"}}});
    let limit = |name: &str| json!({"limits": {name: 2000}});
    let all = [
        (auth.clone(), "HUB_JWT_KEY_FILE", "hub.auth sets"),
        (auth.clone(), "HUB_JWT_ALGORITHM", "hub.auth sets"),
        (auth.clone(), "HUB_JWT_ISSUER", "hub.auth sets"),
        (auth, "HUB_JWT_AUDIENCE", "hub.auth sets"),
        (json!({"allowedOrigins": ["*"]}), "HUB_ALLOWED_ORIGINS", "hub.allowedOrigins sets"),
        (limit("messageBytes"), "HUB_MAX_MESSAGE_BYTES", "hub.limits sets"),
        (limit("connections"), "HUB_MAX_CONNECTIONS", "hub.limits sets"),
        (limit("roomsPerConnection"), "HUB_MAX_ROOMS_PER_CONNECTION", "hub.limits sets"),
        (limit("messagesPerSecond"), "HUB_MESSAGES_PER_SECOND", "hub.limits sets"),
        (
            limit("connectionsPerSecondPerAddress"),
            "HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS",
            "hub.limits sets",
        ),
        (json!({"history": {"messages": 1}}), "HUB_HISTORY_MESSAGES", "hub.history sets"),
        (json!({"history": {"retentionSeconds": 1}}), "HUB_HISTORY_SECONDS", "hub.history sets"),
        (json!({"rebalance": true}), "HUB_REBALANCE", "hub.rebalance sets"),
    ];
    let twice = all.into_iter().map(|(mut hub, name, said)| {
        hub["env"] = json!([{"name": name, "value": "1"}]);
        (json!({"hub": hub}), said)
    });
    twice.collect()
}
