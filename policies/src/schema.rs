//! `Schema`: a tool's `inputSchema`, compiled once and held against every call's arguments.
//!
//! The schema comes from the server and the arguments from the agent: neither is trusted. A schema is bounded in size and
//! depth, patterns match in linear time, and nothing is ever fetched.

mod bounds;
mod work;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde::Serialize;
use thiserror::Error;

use crate::canon::Value;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    /// How often it may look at one value.
    looks: u64,
}

/// Why a schema cannot be used. A tool with such a schema cannot be called: arguments that cannot be checked fail closed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SchemaError {
    /// It is longer, deeper or wider than a schema needs to be.
    #[error("the schema has more than {limit} {what}")]
    TooLarge {
        /// The most there may be.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// It refers to another document, which is never fetched.
    #[error("the schema refers to another document at `{at}`; only references inside the schema are followed")]
    RemoteReference {
        /// JSON pointer of the reference in the schema.
        at: String,
    },
    /// A part of it applies itself to the same value again.
    #[error("the schema at `{at}` leads back to itself")]
    Circular {
        /// JSON pointer in the schema.
        at: String,
    },
    /// It is not a schema of its draft, or a pattern in it cannot be matched in linear time.
    #[error("the schema is not valid at `{at}`: {why}")]
    Invalid {
        /// JSON pointer in the schema.
        at: String,
        /// Which rule of the draft is broken.
        why: String,
    },
}

/// Something wrong with arguments. It never repeats their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// JSON pointer into the arguments.
    pub at: String,
    /// What is wrong, as far as it can be said without the value.
    pub message: String,
}

/// Violations that are told; an agent needs the first few.
const VIOLATIONS: usize = 16;

/// Looks at values in one validation: some tenths of a second at worst.
const WORK: u64 = 20_000_000;

/// Telling what is wrong costs more than finding that something is.
const WORK_TOLD: u64 = 1_000_000;

/// A compiled pattern is not larger than this, in bytes: `(a{1000}){1000}` is small text and large work.
const PATTERN_BYTES: usize = 1 << 20;

impl Schema {
    /// Compiles a schema: JSON Schema 2020-12, or the draft that its `$schema` names.
    ///
    /// # Errors
    /// [`SchemaError`] if it is too large, refers to another document, or is no schema.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        bounds::check(schema)?;
        let looks = work::looks(schema)?;
        let invalid = |at: String, why: String| SchemaError::Invalid { at, why };
        let text = schema.to_serde().ok_or_else(|| invalid(String::new(), "a number is too large".into()))?;
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
        let options = jsonschema::options().offline().with_pattern_options(patterns);
        let built = options.build(&text);
        let validator = built.map_err(|error| invalid(error.instance_path().to_string(), reason(&error)))?;
        Ok(Self { validator, looks })
    }

    /// Holds arguments against the schema.
    ///
    /// # Errors
    /// What is wrong, the first sixteen things.
    pub fn validate(&self, arguments: &Value) -> Result<(), Vec<Violation>> {
        let Some(arguments) = arguments.to_serde() else {
            return Err(one("a number is too large to be checked"));
        };
        let work = self.looks.saturating_mul(values(&arguments));
        if work > WORK {
            return Err(one("there are too many values to be checked against this tool's schema"));
        }
        if self.validator.is_valid(&arguments) {
            return Ok(());
        }
        if work > WORK_TOLD {
            return Err(one("the arguments do not meet the tool's schema"));
        }
        let violations: Vec<Violation> =
            self.validator.iter_errors(&arguments).take(VIOLATIONS).map(|error| violation(&error)).collect();
        // Should the two ways of asking ever disagree, the answer is no.
        if violations.is_empty() { Err(one("the arguments do not meet the tool's schema")) } else { Err(violations) }
    }
}

fn one(message: &str) -> Vec<Violation> {
    vec![Violation { at: String::new(), message: message.to_owned() }]
}

fn values(value: &serde_json::Value) -> u64 {
    let inner: u64 = match value {
        serde_json::Value::Array(items) => items.iter().map(values).sum(),
        serde_json::Value::Object(members) => members.values().map(values).sum(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => 0,
    };
    inner + 1
}

fn violation(error: &ValidationError<'_>) -> Violation {
    Violation { at: error.instance_path().to_string(), message: reason(error) }
}

/// Bounded: a schema may hold a thousand allowed values, and its own text is not trusted either.
fn reason(error: &ValidationError<'_>) -> String {
    let text = if repeats_values(error.kind()) {
        format!("value does not meet `{}`", error.kind().keyword())
    } else {
        error.masked().to_string()
    };
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// These would show values of the arguments even when they are masked. (Names of members are shown: they are what the
/// agent has to correct, and the pointers hold them too.)
fn repeats_values(kind: &ValidationErrorKind) -> bool {
    matches!(
        kind,
        ValidationErrorKind::UnevaluatedItems { .. }
            | ValidationErrorKind::PropertyNames { .. }
            | ValidationErrorKind::FromUtf8 { .. }
            | ValidationErrorKind::RegexEngineFailure { .. }
            | ValidationErrorKind::Custom { .. }
    )
}

#[cfg(test)]
mod tests;
