//! Lua scripts for the operations that Redis has to run as one step: storing a message, and reading a room's
//! history.
//!
//! A room's history is a stream, and the ids of its entries are the ids of the messages: with `<epoch>-*`,
//! Redis 7 assigns the next number. An entry's field `m` holds the message's body. If it is empty, the entry
//! only preserves the id. Everything that is written has a bound and a time to live.

use redis::{Cmd, RedisError, RedisResult, Value};

use crate::backplane::store::StoreAck;
use crate::protocol::position::Position;

/// Stores a message, and publishes it to its room. `KEYS`: the stream, and the nonce's key if there is a
/// nonce. `ARGV`: the channel, the body, the number of messages to keep, the lifetimes of the stream and of
/// the nonce in milliseconds, and the time when the message was accepted. Returns the message's id and time;
/// `=` precedes them if the nonce was known.
const STORE: &str = "\
if KEYS[2] then
  local known = redis.call('GET', KEYS[2])
  if known then return '=' .. known end
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local id
if last then
  id = string.match(last[1], '^%d+') .. '-*'
else
  local now = redis.call('TIME')
  id = string.format('%.0f-1', now[1] * 1000 + math.floor(now[2] / 1000))
end
local most = tonumber(ARGV[3])
local body = ARGV[2]
if most == 0 then
  most = 1
  body = ''
end
id = redis.call('XADD', KEYS[1], 'MAXLEN', most, id, 'm', body)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local answer = id .. ' ' .. ARGV[6]
if KEYS[2] then redis.call('SET', KEYS[2], answer, 'PX', ARGV[5]) end
redis.call('PUBLISH', ARGV[1], id .. ' ' .. ARGV[2])
return answer";

/// Reads a room's history. `KEYS`: the stream. `ARGV`: the number of messages to keep, their lifetime in
/// milliseconds, and the epoch and number of the last known message, if there is one. Returns the id of the
/// last message, and the entries after the known message, or all entries if the known message is not from
/// this history. Returns nothing if there is no history.
///
/// A Redis that was restored to an older state would assign the same ids again, to other messages. A hub that
/// asks for entries after an id that Redis has not assigned yet reveals this, and the script then restarts
/// the history with a new epoch: an entry with the number 0 tells all other hubs.
const READ: &str = "\
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then return {} end
local epoch, number = string.match(last[1], '^(%d+)-(%d+)$')
if ARGV[3] == epoch then
  if tonumber(ARGV[4]) <= tonumber(number) then
    return {last[1], redis.call('XRANGE', KEYS[1], '(' .. epoch .. '-' .. ARGV[4], '+')}
  end
  local now = redis.call('TIME')
  local id = math.max(now[1] * 1000 + math.floor(now[2] / 1000), tonumber(epoch) + 1)
  id = string.format('%.0f-0', id)
  redis.call('XADD', KEYS[1], 'MAXLEN', tonumber(ARGV[1]) + 1, id, 'm', '')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  last = {id}
end
return {last[1], redis.call('XRANGE', KEYS[1], '-', '+')}";

/// The names (hashes) of the scripts.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    pub(super) store: String,
    pub(super) read: String,
}

impl Scripts {
    /// Loads the scripts into the Redis of a connection.
    pub(super) async fn load(connection: &mut impl redis::aio::ConnectionLike) -> RedisResult<Self> {
        let mut commands = redis::Pipeline::with_capacity(2);
        for script in [STORE, READ] {
            commands.cmd("SCRIPT").arg("LOAD").arg(script);
        }
        let (store, read) = commands.query_async(connection).await?;
        Ok(Self { store, read })
    }
}

/// The id of the last message, and the id and body of each message that is kept.
type Entries<'a> = (Option<Position>, Vec<(Position, &'a str)>);

/// A command that calls a script.
pub(super) fn call(script: &str, keys: &[&str]) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script).arg(keys.len()).arg(keys);
    command
}

/// True if Redis does not know the script, for example because the scripts were flushed.
pub(super) fn is_unknown(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}

/// Reads the result of [`STORE`]: the acknowledgement, and true if the message had been stored before.
pub(super) fn stored(answer: &Value) -> Option<(StoreAck, bool)> {
    let (Value::BulkString(answer), Some(text)) = (answer, text(answer)) else { return None };
    debug_assert!(!answer.is_empty());
    let repeated = text.strip_prefix('=');
    let (id, at) = repeated.unwrap_or(text).split_once(' ')?;
    Some((StoreAck { id: id.parse().ok()?, at: at.parse().ok()? }, repeated.is_some()))
}

/// Reads the result of [`READ`].
pub(super) fn read(answer: &Value) -> Option<Entries<'_>> {
    let Value::Array(parts) = answer else { return None };
    let [last, entries] = parts.as_slice() else { return parts.is_empty().then(|| (None, Vec::new())) };
    let Value::Array(entries) = entries else { return None };
    let messages = entries.iter().filter_map(|entry| {
        let Value::Array(entry) = entry else { return None };
        let [id, Value::Array(fields)] = entry.as_slice() else { return None };
        let [_, body] = fields.as_slice() else { return None };
        Some((text(id)?.parse().ok()?, text(body).filter(|body| !body.is_empty())?))
    });
    Some((Some(text(last)?.parse().ok()?), messages.collect()))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn entry(id: &str, body: &str) -> Value {
        Value::Array(vec![bulk(id), Value::Array(vec![bulk("m"), bulk(body)])])
    }

    #[test]
    fn a_stored_message_is_told_from_a_repeated_one() {
        let id = Position { epoch: 17, number: 3 };

        assert_eq!(stored(&bulk("17-3 5")), Some((StoreAck { id, at: 5 }, false)));
        assert_eq!(stored(&bulk("=17-3 5")), Some((StoreAck { id, at: 5 }, true)));
        assert_eq!(stored(&Value::Nil), None);
    }

    #[test]
    fn a_history_is_read_without_what_is_no_message() {
        let history = Value::Array(vec![
            bulk("18-0"),
            Value::Array(vec![entry("17-3", "{}"), entry("x", "{}"), entry("18-0", "")]),
        ]);

        let of = |epoch, number| Position { epoch, number };
        assert_eq!(read(&history), Some((Some(of(18, 0)), vec![(of(17, 3), "{}")])));
        assert_eq!(read(&Value::Array(vec![])), Some((None, vec![])));
        assert_eq!(read(&Value::Nil), None);
    }
}
