//! A real browser: Debian's chromium, driven by `clients/browser.mjs`.

use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::components;
use crate::program::Program;

/// A browser; dropping its last page ends it.
struct Driver {
    program: Program,
    orders: ChildStdin,
}

/// One page with a profile of its own: nothing of another page's session is in it.
#[derive(Clone)]
pub struct Page {
    driver: Arc<Mutex<Driver>>,
    number: u32,
}

/// An order takes as long as a page may, on a machine that has other work.
const PATIENCE: Duration = Duration::from_mins(2);

impl Page {
    /// Starts a browser with one page of this width; narrow ones are phones.
    ///
    /// # Panics
    /// When there is no browser.
    #[must_use]
    #[track_caller]
    pub fn open(width: u32) -> Self {
        let mut command = components::node_command(&components::script("browser.mjs"));
        command.arg(chromium()).stdin(Stdio::piped());
        let mut program = Program::start(&mut command);
        let orders = program.stdin().expect("its stdin is piped");
        let page = Self { driver: Arc::new(Mutex::new(Driver { program, orders })), number: 0 };
        page.order(json!({"do": "open", "width": width}));
        page
    }

    /// Another page of the same browser, in a profile of its own.
    #[must_use]
    #[track_caller]
    pub fn another(&self, number: u32, width: u32, dark: bool) -> Self {
        let page = Self { driver: Arc::clone(&self.driver), number };
        page.order(json!({"do": "open", "width": width, "dark": dark}));
        page
    }

    /// The same, of whoever clicks a warning about a certificate away.
    #[must_use]
    #[track_caller]
    pub fn blind(&self, number: u32, width: u32) -> Self {
        let page = Self { driver: Arc::clone(&self.driver), number };
        page.order(json!({"do": "open", "width": width, "blind": true}));
        page
    }

    /// Loads an address.
    #[track_caller]
    pub fn goto(&self, url: &str) {
        self.order(json!({"do": "goto", "url": url}));
    }

    /// Clicks the first that a selector finds.
    #[track_caller]
    pub fn click(&self, at: &str) {
        self.order(json!({"do": "click", "at": at}));
    }

    /// Types into a field.
    #[track_caller]
    pub fn fill(&self, at: &str, text: &str) {
        self.order(json!({"do": "fill", "at": at, "text": text}));
    }

    /// Chooses an option by its value.
    #[track_caller]
    pub fn choose(&self, at: &str, value: &str) {
        self.order(json!({"do": "choose", "at": at, "text": value}));
    }

    /// Presses a key.
    #[track_caller]
    pub fn press(&self, key: &str) {
        self.order(json!({"do": "press", "key": key}));
    }

    /// Waits until something with this text is to be seen.
    #[track_caller]
    pub fn wait(&self, at: &str, text: &str) {
        self.order(json!({"do": "wait", "at": at, "text": text}));
    }

    /// Waits until nothing like this is to be seen.
    #[track_caller]
    pub fn gone(&self, at: &str) {
        self.order(json!({"do": "wait", "at": at, "state": "hidden"}));
    }

    /// The text of the first that a selector finds.
    #[must_use]
    #[track_caller]
    pub fn text(&self, at: &str) -> String {
        self.order(json!({"do": "text", "at": at})).as_str().unwrap_or_default().to_owned()
    }

    /// How many a selector finds.
    #[must_use]
    #[track_caller]
    pub fn count(&self, at: &str) -> u64 {
        self.order(json!({"do": "count", "at": at})).as_u64().unwrap_or(0)
    }

    /// What a script in the page gives.
    #[track_caller]
    #[must_use]
    pub fn run(&self, script: &str) -> Value {
        self.order(json!({"do": "run", "script": script}))
    }

    /// Asks the browser itself, by the protocol of its developer tools.
    #[track_caller]
    #[must_use]
    pub fn cdp(&self, method: &str, params: &Value) -> Value {
        self.order(json!({"do": "cdp", "method": method, "params": params}))
    }

    /// The page's title.
    #[must_use]
    #[track_caller]
    pub fn title(&self) -> String {
        self.order(json!({"do": "title"})).as_str().unwrap_or_default().to_owned()
    }

    /// The name and text of the file that a click gives.
    #[must_use]
    #[track_caller]
    pub fn saved(&self, at: &str) -> (String, String) {
        let saved = self.order(json!({"do": "saved", "at": at}));
        let text = |name: &str| saved[name].as_str().unwrap_or_default().to_owned();
        (text("name"), text("text"))
    }

    /// Keeps what the page looks like, from its top to its end.
    #[track_caller]
    pub fn shot(&self, file: &Path) {
        self.order(json!({"do": "shot", "file": file, "whole": true}));
    }

    /// Errors that the page had, and the addresses that it asked for.
    #[must_use]
    #[track_caller]
    pub fn said(&self) -> Vec<String> {
        strings(&self.order(json!({"do": "said"})))
    }

    /// What axe-core finds that is serious or worse.
    #[must_use]
    #[track_caller]
    pub fn violations(&self) -> Vec<String> {
        strings(&self.order(json!({"do": "violations"})))
    }

    #[track_caller]
    fn order(&self, mut order: Value) -> Value {
        order["page"] = self.number.into();
        let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(driver.orders, "{order}").expect("the driver takes orders");
        let line = driver.program.line(PATIENCE);
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert!(answer.get("error").is_none(), "{}", answer["error"]);
        answer["ok"].clone()
    }
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn chromium() -> String {
    std::env::var("PORTCULLIS_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned())
}
