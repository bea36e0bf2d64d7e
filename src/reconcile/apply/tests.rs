use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use tower::service_fn;

use super::*;
use crate::reconcile::desired::children;
use crate::reconcile::validate::UserSecret;
use crate::reconcile::validate::testing::{auth, cluster, defaults, keys};

#[tokio::test]
async fn a_secret_that_went_while_its_content_was_read_does_not_come_back_with_it() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let server = {
        let asked = Arc::clone(&asked);
        service_fn(move |request: Request<Body>| {
            asked.lock().unwrap().push(request.uri().path().to_owned());
            async { Ok::<_, Infallible>(Response::builder().status(503).body(Body::empty()).unwrap()) }
        })
    };
    let (client, caches, server_defaults) =
        (Client::new(server, "default"), Caches::default(), ServerDefaults::default());
    let cluster = cluster(json!({}));
    let read = [(names::hub_token(&cluster.name), Some("7".to_owned()))];
    let children = children(&cluster, &auth(), &keys(&cluster, &UserSecret::NotNamed), &defaults(), false);

    let applier = Applier {
        client: &client,
        caches: &caches,
        server_defaults: &server_defaults,
        cluster: &cluster,
        secrets_read: &read,
    };
    let results = applier.apply(children, Growth::None).await;

    let gone = |result: &Result<Applied, ApplyError>| matches!(result, Err(ApplyError::SecretChanged(name)) if *name == read[0].0);
    assert!(results.iter().any(gone), "{results:?}");
    let asked = asked.lock().unwrap();
    let of = |name: &str| asked.iter().filter(|path| path.ends_with(&format!("/secrets/{name}"))).count();
    assert_eq!((of(&read[0].0), of(&names::redis_auth(&cluster.name))), (0, 1), "{asked:?}");
}

#[tokio::test]
async fn a_secret_that_was_changed_while_its_content_was_read_does_not_get_that_back() {
    let server = service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::builder().status(503).body(Body::empty()).unwrap())
    });
    let (client, caches, server_defaults) =
        (Client::new(server, "default"), Caches::default(), ServerDefaults::default());
    let cluster = cluster(json!({}));
    let children = children(&cluster, &auth(), &keys(&cluster, &UserSecret::NotNamed), &defaults(), false);
    let mut changed = children.hub_token.clone();
    changed.metadata.resource_version = Some("8".to_owned());
    changed.string_data = None;
    caches.secrets.remember(&Undecoded::from(&changed));
    let read = [(names::hub_token(&cluster.name), Some("7".to_owned()))];

    let applier = Applier {
        client: &client,
        caches: &caches,
        server_defaults: &server_defaults,
        cluster: &cluster,
        secrets_read: &read,
    };
    let results = applier.apply(children, Growth::None).await;

    let superseded = |result: &Result<Applied, ApplyError>| matches!(result, Err(ApplyError::SecretChanged(name)) if *name == read[0].0);
    assert!(results.iter().any(superseded), "{results:?}");
}

#[tokio::test]
async fn a_child_without_an_owner_gets_it_back_only_if_the_cluster_stays() {
    let cluster = cluster(json!({}));
    let of = |uid: &str, deleted: Option<&str>| json!({"name": cluster.name, "uid": uid, "deletionTimestamp": deleted});
    let cases = [
        (vec![of(&cluster.uid, None)], true),
        (vec![of(&cluster.uid, Some("2026-11-29T12:00:00Z"))], false),
        (vec![of("another", None)], false),
        (vec![], false),
    ];
    for (there, stays) in cases {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = {
            let (asked, there) = (Arc::clone(&asked), there.clone());
            service_fn(move |request: Request<Body>| {
                asked.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
                let items: Vec<_> = there.iter().map(|metadata| json!({"metadata": metadata})).collect();
                let list = json!({"metadata": {}, "items": items}).to_string();
                let is_list = request.uri().path().ends_with("/chatclusters");
                let (code, body) = if is_list { (200, list.into_bytes()) } else { (503, Vec::new()) };
                async move {
                    Ok::<_, Infallible>(Response::builder().status(code).body(Body::from(body)).unwrap())
                }
            })
        };
        let (client, caches, server_defaults) =
            (Client::new(server, "default"), Caches::default(), ServerDefaults::default());
        let children =
            children(&cluster, &auth(), &keys(&cluster, &UserSecret::NotNamed), &defaults(), false);
        let mut orphan =
            DesiredChild::new(children.redis_config.clone(), StateHash::of(&children.redis_config)).object;
        orphan.metadata.owner_references = None;
        orphan.metadata.resource_version = Some("7".to_owned());
        caches.config_maps.remember(&Undecoded::from(&orphan));

        let applier = Applier {
            client: &client,
            caches: &caches,
            server_defaults: &server_defaults,
            cluster: &cluster,
            secrets_read: &[],
        };
        let results = applier.apply(children, Growth::None).await;

        let left = results.iter().filter(|result| matches!(result, Err(ApplyError::Orphaned))).count();
        let asked = asked.lock().unwrap();
        let written = asked.iter().filter(|line| line.starts_with("PATCH") && line.contains("/configmaps/"));
        assert_eq!((left, written.count()), if stays { (0, 1) } else { (1, 0) }, "{there:?}: {asked:?}");
        let lists = asked.iter().filter(|line| line.starts_with("GET"));
        let expected = format!("fieldSelector=metadata.name%3D{}", cluster.name);
        assert!(
            lists.clone().count() == 1 && lists.clone().all(|line| line.contains(&expected)),
            "{asked:?}"
        );
    }
}
