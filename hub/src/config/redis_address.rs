//! The address of Redis in its short forms.

use super::flags::port;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RedisAddress {
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

/// Parses `host`, `host:port`, `[v6]:port` or `redis://host:port`. The text may hold a password, so no error
/// repeats it.
pub(super) fn read(text: &str) -> Result<RedisAddress, String> {
    let rest = match text.split_once("://") {
        Some(("redis", rest)) => rest,
        Some(("rediss", _)) => return Err("TLS to Redis is not supported yet; use redis://host:port".into()),
        Some(_) => return Err("give redis://host:port or host:port".into()),
        None => text,
    };
    if rest.contains('@') {
        return Err("a password in an argument can be read by others; put it in a file and name it with --redis-password-file".into());
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port_text) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or("give [address]:port")?)),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    if host.is_empty() || host.contains(['/', '?', '#']) || host.chars().any(char::is_whitespace) {
        return Err("give redis://host:port or host:port, and nothing else".into());
    }
    Ok(RedisAddress { host: host.to_owned(), port: port_text.map(port).transpose()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: Option<u16>) -> RedisAddress {
        RedisAddress { host: host.into(), port }
    }

    #[test]
    fn redis_may_be_given_in_several_short_forms() {
        assert_eq!(read("redis"), Ok(address("redis", None)));
        assert_eq!(read("redis:7000"), Ok(address("redis", Some(7000))));
        assert_eq!(read("redis://127.0.0.1:7000/"), Ok(address("127.0.0.1", Some(7000))));
        assert_eq!(read("[::1]:7000"), Ok(address("::1", Some(7000))));
        assert_eq!(read("redis://[::1]"), Ok(address("::1", None)));
    }

    #[test]
    fn a_password_in_an_argument_is_refused_without_repeating_it() {
        for text in ["redis://:hunter2@redis:6379", "user:hunter2@redis"] {
            let refusal = read(text).unwrap_err();

            assert!(refusal.contains("--redis-password-file"), "{refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn other_addresses_say_what_to_give() {
        for text in ["", "redis://", "http://redis", "rediss://redis", "redis/1", "redis:x", "[::1]7000"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
