//! Checks of a result that hold on any machine, because they are about the number of requests. Pure.

use serde_json::Value;
use std::ops::Add;

/// The requests for each cluster from its creation until nothing is left to do, beside one for each child:
/// two events and two status updates.
const BESIDE_CHILDREN: f64 = 4.0;

/// The faults of a result, in words.
pub(super) fn faults(result: &Value) -> Vec<String> {
    let phase = result["phase"].as_str().unwrap_or_default();
    let mut faults = Vec::new();
    let mut none = |field: &str, what: &str| {
        if sum(&result[field]) > 0.0 {
            faults.push(format!("{phase}: {what}: {}", result[field]));
        }
    };
    match phase {
        "rest" => none("writes", "writes while nothing happens"),
        "restart" => none("writes", "writes though nothing has changed"),
        _ => {}
    }
    if phase == "create" {
        let clusters = result["clusters"].as_f64().unwrap_or(1.0);
        let each = sum(&result["requests"]) / clusters;
        let most = result["children"].as_f64().unwrap_or_default() + BESIDE_CHILDREN;
        if each > most {
            faults.push(format!("create: {each:.2} requests for each cluster, not {most}"));
        }
        let gets: f64 = by_verb(&result["requests"], "get");
        if gets > 0.0 {
            faults.push(format!("create: {gets} GETs, not 0: {}", result["requests"]));
        }
    }
    faults
}

/// The sum of all counts of requests. `Iterator::sum` would give -0 without values.
pub(super) fn sum(requests: &Value) -> f64 {
    requests.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_f64()).fold(0.0, Add::add)
}

/// The number of requests with that verb.
pub(super) fn by_verb(requests: &Value, verb: &str) -> f64 {
    let all = requests.as_object().into_iter().flatten();
    let counts = all.filter(|(what, _)| what.split(' ').next() == Some(verb));
    counts.filter_map(|(_, count)| count.as_f64()).fold(0.0, Add::add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_count_is_looked_at() {
        let create = |requests: Value| {
            faults(&json!({"phase": "create", "clusters": 2, "children": 1, "requests": requests}))
        };

        assert_eq!(create(json!({"patch services": 10})), Vec::<String>::new());
        assert_eq!(create(json!({"patch services": 11})), ["create: 5.50 requests for each cluster, not 5"]);
        assert_eq!(create(json!({"get services": 1})), ["create: 1 GETs, not 0: {\"get services\":1}"]);
        for phase in ["rest", "restart"] {
            assert_eq!(faults(&json!({"phase": phase, "writes": {}, "requests": {"list pods": 9}})).len(), 0);
            assert_eq!(faults(&json!({"phase": phase, "writes": {"patch pods": 1}})).len(), 1);
        }
    }

    #[test]
    fn requests_are_summed_by_verb() {
        let requests = json!({"get pods": 1, "patch pods": 2, "patch services": 4});

        assert_eq!((sum(&requests), by_verb(&requests, "patch")), (7.0, 6.0));
    }
}
