//! What takes traces and figures: an OTLP collector that reads messages as they are published, and misbehaves when it is told to.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::receiver::{Heard, Mood, Receiver};

/// Listens until the test's process ends.
pub struct Collector(Receiver);

impl Collector {
    /// Takes everything.
    #[must_use]
    pub fn start() -> Self {
        Self(Receiver::http())
    }

    /// What is done with the messages to come, one after the other; the last one stays.
    pub fn set(&self, moods: &[Mood]) {
        self.0.set(moods);
    }

    /// The `[telemetry]` of a gateway that sends here, with more keys.
    #[must_use]
    pub fn config(&self, keys: &str) -> String {
        format!("[telemetry]\nendpoint = \"http://127.0.0.1:{}\"\n{keys}\n", self.0.port())
    }

    /// Everything that arrived, to the byte.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.0.heard()
    }

    /// The spans of every message that was taken.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let of = |heard: &Heard| ExportTraceServiceRequest::decode(body(heard)).expect("a message of OTLP");
        let heard = self.taken("/v1/traces");
        let messages = heard.iter().map(of).flat_map(|message| message.resource_spans);
        messages.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// The figures of the last message that was taken.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        let heard = self.taken("/v1/metrics");
        let Some(last) = heard.last() else { return Vec::new() };
        let message = ExportMetricsServiceRequest::decode(body(last)).expect("a message of OTLP");
        let scopes = message.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        scopes.flat_map(|scope| scope.metrics).collect()
    }

    fn taken(&self, path: &str) -> Vec<Heard> {
        let start = format!("POST {path} HTTP/1.1\r\n");
        self.heard().into_iter().filter(|heard| heard.taken && heard.text.starts_with(&start)).collect()
    }
}

fn body(heard: &Heard) -> &[u8] {
    let end = heard.bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head ends");
    &heard.bytes[end + 4..]
}

/// An attribute that is a text.
#[must_use]
pub fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()?;
    let Value::StringValue(text) = value else { panic!("{key} is no text: {value:?}") };
    Some(text)
}
