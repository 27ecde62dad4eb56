//! Families as Prometheus reads them.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::family::{Family, Reading, double};

pub(super) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// What is told at one moment.
#[derive(Debug)]
struct Told(Vec<Family>);

/// The text of these families.
///
/// # Errors
/// Never, as a text takes what is written to it.
pub(super) fn write(families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Told(families)));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            let Some((_, first)) = family.series.first() else { continue };
            let mut series = encoder.encode_descriptor(family.name, family.help, None, first.kind())?;
            for (labels, reading) in &family.series {
                if labels.is_empty() {
                    reading.encode(&mut series)?;
                } else {
                    let labels: Vec<(&str, &str)> =
                        labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    reading.encode(&mut series.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl Reading {
    fn kind(&self) -> MetricType {
        match self {
            Self::Count(_) => MetricType::Counter,
            Self::Level(_) => MetricType::Gauge,
            Self::Spread { .. } => MetricType::Histogram,
        }
    }

    fn encode(&self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => encoder.encode_counter::<NoLabelSet, u64, f64>(count, None),
            Self::Level(level) => encoder.encode_gauge(level),
            Self::Spread { values, scale } => {
                let bounds = values.bounds.iter().map(|bound| double(*bound) / scale).chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = bounds.zip(values.counts.iter().copied()).collect();
                let sum = double(values.sum) / scale;
                encoder.encode_histogram::<NoLabelSet>(sum, values.count(), &buckets, None)
            }
        }
    }
}
