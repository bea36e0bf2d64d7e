//! Logs on standard output, and traces to an OTLP receiver where the environment names one. Each reconcile is a span, the root of
//! its trace; its log lines carry the trace's id, whether traces are sent or not.

mod http;

use std::io;
use std::time::Duration;

use kube::{Resource, ResourceExt};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource as Process;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber, error, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt as _;

use chatcluster_api::names::OPERATOR;

/// How long the last spans may take to be sent when the process ends.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What is to be ended before the process ends.
#[must_use]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Logs as `RUST_LOG` (default `info`) says from now on, and sends traces if `OTEL_EXPORTER_OTLP_ENDPOINT` (or
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) names a receiver.
    pub fn start(format: LogFormat) -> Self {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        // A wrong endpoint is no reason to leave chats alone.
        let (traces, wrong) = match receiver().map(|url| exporting(&url)).transpose() {
            Ok(traces) => (traces, None),
            Err(wrong) => (None, Some(wrong)),
        };
        subscriber(format, filter, io::stdout, traces.as_ref()).init();
        if let Some(wrong) = wrong {
            error!("traces are not sent: {wrong}");
        }
        Self { traces }
    }

    /// Sends what has not been sent yet.
    pub async fn end(self) {
        let Some(traces) = self.traces else { return };
        // It waits for its own thread.
        let sent = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(LAST_SPANS));
        let _ = sent.await;
    }
}

/// The endpoint in the environment; what is empty is not set.
fn receiver() -> Option<String> {
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()))
}

/// Sends spans in batches. Everything but the client is read from the environment, as
/// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> has it.
fn exporting(url: &str) -> Result<SdkTracerProvider, String> {
    if !url.starts_with("http://") {
        return Err(format!(
            "OTEL_EXPORTER_OTLP_ENDPOINT is {url}, and only http:// is spoken; let a collector in the cluster pass them on"
        ));
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(http::Client::new())
        .build()
        .map_err(|e| e.to_string())?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(process()).build())
}

fn process() -> Process {
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let process = Process::builder().with_attribute(version);
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        process.build()
    } else {
        process.with_service_name(OPERATOR).build()
    }
}

/// What takes spans and events. Traces are not filtered as the log is: they have all reconciles and requests in them.
fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    writer: W,
    traces: Option<&SdkTracerProvider>,
) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let logs = tracing_subscriber::fmt::layer().with_writer(writer);
    let logs = match format {
        LogFormat::Text => logs.with_ansi(false).boxed(),
        // Spans from the outermost in: their fields are what a line is looked up by.
        LogFormat::Json => logs.json().with_current_span(false).with_span_list(true).boxed(),
    };
    let ours = Targets::new()
        .with_target("chatcluster", LevelFilter::INFO)
        .with_target("kube_client", LevelFilter::DEBUG);
    let traces = traces
        .map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer(OPERATOR)).with_filter(ours));
    Registry::default().with(logs.with_filter(filter)).with(traces)
}

/// The span of one reconcile.
pub fn reconcile_span(cluster: &impl Resource) -> Span {
    let span = info_span!(
        parent: None,
        "reconcile",
        namespace = cluster.meta().namespace,
        cluster = cluster.name_any(),
        trace_id = tracing::field::Empty,
    );
    span.record("trace_id", trace_id(&span));
    span
}

/// The id under which the span is sent; where none is sent, a number as random.
fn trace_id(span: &Span) -> String {
    let context = span.context();
    let trace = context.span().span_context().clone();
    if trace.is_valid() { trace.trace_id().to_string() } else { format!("{:032x}", rand::random::<u128>()) }
}

#[cfg(test)]
mod tests;
