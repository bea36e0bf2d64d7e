//! Checks of a result that hold on any machine, because they are about counts. Pure.

use serde_json::Value;

/// The most commands on Redis for each message. Commands that a function runs inside of Redis count, too.
const COMMANDS_PER_MESSAGE: f64 = 8.0;
/// The most commands on Redis in a second beside these, of all hubs: heartbeats, pings and the like.
const COMMANDS_PER_SECOND: f64 = 40.0;

/// The faults of a result, in words.
pub(super) fn faults(result: &Value) -> Vec<String> {
    let number = |name: &str| result[name].as_f64();
    let mut faults = Vec::new();
    for (name, what) in [
        ("closed", "connections were closed"),
        ("lost", "deliveries were lost"),
        ("duplicated", "deliveries came twice"),
        ("out_of_order", "deliveries came out of order"),
    ] {
        if let Some(count) = number(name).filter(|&count| count != 0.0) {
            let why = result["why"].as_str().unwrap_or_default();
            faults.push(format!("{count} {what} {why}").trim_end().to_owned());
        }
    }
    if !result["system"].as_str().is_some_and(|name| name.starts_with("hub")) {
        return faults;
    }
    let (hubs, subscriptions) = (number("nodes"), number("room_subscriptions"));
    if hubs != subscriptions {
        let [hubs, subscriptions] = [hubs, subscriptions].map(Option::unwrap_or_default);
        faults.push(format!("{subscriptions} subscriptions on Redis for one room on {hubs} hubs"));
    }
    if let (Some(published), Some(each), Some(seconds)) =
        (number("published"), number("redis_commands_per_message"), number("seconds"))
        && each * published > COMMANDS_PER_MESSAGE * published + COMMANDS_PER_SECOND * (seconds + 1.0)
    {
        faults.push(format!("{each:.1} commands on Redis for each message: {}", result["redis_commands"]));
    }
    if let Some(commands) = number("redis_commands_per_s").filter(|&commands| commands > COMMANDS_PER_SECOND)
    {
        faults.push(format!("{commands:.1} commands a second on Redis while nothing happens"));
    }
    faults
}

/// A summary of results without faults.
pub(super) fn summary(results: &[Value]) -> String {
    let sum = |name: &str| results.iter().filter_map(|r| r[name].as_u64()).sum::<u64>();
    format!(
        "{} runs with {} connections: {} messages, each of which came to every member once and in order",
        results.len(),
        sum("connections"),
        sum("published")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"system": "hub json", "nodes": 2, "closed": 0, "lost": 0, "duplicated": 0, "out_of_order": 0,
               "published": 100, "redis_commands_per_message": 3.0, "seconds": 2.0, "room_subscriptions": 2})
    }

    #[test]
    fn nothing_is_wrong_with_a_good_run() {
        assert_eq!(faults(&good()), Vec::<String>::new());
    }

    #[test]
    fn every_count_is_looked_at() {
        for (name, value, says) in [
            ("closed", json!(1), "1 connections were closed"),
            ("lost", json!(3), "3 deliveries were lost"),
            ("duplicated", json!(1), "1 deliveries came twice"),
            ("out_of_order", json!(1), "1 deliveries came out of order"),
            ("room_subscriptions", json!(4), "4 subscriptions on Redis for one room on 2 hubs"),
            ("redis_commands_per_s", json!(100.0), "100.0 commands a second on Redis while nothing happens"),
            ("redis_commands_per_message", json!(9.5), "9.5 commands on Redis for each message: null"),
        ] {
            let mut result = good();
            result[name] = value;
            assert_eq!(faults(&result), [says], "{name}");
        }
    }

    #[test]
    fn the_null_server_has_no_redis() {
        let mut result = good();
        result["system"] = "floor".into();
        result["room_subscriptions"] = 0.into();
        assert_eq!(faults(&result), Vec::<String>::new());
    }
}
