//! Random specs that are valid, and steps from one to the next that the API server admits.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

/// A walk from one valid spec to the next.
pub(crate) struct Walk {
    pub(crate) spec: Value,
    /// The load balancer's class in all specs of the walk, as it cannot change.
    class: Option<&'static str>,
}

/// A field of the spec, and a function that draws a value for it. With null the field is left out.
type Field = (&'static str, fn(&mut StdRng) -> Value);

/// Every field that may change, except the fields of `service`, which depend on each other.
const FIELDS: [Field; 27] = [
    ("/hub/replicas", |r| json!(r.random_range(0..5))),
    ("/hub/image", |r| one(r, &[Value::Null, json!("localhost/hub:a"), json!("localhost/hub:b")])),
    ("/hub/imagePullPolicy", |r| one(r, &[json!("Always"), json!("Never"), json!("IfNotPresent")])),
    ("/hub/imagePullSecrets", |r| one(r, &[Value::Null, json!([]), json!([{"name": "a"}, {"name": "b"}])])),
    ("/hub/port", |r| json!(r.random_range(1024..=65535))),
    ("/hub/env", env),
    ("/hub/envFrom", |r| {
        one(r, &[Value::Null, json!([{"configMapRef": {"name": "c", "optional": true}, "prefix": ""}])])
    }),
    ("/hub/resources", resources),
    ("/hub/autoscaling", autoscaling),
    ("/hub/passwordEnv", |r| json!(r.random_bool(0.5))),
    ("/hub/drain", |r| {
        one(r, &[Value::Null, json!({"gracePeriodSeconds": 5}), json!({"gracePeriodSeconds": 90})])
    }),
    ("/hub/podTemplate", overlay),
    ("/hub/auth", auth),
    ("/hub/allowedOrigins", |r| {
        one(r, &[Value::Null, json!([]), json!(["*"]), json!(["https://a.example", "http://[::1]:3000"])])
    }),
    ("/hub/limits", |r| {
        one(
            r,
            &[Value::Null, json!({"connections": 0}), json!({"messageBytes": 1024, "messagesPerSecond": 3})],
        )
    }),
    ("/hub/history", |r| one(r, &[Value::Null, json!({"messages": 0}), json!({"retentionSeconds": 60})])),
    ("/hub/rebalance", |r| json!(r.random_bool(0.5))),
    ("/hub/verify", |r| one(r, &[json!("Backplane"), json!("Readiness")])),
    ("/redis/image", |r| one(r, &[Value::Null, json!("localhost/redis:a")])),
    ("/redis/resources", resources),
    ("/redis/config", |r| {
        one(r, &[Value::Null, json!({"maxmemory": "1mb"}), json!({"maxmemory": "2mb", "maxclients": "100"})])
    }),
    ("/redis/storage/retain", |r| json!(r.random_bool(0.5))),
    ("/redis/podTemplate", overlay_of_redis),
    ("/redis/auth", |r| one(r, &[Value::Null, json!({"existingSecret": {"name": "mine", "key": "pw"}})])),
    ("/networkPolicy", |r| json!({"enabled": r.random_bool(0.5)})),
    ("/childMetadata/labels", |r| {
        one(r, &[Value::Null, json!({"team": "a"}), json!({"team": "", "x.y/z": "1"})])
    }),
    ("/childMetadata/annotations", |r| {
        one(r, &[Value::Null, json!({"example.com/note": "n"}), json!({"e": ""})])
    }),
];

impl Walk {
    /// A spec with some fields set.
    pub(crate) fn new(random: &mut StdRng) -> Self {
        let class = one_of(random, &[None, Some("example.com/lb")]);
        // The default event key would contain the namespace, in which the compared clusters differ.
        let persistence = one_of(random, &["None", "AppendOnly", "Snapshot"]);
        let spec = json!({"eventKey": "walk", "redis": {"persistence": persistence}});
        let mut walk = Self { spec, class };
        walk.spec["service"] = walk.service(random);
        for (field, value) in FIELDS {
            if random.random_bool(0.3) {
                set(&mut walk.spec, field, value(random));
            }
        }
        walk
    }

    /// Changes some fields.
    pub(crate) fn step(&mut self, random: &mut StdRng) {
        for _ in 0..random.random_range(1..=4) {
            let (field, value) = FIELDS.choose(random).expect("fields");
            set(&mut self.spec, field, value(random));
        }
        if random.random_bool(0.4) {
            self.spec["service"] = self.service(random);
        }
    }

    fn service(&self, random: &mut StdRng) -> Value {
        let type_ = one_of(random, &["LoadBalancer", "NodePort", "ClusterIP"]);
        // The Service is published immediately, as no cluster is verified without a Redis that answers.
        let mut service = json!({"type": type_, "publish": "Immediately"});
        let mut some = |name: &str, value: Value| {
            if random.random_bool(0.4) {
                service[name] = value;
            }
        };
        some("port", json!(8080));
        some("annotations", json!({"example.com/cloud": "fast"}));
        some("sessionAffinity", json!("ClientIP"));
        some("ipFamilyPolicy", json!("PreferDualStack"));
        some("ipFamilies", json!(["IPv4"]));
        if type_ != "ClusterIP" {
            some("externalTrafficPolicy", json!("Local"));
        }
        if type_ == "LoadBalancer" {
            some("loadBalancerSourceRanges", json!(["192.0.2.0/24", "198.51.100.0/24"]));
            if let Some(class) = self.class {
                service["loadBalancerClass"] = json!(class);
            }
        }
        service
    }
}

fn one(random: &mut StdRng, values: &[Value]) -> Value {
    values.choose(random).expect("some values").clone()
}

fn one_of<T: Copy>(random: &mut StdRng, values: &[T]) -> T {
    *values.choose(random).expect("some values")
}

fn env(random: &mut StdRng) -> Value {
    let field = json!({"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}});
    let all = [
        json!({"name": "EMPTY", "value": ""}),
        json!({"name": "REDIS", "value": "$(REDIS_SERVER)"}),
        field,
        json!({"name": "EMPTY_TOO"}),
    ];
    Value::Array(all.into_iter().filter(|_| random.random_bool(0.5)).collect())
}

fn auth(random: &mut StdRng) -> Value {
    one(
        random,
        &[
            Value::Null,
            json!({"keySecret": {"name": "mine", "key": "jwt"}}),
            json!({"keySecret": {"name": "mine", "key": "jwt"}, "issuer": "https://id.example/$(POD_NAME)"}),
            json!({"algorithm": "JWKS", "keySecret": {"name": "mine", "key": "jwks"}, "audience": "chat"}),
        ],
    )
}

fn resources(random: &mut StdRng) -> Value {
    one(
        random,
        &[
            Value::Null,
            json!({}),
            json!({"requests": {"cpu": "0.5", "memory": "1024Mi"}}),
            json!({"limits": {"memory": "1G"}}),
            json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}),
        ],
    )
}

fn autoscaling(random: &mut StdRng) -> Value {
    let fewest = random.random_range(1..4);
    one(
        random,
        &[
            Value::Null,
            json!({}),
            json!({"minReplicas": fewest, "maxReplicas": fewest + 2, "targetCPUUtilizationPercentage": 50}),
        ],
    )
}

fn overlay(random: &mut StdRng) -> Value {
    let parts = [
        json!({"tolerations": [{"operator": "Exists"}]}),
        json!({"nodeSelector": {"kubernetes.io/os": "linux"}, "hostNetwork": false}),
        json!({"terminationGracePeriodSeconds": 7, "dnsPolicy": "Default"}),
        json!({"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["db"]}]}),
        json!({"volumes": [{"name": "more", "emptyDir": {"sizeLimit": "1024Mi", "medium": ""}}]}),
        json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 1, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}
        }]}}}),
        json!({"containers": [{"name": "sidecar", "image": "localhost/sidecar:1", "ports": [{"containerPort": 99}]}]}),
        json!({"initContainers": [{"name": "init", "image": "localhost/init:1", "env": [{"name": "A", "value": ""}]}]}),
        json!({"containers": [{"name": "hub", "livenessProbe": null, "workingDir": "", "tty": false}]}),
        json!({"topologySpreadConstraints": [{
            "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1,
            "labelSelector": {"matchLabels": {"a": "b"}}
        }]}),
        json!({"securityContext": {"fsGroup": 7, "sysctls": []}}),
    ];
    if random.random_bool(0.3) {
        return Value::Null;
    }
    let mut spec = json!({});
    for part in parts.into_iter().filter(|_| random.random_bool(0.25)) {
        spec.as_object_mut().expect("a map").extend(part.as_object().cloned().expect("a map"));
    }
    let metadata =
        one(random, &[json!({}), json!({"labels": {"team": "a"}}), json!({"annotations": {"n": ""}})]);
    json!({"metadata": metadata, "spec": spec})
}

fn overlay_of_redis(random: &mut StdRng) -> Value {
    one(
        random,
        &[
            Value::Null,
            json!({"spec": {"terminationGracePeriodSeconds": 5}}),
            json!({"spec": {"containers": [{"name": "redis", "env": [{"name": "TZ", "value": "UTC"}]}]}}),
            json!({"metadata": {"labels": {"team": "a"}}, "spec": {"priorityClassName": "system-node-critical"}}),
        ],
    )
}

/// Sets the field at an RFC 6901 pointer, or removes it.
fn set(spec: &mut Value, pointer: &str, value: Value) {
    let mut place = spec;
    let mut names = pointer.trim_start_matches('/').split('/').peekable();
    while let Some(name) = names.next() {
        if !place.is_object() {
            *place = json!({});
        }
        let map = place.as_object_mut().expect("a map");
        if names.peek().is_none() {
            if value.is_null() {
                map.remove(name);
            } else {
                map.insert(name.to_owned(), value);
            }
            return;
        }
        place = map.entry(name.to_owned()).or_insert_with(|| json!({}));
    }
}
