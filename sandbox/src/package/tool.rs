//! `DeclaredTool`: a tool that a package declares itself: the package's program, run once for each call.

use policies::{Limits, Object, Value};
use serde_json::{Value as Json, json};
use thiserror::Error;

use crate::config::{Reader, kind};

/// A tool that a package declares itself: its program, run once for each call.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredTool {
    /// As agents see it.
    pub definition: Value,
    /// What follows the program. Empty where the arguments come as JSON on its standard input.
    words: Vec<Word>,
}

/// One word of a command line. Whatever is put into it, it stays one word: there is no shell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Plain(String),
    /// An argument between two texts; without the argument the word is left out.
    Filled {
        before: String,
        argument: String,
        after: String,
    },
}

/// Why arguments make no command line. An agent may read it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum WordsError {
    #[error("`{0}` is neither text, number nor boolean")]
    Kind(String),
    #[error("`{0}` begins with `-`: the command would take it for an option")]
    Option(String),
    #[error("`{0}` holds a NUL character, or is too long for a command line")]
    Text(String),
}

/// What the kernel takes as one word, and a little less.
const LONGEST_WORD: usize = 100_000;

const HINTS: [&str; 4] = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];

impl DeclaredTool {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.definition.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    /// What it does, in its author's words.
    #[must_use]
    pub fn description(&self) -> &str {
        self.definition.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// The words after the program, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let word = |word: &Word| match word {
            Word::Plain(text) => text.clone(),
            Word::Filled { before, argument, after } => format!("{before}{{{argument}}}{after}"),
        };
        let words: Vec<String> = self.words.iter().map(word).collect();
        if words.is_empty() { "(arguments as JSON on standard input)".to_owned() } else { words.join(" ") }
    }

    /// Whether the arguments come on standard input.
    pub(crate) fn reads(&self) -> bool {
        self.words.is_empty()
    }

    /// The words after the program for these arguments.
    ///
    /// # Errors
    /// [`WordsError`]
    pub(crate) fn words(&self, arguments: &Value) -> Result<Vec<String>, WordsError> {
        let mut words = Vec::new();
        let mut operands = false;
        for word in &self.words {
            match word {
                Word::Plain(text) => {
                    operands |= text == "--";
                    words.push(text.clone());
                }
                Word::Filled { before, argument, after } => {
                    let Some(value) = arguments.get(argument).filter(|value| !value.is_null()) else { continue };
                    let text = text(argument, value)?;
                    if before.is_empty() && !operands && text.starts_with('-') {
                        return Err(WordsError::Option(argument.clone()));
                    }
                    words.push(format!("{before}{text}{after}"));
                }
            }
        }
        Ok(words)
    }
}

fn text(name: &str, value: &Value) -> Result<String, WordsError> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(WordsError::Kind(name.to_owned())),
    };
    let fits = text.len() <= LONGEST_WORD && !text.contains('\0');
    if fits { Ok(text) } else { Err(WordsError::Text(name.to_owned())) }
}

impl Reader {
    /// `[[tool]]`
    pub(super) fn tools(&mut self, value: Option<&Json>) -> Vec<DeclaredTool> {
        let mut tools: Vec<DeclaredTool> = Vec::new();
        for (place, item) in self.items("tool", value).into_iter().enumerate() {
            let key = format!("tool[{place}]");
            let Some(tool) = self.tool(&key, item) else { continue };
            if tools.iter().any(|other| other.name() == tool.name()) {
                self.problem::<()>(format!("{key}.name"), "a name that another has", "a name of its own");
            }
            tools.push(tool);
        }
        tools
    }

    fn tool(&mut self, key: &str, item: &Json) -> Option<DeclaredTool> {
        self.known(&format!("{key}."), item, &["name", "description", "arguments", "input", "annotations"]);
        let name = self.required(&format!("{key}.name"), item.get("name"));
        let name = name.and_then(|name| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if name.len() <= 64 && name.chars().all(plain) {
                return Some(name);
            }
            self.problem(format!("{key}.name"), "another name", "at most 64 letters, digits, `_`, `-` and `.`")
        });
        let description = self.required(&format!("{key}.description"), item.get("description"));
        let input = self.input(&format!("{key}.input"), item.get("input"));
        let annotations = self.annotations(&format!("{key}.annotations"), item.get("annotations"));
        let words = self.template(&format!("{key}.arguments"), item.get("arguments"), &input);
        let definition = json!({
            "name": name?, "description": description?, "inputSchema": input, "annotations": annotations,
        });
        match Value::parse(definition.to_string().as_bytes(), &Limits::ANSWER) {
            Ok(definition) => Some(DeclaredTool { definition, words }),
            Err(error) => self.problem(key, error.to_string(), "a definition that agents can read"),
        }
    }

    fn input(&mut self, key: &str, value: Option<&Json>) -> Json {
        let anything = || json!({"type": "object"});
        let Some(input) = value else { return anything() };
        if input.get("type").and_then(Json::as_str) == Some("object") {
            return input.clone();
        }
        self.problem(key, "another schema", "a JSON schema with `type = \"object\"`").unwrap_or_else(anything)
    }

    fn annotations(&mut self, key: &str, value: Option<&Json>) -> Json {
        for (name, hint) in self.table(key, value) {
            if !HINTS.contains(&name.as_str()) {
                self.problem::<()>(format!("{key}.{name}"), "an unknown key", format!("one of {}", HINTS.join(", ")));
            } else if !hint.is_boolean() {
                self.problem::<()>(format!("{key}.{name}"), kind(hint), "true or false");
            }
        }
        value.cloned().unwrap_or_else(|| json!({}))
    }

    fn template(&mut self, key: &str, value: Option<&Json>, input: &Json) -> Vec<Word> {
        let mut words = Vec::new();
        for (place, text) in self.strings(key, value).into_iter().enumerate() {
            let key = format!("{key}[{place}]");
            let Some(word) = word(&text) else {
                self.problem::<()>(key, "braces that hold no name", "at most one `{argument}` in a word");
                continue;
            };
            if let Word::Filled { argument, .. } = &word
                && input.pointer(&format!("/properties/{argument}")).is_none()
            {
                self.problem::<()>(key, format!("`{argument}`"), "a property of the tool's `input`");
            }
            words.push(word);
        }
        words
    }
}

fn word(text: &str) -> Option<Word> {
    if text.contains('\0') {
        return None;
    }
    let Some((before, rest)) = text.split_once('{') else {
        return (!text.contains('}')).then(|| Word::Plain(text.to_owned()));
    };
    let (argument, after) = rest.split_once('}')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let named =
        !argument.is_empty() && argument.chars().all(plain) && !before.contains('}') && !after.contains(['{', '}']);
    named.then(|| Word::Filled { before: before.to_owned(), argument: argument.to_owned(), after: after.to_owned() })
}

/// What a server of declared tools says that it has.
pub(crate) fn definitions(tools: &[DeclaredTool]) -> Object {
    let listed: Vec<Value> = tools.iter().map(|tool| tool.definition.clone()).collect();
    [("tools", Value::from(listed))].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(arguments: &str) -> DeclaredTool {
        let text = format!(
            "name = 'count'\ndescription = 'Counts.'\narguments = {arguments}\n[input]\ntype = 'object'\n[input.properties]\npath = {{ type = 'string' }}\nlines = {{ type = 'boolean' }}"
        );
        let mut reader = Reader::default();
        let tool = reader.tool("tool[0]", &toml::from_str(&text).unwrap());
        reader.finish(tool).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn words(arguments: &str, of: &str) -> Result<Vec<String>, WordsError> {
        tool(arguments).words(&Value::parse(of.as_bytes(), &Limits::ANSWER).unwrap())
    }

    #[test]
    fn an_argument_stays_one_word_whatever_it_holds() {
        let hostile = r#"{"path":"a b; rm -rf / $(id) `id` \"'\n{lines}","lines":true}"#;
        let told = words("['count', '--lines={lines}', '{path}']", hostile).unwrap();
        assert_eq!(told, ["count", "--lines=true", "a b; rm -rf / $(id) `id` \"'\n{lines}"]);
    }

    #[test]
    fn an_argument_is_no_option() {
        let dashed = r#"{"path":"--output=/etc/x"}"#;
        assert_eq!(words("['{path}']", dashed), Err(WordsError::Option("path".to_owned())));
        assert_eq!(words("['--', '{path}']", dashed).unwrap(), ["--", "--output=/etc/x"]);
        assert_eq!(words("['--path={path}']", dashed).unwrap(), ["--path=--output=/etc/x"]);
    }

    #[test]
    fn what_is_not_given_is_left_out_and_what_does_not_fit_is_refused() {
        assert_eq!(words("['x', '{path}']", "{}").unwrap(), ["x"]);
        assert_eq!(words("['{path}']", r#"{"path":["a"]}"#), Err(WordsError::Kind("path".to_owned())));
        assert_eq!(words("['{path}']", r#"{"path":"a\u0000b"}"#), Err(WordsError::Text("path".to_owned())));
    }

    #[test]
    fn a_template_means_one_thing() {
        for wrong in ["{", "}", "{}", "{a}{b}", "}{a}", "{a b}", "a}b", "{{a}}"] {
            assert_eq!(word(wrong), None, "{wrong}");
        }
    }
}
