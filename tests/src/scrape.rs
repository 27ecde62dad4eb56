//! A scrape, read as strictly as the text format is written: what a lenient reader takes, another may not.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::wire::{Response, Wire, authority};

/// A name and a value.
type Label = (String, String);

/// Bounds and counts.
type Buckets = Vec<(f64, f64)>;

/// Everything that one scrape said.
#[derive(Debug)]
pub struct Scrape {
    samples: BTreeMap<(String, Vec<Label>), f64>,
    kinds: BTreeMap<String, String>,
}

/// One request without a body, and what came back.
///
/// # Errors
/// When the connection breaks.
pub fn get(url: &str, path: &str) -> io::Result<Response> {
    said(url, &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", authority(url)))
}

/// These bytes, and what came back.
///
/// # Errors
/// When the connection breaks.
pub fn said(url: &str, request: &str) -> io::Result<Response> {
    let mut wire = Wire::connect(url)?;
    wire.send(request.as_bytes())?;
    wire.response()
}

impl Scrape {
    /// Scrapes.
    ///
    /// # Panics
    /// When there is no answer, or it is not in the format.
    #[must_use]
    #[track_caller]
    pub fn of(url: &str) -> Self {
        let response = get(url, "/metrics").expect("it answers");
        assert_eq!(response.head.status, 200, "{}", response.body);
        assert_eq!(response.head.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Self::parse(&response.body)
    }

    /// Reads the text format, version 0.0.4.
    ///
    /// # Panics
    /// When it is not in the format.
    #[must_use]
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line does not end");
        let mut scrape = Self { samples: BTreeMap::new(), kinds: BTreeMap::new() };
        let (mut helped, mut current) = (BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, _) = help.split_once(' ').expect("help says something");
                assert!(helped.insert(name.to_owned()), "{name} is told twice");
                name.clone_into(&mut current);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type has a name");
                assert_eq!(name, current, "a type without its help");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                scrape.kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                scrape.sample(line, &current);
            }
        }
        scrape.check();
        scrape
    }

    /// The value of a series; `None` where there is none.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut labels: Vec<_> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        labels.sort();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// The sum over the series of a name that have these labels, and perhaps others.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |all: &[(String, String)]| {
            labels.iter().all(|(name, value)| all.iter().any(|(known, is)| known == name && is == value))
        };
        let of = self.samples.iter().filter(|((known, all), _)| known == name && has(all));
        of.map(|(_, value)| value).sum()
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Every name of a label, and every value of one.
    #[must_use]
    pub fn labels(&self) -> BTreeSet<(String, String)> {
        self.samples.keys().flat_map(|(_, labels)| labels.clone()).collect()
    }

    fn sample(&mut self, line: &str, family: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, self::labels(labels.strip_suffix('}').expect("labels end"))),
            None => (series, Vec::new()),
        };
        let kind = &self.kinds[family];
        let endings: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        let belongs = endings.iter().any(|ending| name == format!("{family}{ending}"));
        assert!(belongs, "{name} stands under {family}");
        assert!(kind != "counter" || name.ends_with("_total"), "a counter is called {name}");
        let parsed = value.parse::<f64>().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(kind == "gauge" || parsed >= 0.0, "{line}");
        let before = self.samples.insert((name.to_owned(), labels), parsed);
        assert!(before.is_none(), "twice: {line}");
    }

    /// Buckets grow with their bounds, and the last is the count.
    fn check(&self) {
        let mut buckets: BTreeMap<(&str, Vec<&Label>), Buckets> = BTreeMap::new();
        for ((name, labels), value) in &self.samples {
            let Some(name) = name.strip_suffix("_bucket") else { continue };
            let bound = labels.iter().find(|(name, _)| name == "le").expect("a bucket has a bound");
            let bound = if bound.1 == "+Inf" { f64::INFINITY } else { bound.1.parse().expect("a bound is a number") };
            let others = labels.iter().filter(|(name, _)| name != "le").collect();
            buckets.entry((name, others)).or_default().push((bound, *value));
        }
        for ((name, labels), mut buckets) in buckets {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{name}: {buckets:?}");
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let last = buckets.last().expect("there is one");
            assert!(last.0.is_infinite(), "{name} has no last bucket");
            assert_eq!(Some(last.1), self.value(&format!("{name}_count"), &labels), "{name}");
            assert!(self.value(&format!("{name}_sum"), &labels).is_some(), "{name} has no sum");
        }
    }
}

/// `a="b",c="d"`, with what is escaped undone; sorted.
fn labels(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("a label has a value");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "a label is called {name}");
        let (mut value, mut signs) = (String::new(), after.chars());
        loop {
            match signs.next().expect("a value ends") {
                '"' => break,
                '\\' => value.push(match signs.next() {
                    Some('n') => '\n',
                    Some(sign @ ('\\' | '"')) => sign,
                    other => panic!("an unknown escape: {other:?}"),
                }),
                sign => value.push(sign),
            }
        }
        labels.push((name.to_owned(), value));
        rest = signs.as_str();
        rest = if rest.is_empty() { rest } else { rest.strip_prefix(',').expect("a comma between labels") };
    }
    labels.sort();
    labels
}
