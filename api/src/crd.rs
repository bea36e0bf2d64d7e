//! The `CustomResourceDefinition`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::spec::{ChatCluster, rule};

/// Returns the `CustomResourceDefinition` as it is installed: the derived one, and the rules for
/// `metadata.name`, for which this crate has no type.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = ChatCluster::crd();
    let rules = serde_json::json!([
        rule(
            "self.metadata.name.size() <= 40",
            "metadata.name may have at most 40 characters, because the names of other objects begin with it: \
             choose a shorter name"
        ),
        rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name is also the name of a Service: use lower-case letters, digits and '-', begin with \
             a letter and end with a letter or digit"
        ),
    ]);
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            schema.x_kubernetes_validations = serde_json::from_value(rules.clone()).ok();
        }
    }
    crd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_spec_is_described_and_has_a_default_or_is_optional() {
        let crd = serde_json::to_value(crd()).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut undescribed = Vec::new();
        let mut required = Vec::new();

        walk(spec, "spec", &mut undescribed, &mut required);
        required.retain(|field| !NEEDED.contains(&field.as_str()));

        assert_eq!(undescribed, Vec::<String>::new(), "fields without a description");
        assert_eq!(
            required,
            Vec::<String>::new(),
            "required fields: `spec: {{}}` must be a complete cluster"
        );
    }

    /// The fields with a schema of Kubernetes itself, which is not checked.
    const LEAVES: [&str; 2] = ["spec.hub.env", "spec.hub.envFrom"];
    /// The required fields of optional objects.
    const NEEDED: [&str; 3] =
        ["spec.hub.auth.keySecret", "spec.hub.auth.keySecret.name", "spec.redis.auth.existingSecret.name"];

    fn walk(node: &serde_json::Value, path: &str, undescribed: &mut Vec<String>, required: &mut Vec<String>) {
        if LEAVES.contains(&path) || path.ends_with(".resources") {
            return;
        }
        for name in node["required"].as_array().into_iter().flatten() {
            required.push(format!("{path}.{}", name.as_str().unwrap_or_default()));
        }
        for (name, child) in node["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if child["description"].as_str().unwrap_or_default().is_empty() {
                undescribed.push(path.clone());
            }
            walk(child, &path, undescribed, required);
        }
    }

    #[test]
    fn a_description_names_the_bounds_and_the_default_that_the_schema_has() {
        let crd = serde_json::to_value(crd()).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut faults = Vec::new();

        compare(spec, "spec", &mut faults);

        assert_eq!(faults, Vec::<String>::new());
    }

    fn compare(node: &serde_json::Value, path: &str, faults: &mut Vec<String>) {
        if LEAVES.contains(&path) || path.ends_with(".resources") {
            return;
        }
        let words: Vec<_> = node["description"].as_str().unwrap_or_default().split_whitespace().collect();
        let description = words.join(" ");
        let mut expected = Vec::new();
        if let (Some(least), Some(most)) = (node["minimum"].as_f64(), node["maximum"].as_f64()) {
            expected.push(format!("Range: {least} to {most}."));
        }
        match &node["default"] {
            serde_json::Value::String(default) => expected.push(format!("Default: `{default}`.")),
            default if default.is_boolean() || default.is_number() => {
                expected.push(format!("Default: {default}."));
            }
            _ => {}
        }
        let missing = expected.iter().filter(|part| !description.contains(part.as_str()));
        faults.extend(missing.map(|part| format!("{path} does not say \"{part}\"")));
        for (name, child) in node["properties"].as_object().into_iter().flatten() {
            compare(child, &format!("{path}.{name}"), faults);
        }
    }

    #[test]
    fn the_crd_stays_far_below_the_annotation_limit_of_kubectl_apply() {
        let crd = serde_json::to_string(&crd()).unwrap();

        assert!(crd.len() < 128 * 1024, "the CRD has {} bytes", crd.len());
    }
}
