//! Templates of a cluster's children: the objects as the operator left them, fit to be created for another
//! cluster. Pure.

use serde_json::Value;

/// The fields of metadata that the API server fills in.
const SERVERS: [&str; 6] =
    ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"];

/// The names by which a cluster's objects refer to it.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// A child that can be created for any cluster.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// Such as `services`
    pub(crate) resource: String,
    /// The collection for such objects, in the captured cluster's namespace
    collection: String,
    text: String,
    of: Names,
    /// Whether it is the Service that clients reach, which has the cluster's name.
    pub(crate) is_public: bool,
    /// The number of pods that come of it.
    pub(crate) pods: usize,
}

impl Template {
    /// Makes a template of the object at `path`.
    pub(crate) fn new(path: &str, resource: &str, object: Value, of: &Names) -> Self {
        let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection).to_owned();
        let makes_pods = matches!(resource, "statefulsets" | "deployments");
        let pods = if makes_pods { object["spec"]["replicas"].as_u64().unwrap_or(1) } else { 0 };
        Self {
            resource: resource.to_owned(),
            collection,
            is_public: resource == "services" && object["metadata"]["name"] == of.name.as_str(),
            text: without_the_servers(object).to_string(),
            of: of.clone(),
            pods: usize::try_from(pods).unwrap_or_default(),
        }
    }

    /// The collection and the body with which the child of another cluster is created.
    pub(crate) fn render(&self, names: &Names) -> (String, Vec<u8>) {
        let rename = |text: &str| {
            text.replace(&self.of.namespace, &names.namespace)
                .replace(&self.of.name, &names.name)
                .replace(&self.of.uid, &names.uid)
        };
        (rename(&self.collection), rename(&self.text).into_bytes())
    }

    /// The path of such objects in all namespaces.
    pub(crate) fn everywhere(&self) -> String {
        self.collection.replace(&format!("namespaces/{}/", self.of.namespace), "")
    }

    /// The path of this child of another cluster.
    pub(crate) fn path(&self, namespace: &str, name: &str) -> String {
        let names = Names { namespace: namespace.to_owned(), name: name.to_owned(), uid: String::new() };
        let (collection, body) = self.render(&names);
        let object: Value = serde_json::from_slice(&body).unwrap_or_default();
        format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap_or_default())
    }
}

/// The objects of a List as a person would have written them: without an owner, too.
pub(crate) fn by_hand(mut list: Value) -> Value {
    for object in list["items"].as_array_mut().into_iter().flatten() {
        *object = without_the_servers(object.take());
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("ownerReferences");
        }
    }
    list
}

/// The object without the fields that the API server, or a controller of Kubernetes, fills in and would fill
/// in again.
fn without_the_servers(mut object: Value) -> Value {
    let remove = |value: Option<&mut Value>, fields: &[&str]| {
        if let Some(map) = value.and_then(Value::as_object_mut) {
            map.retain(|field, _| !fields.contains(&field.as_str()));
        }
    };
    remove(Some(&mut object), &["status"]);
    remove(object.get_mut("metadata"), &SERVERS);
    remove(object.pointer_mut("/metadata/annotations"), &["deployment.kubernetes.io/revision"]);
    if object["kind"] == "Service" {
        // A headless Service says `None` itself.
        if object["spec"]["clusterIP"] != "None" {
            remove(object.get_mut("spec"), &["clusterIP", "clusterIPs"]);
        }
        for port in object.pointer_mut("/spec/ports").and_then(Value::as_array_mut).into_iter().flatten() {
            remove(Some(port), &["nodePort"]);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn captured() -> Names {
        Names { namespace: "captured-in".into(), name: "captured".into(), uid: "0-1".into() }
    }

    fn service(spec: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "captured", "namespace": "captured-in", "uid": "9", "resourceVersion": "7",
                         "managedFields": [], "creationTimestamp": "t",
                         "ownerReferences": [{"name": "captured", "uid": "0-1"}]},
            "spec": spec,
            "status": {"loadBalancer": {}},
        })
    }

    #[test]
    fn another_clusters_object_has_its_names_and_nothing_of_the_servers() {
        let path = "/api/v1/namespaces/captured-in/services/captured";
        let template = Template::new(
            path,
            "services",
            service(
                &json!({"clusterIP": "198.18.64.7", "clusterIPs": ["198.18.64.7"], "ports": [{"port": 80, "nodePort": 30007}]}),
            ),
            &captured(),
        );

        let names = Names { namespace: "floor-001".into(), name: "c00030".into(), uid: "5-5".into() };
        let (collection, body) = template.render(&names);

        assert_eq!(collection, "/api/v1/namespaces/floor-001/services");
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "c00030", "namespace": "floor-001",
                             "ownerReferences": [{"name": "c00030", "uid": "5-5"}]},
                "spec": {"ports": [{"port": 80}]},
            })
        );
        assert!(template.is_public);
        assert_eq!(template.everywhere(), "/api/v1/services");
        assert_eq!(template.path("bench-000", "c00001"), "/api/v1/namespaces/bench-000/services/c00001");
    }

    #[test]
    fn a_headless_service_stays_one() {
        let path = "/api/v1/namespaces/captured-in/services/captured";
        let headless = service(&json!({"clusterIP": "None", "clusterIPs": ["None"]}));
        let template = Template::new(path, "services", headless, &captured());

        let (_, body) = template.render(&captured());

        let object: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(object["spec"], json!({"clusterIP": "None", "clusterIPs": ["None"]}));
    }

    #[test]
    fn objects_as_written_by_hand_have_no_owner() {
        let list = json!({"kind": "List", "items": [service(&json!({"clusterIP": "198.18.64.7"}))]});

        assert_eq!(
            by_hand(list),
            json!({"kind": "List", "items": [{
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "captured", "namespace": "captured-in"},
                "spec": {},
            }]})
        );
    }
}
