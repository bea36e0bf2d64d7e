//! Against a receiver on this machine, over HTTP.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_otlp::WithExportConfig as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::{Instrument as _, info};

use super::*;
use chatcluster_api::{ChatCluster, ChatClusterSpec};

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn lobby() -> ChatCluster {
    let mut cluster = ChatCluster::new("lobby", ChatClusterSpec::default());
    cluster.metadata.namespace = Some("team".to_owned());
    cluster
}

fn work() {
    info_span!("of the controller's").in_scope(|| reconcile_span(&lobby()).in_scope(|| info!("at work")));
}

fn logged(traces: Option<&SdkTracerProvider>) -> Value {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = subscriber(LogFormat::Json, EnvFilter::new("info"), move || writer.clone(), traces);
    tracing::subscriber::with_default(subscriber, work);
    let mut lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn a_line_of_a_reconcile_names_its_cluster_and_its_trace() {
    let (one, other) = (logged(None), logged(None));

    let span = &one["spans"][0];
    assert_eq!(
        (&span["name"], &span["namespace"], &span["cluster"]),
        (&"reconcile".into(), &"team".into(), &"lobby".into())
    );
    assert_eq!(span["trace_id"].as_str().unwrap().len(), 32, "{one}");
    assert_ne!(span["trace_id"], other["spans"][0]["trace_id"]);
}

/// A receiver of OTLP over HTTP: each request, as it came.
async fn receiver() -> (String, mpsc::UnboundedReceiver<(HeaderMap, Bytes)>) {
    let (tell, heard) = mpsc::unbounded_channel();
    let hear = async move |headers: HeaderMap, body: Bytes| {
        tell.send((headers, body)).unwrap();
        StatusCode::OK
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().route("/v1/traces", post(hear))).into_future());
    (address, heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconcile_is_sent_as_a_trace_of_the_id_that_its_log_lines_have() {
    let (address, mut heard) = receiver().await;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(http::Client::new())
        .with_endpoint(format!("{address}/v1/traces"))
        .build()
        .unwrap();
    let traces = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(process()).build();

    let line = logged(Some(&traces));
    Telemetry { traces: Some(traces) }.end().await;

    let (headers, body) = heard.try_recv().expect("sent before the end");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let trace = line["spans"][0]["trace_id"].as_str().unwrap();
    let trace: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&trace[2 * i..2 * i + 2], 16).unwrap()).collect();
    for expected in [trace.as_slice(), b"reconcile", b"team", b"lobby", OPERATOR.as_bytes()] {
        assert!(body.windows(expected.len()).any(|part| part == expected), "{expected:?} is not in {body:?}");
    }
}

#[test]
fn an_endpoint_that_would_never_be_reached_is_said() {
    let wrong = exporting("https://collector.example").unwrap_err();

    assert!(wrong.contains("https://collector.example") && wrong.contains("only http://"), "{wrong}");
}

#[tokio::test]
async fn a_span_is_entered_wherever_its_reconcile_goes_on() {
    let log = Log::default();
    let writer = log.clone();
    let _guard = tracing::subscriber::set_default(subscriber(
        LogFormat::Json,
        EnvFilter::new("info"),
        move || writer.clone(),
        None,
    ));

    async {
        tokio::task::yield_now().await;
        info!("later");
    }
    .instrument(reconcile_span(&lobby()))
    .await;

    assert_eq!(log.lines()[0]["spans"][0]["cluster"], "lobby");
}
