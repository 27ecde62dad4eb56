//! The messages of OTLP that are sent, and what they are made of. Fields have the numbers of `opentelemetry-proto` 1.x; what is
//! never set is left out.

use std::borrow::Cow;

use audit::Redactor;
use jiff::Timestamp;
use prost::{Message, Oneof};

use super::span::{Kind, Told};
use crate::metrics::{Family, Reading};

/// `ExportTraceServiceRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Traces {
    #[prost(message, repeated, tag = "1")]
    of: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(string, tag = "3")]
    state: String,
    #[prost(bytes = "vec", tag = "4")]
    parent: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Any", tags = "1")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Any {
    #[prost(string, tag = "1")]
    Text(String),
}

/// `ExportMetricsServiceRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Figures {
    #[prost(message, repeated, tag = "1")]
    of: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(oneof = "Data", tags = "5, 7, 9")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(message, repeated, tag = "1")]
    points: Vec<Number>,
}

#[derive(Clone, PartialEq, Message)]
struct Sum {
    #[prost(message, repeated, tag = "1")]
    points: Vec<Number>,
    #[prost(int32, tag = "2")]
    temporality: i32,
    #[prost(bool, tag = "3")]
    monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(message, repeated, tag = "1")]
    points: Vec<Spread>,
    #[prost(int32, tag = "2")]
    temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(fixed64, tag = "2")]
    start: u64,
    #[prost(fixed64, tag = "3")]
    at: u64,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
    #[prost(oneof = "Figure", tags = "4, 6")]
    value: Option<Figure>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Figure {
    #[prost(double, tag = "4")]
    Level(f64),
    #[prost(sfixed64, tag = "6")]
    Count(i64),
}

#[derive(Clone, PartialEq, Message)]
struct Spread {
    #[prost(fixed64, tag = "2")]
    start: u64,
    #[prost(fixed64, tag = "3")]
    at: u64,
    #[prost(fixed64, tag = "4")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    bounds: Vec<f64>,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`: a message that is lost loses nothing but its moment.
const CUMULATIVE: i32 = 2;

/// `STATUS_CODE_ERROR`
const ERROR: i32 = 2;

/// The flag of a trace that is sampled.
const SAMPLED: u32 = 1;

/// Whose spans these are.
pub(super) struct Sender<'a> {
    pub(super) service: &'a str,
    pub(super) redactor: &'a Redactor,
}

impl Sender<'_> {
    /// Every text of a span passes the redactor here: it is where it leaves.
    pub(super) fn traces(&self, spans: &[Told]) -> Traces {
        let spans = spans.iter().map(|span| self.span(span)).collect();
        let scopes = vec![ScopeSpans { scope: Some(scope()), spans }];
        Traces { of: vec![ResourceSpans { resource: Some(self.resource()), scopes }] }
    }

    pub(super) fn figures(&self, families: &[Family], start: Timestamp, now: Timestamp) -> Figures {
        let times = (nanoseconds(start), nanoseconds(now));
        let told = families.iter().filter(|family| !family.series.is_empty());
        let metrics = told.map(|family| self.metric(family, times)).collect();
        let scopes = vec![ScopeMetrics { scope: Some(scope()), metrics }];
        Figures { of: vec![ResourceMetrics { resource: Some(self.resource()), scopes }] }
    }

    fn resource(&self) -> Resource {
        let named = [("service.name", self.service), ("service.version", env!("CARGO_PKG_VERSION"))];
        Resource { attributes: named.map(|(key, text)| self.text(key.into(), text)).into() }
    }

    fn span(&self, span: &Told) -> Span {
        let error = span.error.iter().map(|error| ("error.type", error));
        let told = span.attributes.iter().map(|(key, text)| (*key, text)).chain(error);
        let attributes = told.map(|(key, text)| self.text(key.into(), text)).collect();
        Span {
            trace: span.trace.into(),
            id: span.id.into(),
            state: self.clean(span.state.as_deref().unwrap_or_default()),
            parent: span.parent.map(Vec::from).unwrap_or_default(),
            name: self.clean(&span.name),
            kind: match span.kind {
                Kind::Internal => 1,
                Kind::Server => 2,
                Kind::Client => 3,
            },
            start: nanoseconds(span.start),
            end: nanoseconds(span.end),
            attributes,
            status: span.error.is_some().then_some(Status { code: ERROR }),
            flags: SAMPLED,
        }
    }

    fn text(&self, key: Cow<'_, str>, text: &str) -> KeyValue {
        KeyValue { key: key.into_owned(), value: Some(AnyValue { value: Some(Any::Text(self.clean(text))) }) }
    }

    fn clean(&self, text: &str) -> String {
        self.redactor.redact_text(text).into_owned()
    }

    fn metric(&self, family: &Family, (start, at): (u64, u64)) -> Metric {
        let (mut levels, mut counts, mut spreads) = (Vec::new(), Vec::new(), Vec::new());
        for (labels, reading) in &family.series {
            let attributes = labels.iter().map(|(name, text)| self.text(dotted(name), text)).collect();
            match reading {
                Reading::Level(level) => {
                    levels.push(Number { start: 0, at, attributes, value: Some(Figure::Level(*level)) });
                }
                Reading::Count(count) => {
                    let count = i64::try_from(*count).unwrap_or(i64::MAX);
                    counts.push(Number { start, at, attributes, value: Some(Figure::Count(count)) });
                }
                Reading::Spread { values, scale } => spreads.push(Spread {
                    start,
                    at,
                    count: values.count(),
                    sum: Some(crate::metrics::double(values.sum) / scale),
                    counts: values.counts.clone(),
                    bounds: values.bounds.iter().map(|bound| crate::metrics::double(*bound) / scale).collect(),
                    attributes,
                }),
            }
        }
        // A family is of one kind.
        let data = if !spreads.is_empty() {
            Data::Histogram(Histogram { points: spreads, temporality: CUMULATIVE })
        } else if !counts.is_empty() {
            Data::Sum(Sum { points: counts, temporality: CUMULATIVE, monotonic: true })
        } else {
            Data::Gauge(Gauge { points: levels })
        };
        let (name, unit) = named(family.name);
        Metric { name, description: family.help.to_owned(), unit: unit.to_owned(), data: Some(data) }
    }
}

fn scope() -> Scope {
    Scope { name: "portcullis".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// Prometheus puts the unit into the name, OpenTelemetry beside it.
fn named(name: &str) -> (String, &'static str) {
    let (name, unit) = match (name.strip_suffix("_seconds"), name.strip_suffix("_bytes")) {
        (Some(name), _) => (name, "s"),
        (None, Some(name)) => (name, "By"),
        (None, None) => (name, "1"),
    };
    if name.starts_with("mcp_") { (dotted(name).into_owned(), unit) } else { (name.replacen('_', ".", 1), unit) }
}

/// Attributes of the conventions have dots where Prometheus takes none.
fn dotted(name: &str) -> Cow<'_, str> {
    if name.starts_with("mcp_") { name.replace('_', ".").into() } else { name.into() }
}

fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_conventions() {
        assert_eq!(named("mcp_server_operation_duration_seconds"), ("mcp.server.operation.duration".to_owned(), "s"));
        assert_eq!(named("portcullis_tool_calls"), ("portcullis.tool_calls".to_owned(), "1"));
        assert_eq!(named("process_resident_memory_bytes"), ("process.resident_memory".to_owned(), "By"));
        assert_eq!(dotted("mcp_method_name"), "mcp.method.name");
    }
}
