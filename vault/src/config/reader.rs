//! `Reader`: takes values out of a table and keeps every problem it meets.

use std::time::Duration;

use serde_json::Value;

use super::problem::Problem;

/// Takes values out of a table and keeps every problem it meets.
#[derive(Default)]
pub struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    /// Keeps a problem.
    pub fn problem<T>(
        &mut self,
        key: impl Into<String>,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Option<T> {
        self.problems.push(Problem::new(key, found, wanted));
        None
    }

    /// What was read, unless there was a problem anywhere.
    ///
    /// # Errors
    /// Every problem.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Vec<Problem>> {
        match read {
            Some(read) if self.problems.is_empty() => Ok(read),
            Some(_) | None => Err(self.problems),
        }
    }

    /// The members of a table; none where there is none.
    pub fn table<'a>(&mut self, key: &str, value: Option<&'a Value>) -> Vec<(&'a String, &'a Value)> {
        match value {
            None => Vec::new(),
            Some(Value::Object(table)) => table.iter().collect(),
            Some(other) => self.problem(key, kind(other), "a table").unwrap_or_default(),
        }
    }

    /// A string, or `{ env = "NAME" }`.
    pub fn text(&mut self, key: &str, value: &Value) -> Option<String> {
        let wanted = "a string or `{ env = \"NAME\" }`";
        if let Some(text) = value.as_str() {
            return Some(text.to_owned());
        }
        let Some(table) = value.as_object() else { return self.problem(key, kind(value), wanted) };
        let name = table.get("env").and_then(Value::as_str).filter(|_| table.len() == 1);
        let Some(name) = name else { return self.problem(key, "another table", wanted) };
        match std::env::var(name) {
            Ok(text) => Some(text),
            Err(_) => {
                self.problem(key, format!("`{name}`, which is not set"), "a variable of the gateway's environment")
            }
        }
    }

    /// A time from a second to a day.
    pub fn duration(&mut self, key: &str, value: Option<&Value>) -> Option<Duration> {
        let wanted = "seconds, or text such as `90s` or `5m`, from 1 s to 1 day";
        let value = value?;
        let duration = match value {
            Value::Number(seconds) => seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            Value::String(text) => text.parse::<jiff::SignedDuration>().ok().and_then(|span| span.try_into().ok()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match duration {
            Some(duration) if (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&duration) => Some(duration),
            Some(_) | None => self.problem(key, shown(value), wanted),
        }
    }

    /// A size that memory is asked for.
    pub fn size(&mut self, key: &str, value: Option<&Value>) -> Option<usize> {
        let wanted = "bytes, or text such as `16 MiB`, from 1 KiB to 1 GiB";
        self.bytes(key, value, 1 << 30, wanted).and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// From 1 KiB to `most`.
    pub fn bytes(&mut self, key: &str, value: Option<&Value>, most: u64, wanted: &str) -> Option<u64> {
        let value = value?;
        let bytes = match value {
            Value::Number(bytes) => bytes.as_u64(),
            Value::String(text) => bytes(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match bytes {
            Some(bytes) if (1024..=most).contains(&bytes) => Some(bytes),
            Some(_) | None => self.problem(key, shown(value), wanted),
        }
    }

    /// From 1 to 4096.
    pub fn count(&mut self, key: &str, value: Option<&Value>) -> Option<usize> {
        self.number(key, value, 4096).and_then(|count| usize::try_from(count).ok())
    }

    /// From 1 to `most`.
    pub fn number(&mut self, key: &str, value: Option<&Value>, most: u32) -> Option<u32> {
        let value = value?;
        match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count) if (1..=most).contains(&count) => Some(count),
            Some(_) | None => self.problem(key, shown(value), format!("a number from 1 to {most}")),
        }
    }

    /// True or false.
    pub fn flag(&mut self, key: &str, value: Option<&Value>, default: bool) -> bool {
        match value {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.problem::<()>(key, kind(other), "true or false");
                default
            }
        }
    }

    /// An array of strings.
    pub fn strings(&mut self, key: &str, value: Option<&Value>) -> Vec<String> {
        let Some(value) = value else { return Vec::new() };
        let items = value.as_array().map(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        match items.flatten() {
            Some(items) => items,
            None => self.problem(key, kind(value), "an array of strings").unwrap_or_default(),
        }
    }

    /// Program, then arguments.
    pub fn words(&mut self, key: &str, value: &Value) -> Option<(String, Vec<String>)> {
        let wanted = "an array of strings: program, then arguments";
        let words: Option<Vec<String>> =
            value.as_array().and_then(|words| words.iter().map(|word| word.as_str().map(str::to_owned)).collect());
        let Some(words) = words else { return self.problem(key, kind(value), wanted) };
        if words.iter().any(|word| word.contains('\0')) {
            return self.problem(key, "a NUL character", wanted);
        }
        match words.split_first() {
            Some((program, arguments)) if !program.is_empty() => Some((program.clone(), arguments.to_vec())),
            Some(_) | None => self.problem(key, "no program", wanted),
        }
    }

    /// Names and values, each a string or `{ env = "NAME" }`.
    pub fn environment(&mut self, key: &str, env: Option<&Value>) -> Vec<(String, String)> {
        let mut environment = Vec::new();
        for (name, value) in self.table(key, env) {
            let key = format!("{key}.{name}");
            if name.is_empty() || name.contains(['=', '\0']) {
                self.problem::<()>(&key, "a name with `=` or NUL, or none", "a variable's name");
            }
            let Some(text) = self.text(&key, value) else { continue };
            if text.contains('\0') {
                self.problem::<()>(&key, "a NUL character", "a string without it");
            }
            environment.push((name.clone(), text));
        }
        environment
    }
}

fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// What a value is, without saying it.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(_) | Value::String(_) => format!("`{value}`"),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => kind(value).to_owned(),
    }
}
