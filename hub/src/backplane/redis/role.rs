//! Checks that a Redis takes writes. A master that became a replica still takes subscriptions and PUBLISH,
//! but its messages reach only its own subscribers: two hubs would be ready, and not receive each other's
//! messages.

use std::collections::HashMap;

use redis::aio::ConnectionLike;
use redis::{RedisError, RedisResult, Value};

/// True if the Redis of a connection is a replica. A Redis that does not reveal its role is assumed to be a
/// master.
pub(super) async fn is_replica(connection: &mut impl ConnectionLike) -> RedisResult<bool> {
    // The role is read from the answer to HELLO, because users with few rights (ACL) may not call ROLE and
    // INFO.
    match redis::cmd("HELLO").query_async::<HashMap<String, Value>>(connection).await {
        Ok(about) => Ok(about
            .get("role")
            .is_some_and(|role| matches!(role, Value::BulkString(role) if role == b"replica"))),
        Err(error) if error.code().is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// True if Redis refused a write because it is a replica.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    error.code() == Some("READONLY")
}
