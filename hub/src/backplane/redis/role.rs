//! Whether a Redis is the one that takes writes. One that was made a replica meanwhile goes on to take subscriptions and
//! PUBLISH, which reaches nobody but those at this replica: two hubs would be ready, and not hear each other.

use std::collections::HashMap;

use redis::aio::ConnectionLike;
use redis::{RedisError, RedisResult, Value};

/// Whether the Redis of a connection copies another one. A Redis that keeps that to itself is taken at its word.
pub(super) async fn is_replica(connection: &mut impl ConnectionLike) -> RedisResult<bool> {
    // In the answer to HELLO, unlike ROLE and INFO, it may be read by users whom an ACL allows little.
    match redis::cmd("HELLO").query_async::<HashMap<String, Value>>(connection).await {
        Ok(about) => Ok(about
            .get("role")
            .is_some_and(|role| matches!(role, Value::BulkString(role) if role == b"replica"))),
        Err(error) if error.code().is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Redis refused a write because it is a replica.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    error.code() == Some("READONLY")
}
