//! Tables of attacks of `hostile-tool`: what each must come to, whatever it runs in.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::agent::Answer;
use tests::ledger::{Kind, Ledger};
use tests::world::World;

/// What an attack must come to.
pub(crate) enum Must {
    /// It says that it was refused.
    Fail,
    /// It may say anything but this.
    NotSay(&'static str),
    /// It works, as it should, and says this.
    Say(&'static str),
}

/// An attack, its arguments, and what it must come to.
pub(crate) type Row = (&'static str, Value, Must);

/// A gateway in front of the hostile tool, which is called `hostile`.
pub(crate) trait Attacked {
    fn world(&self) -> &World;

    fn attack(&self, tool: &str, arguments: &Value) -> Answer {
        self.world().modern().call(&format!("hostile.{tool}"), arguments)
    }

    /// The last outcome in the log.
    fn outcome(&self) -> String {
        let last = Ledger::open(self.world().state()).unwrap().entries(Kind::Outcome).pop();
        last.map(|entry| entry.record.to_string()).unwrap_or_default()
    }

    fn hello(&self) {
        self.world().eventually("an answer", || self.attack("hello", &json!({})).ran().then_some(()));
    }

    /// Tries each, and says which came to something else.
    fn wrong(&self, rows: Vec<Row>) -> Vec<String> {
        let holds = |(tool, arguments, must): Row| {
            let answer = self.attack(tool, &arguments);
            let said = answer.said();
            let holds = match must {
                Must::Fail => said.starts_with("refused"),
                Must::NotSay(text) => answer.ran() && !said.contains(text),
                Must::Say(text) => said.contains(text),
            };
            (!holds).then(|| format!("{tool} {arguments}: {said:.300} {:.300}", answer.text))
        };
        rows.into_iter().filter_map(holds).collect()
    }

    /// Each goes over a limit: its call ends with one of these names, in time, and the tool is there again for the next. Says
    /// which do not.
    fn unnamed(&self, rows: &[(&str, &[&str])], most: Duration) -> Vec<String> {
        let mut wrong = Vec::new();
        for (tool, outcomes) in rows {
            self.hello();
            let begun = Instant::now();
            let answer = self.attack(tool, &json!({}));
            let (took, recorded) = (begun.elapsed(), self.outcome());
            if answer.ran() || !outcomes.iter().any(|outcome| recorded.contains(outcome)) || took > most {
                wrong.push(format!("{tool}: {took:?} {recorded} {:.300}", answer.text));
            }
        }
        self.hello();
        wrong
    }
}
