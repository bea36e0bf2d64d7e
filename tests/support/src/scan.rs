//! A search for a password in places where it must not be.

use std::collections::BTreeSet;

use base64::Engine as _;
use kube::api::{Api, DynamicObject, ListParams};
use kube::discovery::{Discovery, Scope, verbs};
use sha2::{Digest as _, Sha256};

use crate::namespace::Namespace;

/// The kinds that were searched, and the objects that hold the password: plain, encoded, or as the digest of
/// Redis's ACL file.
pub async fn objects_that_hold(ns: &Namespace, password: &str) -> (BTreeSet<String>, Vec<String>) {
    let digest = format!("{:x}", Sha256::digest(password)); // as Redis's ACL file has it
    let forms = [password.to_owned(), base64::engine::general_purpose::STANDARD.encode(password), digest];
    let (mut looked_at, mut found) = (BTreeSet::new(), Vec::new());
    let discovery = Discovery::new(ns.client.clone()).run().await.expect("discovery");
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            if capabilities.scope != Scope::Namespaced
                || !capabilities.supports_operation(verbs::LIST)
                || resource.kind == "Secret"
            {
                continue;
            }
            let api: Api<DynamicObject> = Api::namespaced_with(ns.client.clone(), &ns.name, &resource);
            for object in api.list(&ListParams::default()).await.expect("a list").items {
                looked_at.insert(resource.kind.clone());
                let text = serde_json::to_string(&object).expect("JSON");
                if forms.iter().any(|form| text.contains(form.as_str())) {
                    found.push(format!("{} {}", resource.kind, object.metadata.name.unwrap_or_default()));
                }
            }
        }
    }
    (looked_at, found)
}
