//! Every file of `manifests/samples` does what its first lines say.

use futures::future::join_all;

use crate::support::{Chat, Namespace, PODS, kubectl, repo};

/// The condition, its status and its reason that a sample reaches. Some samples cannot become ready here.
fn expected(sample: &str) -> (&'static str, &'static str, &'static str) {
    match sample {
        "paused" => ("Ready", "False", "Paused"),
        "aspnet" => ("Ready", "False", "ImagePullFailed"), // nobody has built that image
        "load-balancer-class" => ("Ready", "False", "AddressPending"), // no load balancer has that class
        _ => ("Ready", "True", "Ready"),
    }
}

/// The number of samples that run at a time, each with about three pods.
const AT_A_TIME: usize = 3;

#[tokio::test]
async fn every_sample_applies_and_becomes_ready() {
    let folder = repo().join("manifests/samples");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = files.map(|file| file.expect("a file").path());
    let mut samples: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    samples.sort();
    assert!(samples.contains(&"lobby".to_owned()), "{samples:?}");

    for some in samples.chunks(AT_A_TIME) {
        join_all(some.iter().map(|sample| works(sample))).await;
    }
}

async fn works(sample: &str) {
    let ns = Namespace::new(&format!("sample-{sample}")).await;
    let file = repo().join(format!("manifests/samples/{sample}.yaml")).display().to_string();
    let applied = kubectl(&["apply", "--namespace", &ns.name, "--filename", &file]).await;
    applied.unwrap_or_else(|error| panic!("{error}"));

    let (type_, status, reason) = expected(sample);
    Chat::named(&ns, sample).becomes(type_, status, reason, PODS).await;
}
