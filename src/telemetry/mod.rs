//! Logs on standard output, and traces to an OTLP receiver if the environment names one. Each reconcile is a
//! span, the root of its trace; its log lines carry the trace's id, whether traces are sent or not.

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

/// The time limit for sending the last spans when the process ends.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text, for people.
    Text,
    /// One JSON object for each line, for programs.
    Json,
}

/// The running telemetry, which has to be ended before the process ends.
#[must_use]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts to log what `RUST_LOG` (default `info`) selects, and to send traces if
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` (or
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) names a receiver.
    pub fn start(format: LogFormat) -> Self {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        // With a wrong endpoint the operator runs all the same.
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

    /// Sends the spans that have not been sent yet.
    pub async fn end(self) {
        let Some(traces) = self.traces else { return };
        // The call waits for the exporter's own thread.
        let sent = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(LAST_SPANS));
        let _ = sent.await;
    }
}

/// Returns the endpoint from the environment. An empty variable counts as unset.
fn receiver() -> Option<String> {
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()))
}

/// Returns a provider that sends spans in batches. Everything but the client is read from the environment, as
/// in <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.
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

/// Returns the layers that take spans and events. Traces are not filtered like the log: they hold all
/// reconciles and requests.
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
        // The fields of the spans, outermost first: people search for lines by them.
        LogFormat::Json => logs.json().with_current_span(false).with_span_list(true).boxed(),
    };
    let ours = Targets::new()
        .with_target("chatcluster", LevelFilter::INFO)
        .with_target("kube_client", LevelFilter::DEBUG);
    let traces = traces
        .map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer(OPERATOR)).with_filter(ours));
    Registry::default().with(logs.with_filter(filter)).with(traces)
}

/// Returns the span of one reconcile.
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

/// Returns the id under which the span is sent, or a random one if no traces are sent.
fn trace_id(span: &Span) -> String {
    let context = span.context();
    let trace = context.span().span_context().clone();
    if trace.is_valid() { trace.trace_id().to_string() } else { format!("{:032x}", rand::random::<u128>()) }
}

#[cfg(test)]
mod tests;
