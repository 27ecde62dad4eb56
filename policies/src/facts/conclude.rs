//! What the tool and its arguments show together.

mod place;
mod row;

use super::arguments::{Arguments, Sign};
use super::lexicon::thing as t;
use super::tool::ToolFacts;
use super::{Destination, Effect, Facts, Finding, NamedPath, Recipient, Verb, Zone, effect_of};
use crate::canon::Value;
use crate::profile::{Content, Profile};

/// What a call does.
pub(super) fn facts(tool: &ToolFacts, profile: &Profile, arguments: &Value) -> Facts {
    let mut conclusion =
        Conclusion { tool, profile, found: Arguments::of(tool, arguments), facts: Facts::default(), verb: tool.verb };
    conclusion.verb();
    conclusion.destinations();
    conclusion.recipients();
    conclusion.paths();
    conclusion.flags();
    conclusion.money();
    conclusion.egress();
    conclusion.secrets();
    conclusion.base();
    conclusion.finish()
}

struct Conclusion<'a> {
    tool: &'a ToolFacts,
    profile: &'a Profile,
    found: Arguments<'a>,
    facts: Facts,
    /// The weightiest verb so far.
    verb: Verb,
}

impl Conclusion<'_> {
    /// A deferring tool does what its arguments say; any other does at least that.
    fn verb(&mut self) {
        let settled = self.found.settled;
        self.verb = match settled {
            Some(settled) if self.tool.deferring => settled,
            Some(settled) => self.tool.verb.max(settled),
            None => self.tool.verb,
        };
        // A request without a method is a GET; with a body it is more.
        let request = self.found.requests() && !self.found.addresses.is_empty();
        if request && settled.is_none() && self.tool.deferring && matches!(self.verb, Verb::Unknown) {
            self.verb = if self.found.shows(Sign::Body) { Verb::Send } else { Verb::Read };
        }
        if self.found.shows(Sign::Saves) && self.verb == Verb::Read {
            self.verb = Verb::Write;
        }
        if self.tool.words.iter().any(|word| word == "many" || word == "all")
            && self.found.shows(Sign::EmptyFilter)
            && self.verb == Verb::Write
        {
            self.add(Effect::Overwrites, "the filter is empty: it changes everything".to_owned(), None);
        }
    }

    fn writes(&self) -> bool {
        !matches!(self.verb, Verb::Read | Verb::Interact | Verb::Execute)
    }

    /// `force: true` means something only where something is changed.
    fn flags(&mut self) {
        for (effect, what, at) in std::mem::take(&mut self.found.flags) {
            let counts = if effect == Effect::ChangesPolicy {
                true
            } else if effect == Effect::Sends {
                matches!(self.verb, Verb::Keep | Verb::Write | Verb::Interact)
            } else {
                self.verb > Verb::Keep || (self.verb == Verb::Keep && effect != Effect::Grants)
            };
            if counts {
                self.add(effect, format!("the argument {what}"), Some(&at));
            }
        }
    }

    fn money(&mut self) {
        let money = std::mem::take(&mut self.found.money);
        let unsaid = matches!(self.verb, Verb::Unknown | Verb::Send | Verb::Write | Verb::Operate | Verb::Execute);
        let books = self.found.shows(Sign::Pays)
            && self.tool.words.iter().any(|word| {
                matches!(
                    word.as_str(),
                    "book" | "order" | "reserve" | "reservation" | "purchase" | "flight" | "exchange"
                )
            });
        // A message has no amount; what is sent with one is worth something.
        let worth = self.verb == Verb::Send && money.amount.is_some() && self.tool.things & t::BILL == 0;
        if unsaid && (worth || (books && self.verb > Verb::Read)) {
            self.add(Effect::MovesMoney, "it commits to pay".to_owned(), None);
            self.verb = Verb::Pay;
        }
        if unsaid
            && money.amount.is_some()
            && (money.payee.is_some() || (money.currency.is_some() && !self.facts.recipients.is_empty()))
            && self.tool.things & t::BILL == 0
        {
            self.add(Effect::MovesMoney, "an amount and somebody to get it".to_owned(), None);
            self.verb = Verb::Pay;
        }
        if self.verb == Verb::Pay {
            self.facts.money = Some(money);
        }
    }

    /// Whether values of the arguments reach somebody or something outside.
    fn egress(&mut self) {
        let outside = t::WEB | t::TRACKER | t::DOC | t::CHAT | t::MAIL | t::CLOUD;
        let sends = matches!(self.verb, Verb::Send | Verb::Invite | Verb::Grant | Verb::Pay);
        let remote_write = self.verb > Verb::Keep && (self.tool.about & outside != 0 || self.tool.remote_repository());
        let asks_outside =
            self.verb == Verb::Read && self.tool.about & t::WEB != 0 && self.tool.about & (t::FILE | t::OWN) == 0;
        let browser = self.verb == Verb::Interact && self.tool.about & t::BROWSER != 0;
        let reaches = !self.facts.destinations.is_empty();
        self.facts.egress =
            self.found.shows(Sign::Egress) || sends || remote_write || asks_outside || browser || reaches;
        self.facts.open_world |= self.tool.open_world || sends || reaches;
        let declared_open = self.tool.annotations.open_world == Some(true)
            && self.verb == Verb::Keep
            && self.tool.things & t::DRAFT == 0;
        self.facts.egress |= declared_open;
    }

    fn secrets(&mut self) {
        let Some((kind, at, used)) = self.found.secret.take() else { return };
        self.facts.secret_in_arguments = true;
        if self.facts.egress && !used {
            self.add(
                Effect::SecretExfiltration,
                format!("an argument that leaves holds a credential ({kind})"),
                Some(&at),
            );
        } else if self.verb != Verb::Read || self.facts.egress {
            self.add(Effect::SecretInArguments, format!("an argument holds a credential ({kind})"), Some(&at));
        }
    }

    fn finish(mut self) -> Facts {
        let content = self.content();
        let answers = matches!(self.verb, Verb::Read | Verb::Interact | Verb::Unknown | Verb::Execute)
            || self.found.shows(Sign::Private)
            || self.profile.reads().is_some();
        let declared_world = self.tool.annotations.open_world == Some(true);
        self.facts.reads = if answers { content } else { Content::new(content.untrusted() && declared_world, false) };
        // A network command's answer is the network's.
        if self.found.shows(Sign::Egress) {
            self.facts.reads = self.facts.reads.and(Content::Untrusted);
        }
        if self.found.shows(Sign::Private) && (self.verb != Verb::Read || self.found.shell.is_some()) {
            self.add(Effect::ReadsSensitive, "it reads what is private".to_owned(), None);
        }
        self.facts.findings.append(&mut self.found.findings);
        let refuted = self.tool.findings.iter().filter(|finding| {
            // A file tool that its server calls destructive writes files: its scope tells how much that is.
            finding.effect != Effect::Overwrites || !matches!(self.verb, Verb::Write) || self.facts.paths.is_empty()
        });
        self.facts.findings.extend(refuted.cloned());
        self.annotated();
        self.facts.verb =
            self.facts.findings.iter().map(|found| verb_of(found.effect)).max().unwrap_or(self.verb).max(self.verb);
        self.facts.sql = self.found.sql.take();
        self.facts.shell = self.found.shell.take();
        self.facts.targets = std::mem::take(&mut self.found.targets);
        self.facts.findings.dedup();
        self.bound();
        self.facts
    }

    /// Lists that policies compare are cut visibly: what stands for the rest is in no list of what is allowed.
    fn bound(&mut self) {
        let more = || MORE.to_owned();
        let facts = &mut self.facts;
        let mut cut = cut(&mut facts.recipients, || Recipient { who: more(), declared: false, at: String::new() });
        cut |= self::cut(&mut facts.paths, || NamedPath { path: more(), in_scope: false, at: String::new() });
        let rest = || Destination { host: more(), zone: Zone::Private, declared: false, at: String::new() };
        cut |= self::cut(&mut facts.destinations, rest);
        if let Some(sql) = &mut facts.sql {
            cut |= self::cut(&mut sql.tables, more) | self::cut(&mut sql.statements, || MORE);
        }
        if let Some(shell) = &mut facts.shell {
            cut |= self::cut(&mut shell.programs, more);
        }
        if cut {
            self.add(Effect::Unknown, "it names more than a decision can list".to_owned(), None);
        }
    }

    fn add(&mut self, effect: Effect, text: String, at: Option<&str>) {
        if !self.facts.findings.iter().any(|found| found.effect == effect) {
            self.facts.findings.push(Finding { effect, text, at: at.map(str::to_owned) });
        }
    }
}

/// Whether a list was longer than is kept; the last of it then stands for the rest.
fn cut<T>(list: &mut Vec<T>, rest: impl Fn() -> T) -> bool {
    let over = list.len() > MAX_LISTED;
    if over {
        list.truncate(MAX_LISTED - 1);
        list.push(rest());
    }
    over
}

const MORE: &str = "(more)";
const MAX_LISTED: usize = 256;

/// The verb that a finding stands for.
fn verb_of(effect: Effect) -> Verb {
    let verbs = [
        Verb::Interact,
        Verb::Keep,
        Verb::Write,
        Verb::Operate,
        Verb::Unknown,
        Verb::Send,
        Verb::Invite,
        Verb::Grant,
        Verb::Overwrite,
        Verb::Delete,
        Verb::Pay,
        Verb::Identity,
        Verb::Govern,
        Verb::Execute,
    ];
    verbs.into_iter().find(|verb| effect_of(*verb) == effect).unwrap_or(Verb::Read)
}
