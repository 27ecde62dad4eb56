//! `Desk`: what `holds watch` asks, and what the keys do: a state machine without a terminal.
//!
//! ```text
//! Waiting ──a hold is pending──► fetch ──► Asking ──d──► Reason ──Enter──► deny ──► Waiting
//!    ▲                                     │ │ └─v──► Paging ──end──► Asking
//!    └────── answered elsewhere · s · a ───┘ └─a, something folded and unread─► Asking, sure? ──a──► approve
//! ```

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use policies::HoldId;

use crate::cli::line::{Ink, Line};
use crate::cli::terminal::Key;
use crate::cli::when::left;
use crate::operator::card::{Card, Event};

/// Keys are not heard for so long after a card appears: a key that was meant for the card before must not answer it.
const DEAD: SignedDuration = SignedDuration::from_millis(500);

/// The longest reason that can be typed.
const REASON: usize = 500;

/// What the terminal is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Show these lines.
    Print(Vec<Line>),
    /// Ask the gateway for the hold with its arguments, and hand it to [`Desk::show`].
    Fetch(HoldId),
    /// Show the whole card, nothing folded: hand its rows to [`Desk::page`].
    Unfold,
    Approve(HoldId),
    Deny(HoldId, String),
    /// A hold arrived while nobody was asked: a sound.
    Ring,
    Quit,
}

#[derive(Default)]
pub(super) struct Desk {
    open: BTreeMap<HoldId, Card>,
    skipped: BTreeSet<HoldId>,
    mode: Mode,
}

#[derive(Default)]
enum Mode {
    #[default]
    Waiting,
    /// A card was asked for.
    Fetching(HoldId),
    Asking(Asked),
    Reason(Asked, String),
    Paging(Asked, Vec<Line>, usize),
    /// An answer is on its way.
    Answering(HoldId),
}

struct Asked {
    card: Card,
    since: Timestamp,
    /// Rows of it that nobody has seen.
    unread: usize,
    /// The one who approves was told of them.
    sure: bool,
}

impl Desk {
    /// The gateway tells of holds.
    pub(super) fn hear(&mut self, event: Event) -> Vec<Task> {
        let known = self.open.len();
        match event {
            Event::Open { holds } => {
                self.open = holds.into_iter().map(|card| (card.id.clone(), card)).collect();
                self.skipped.retain(|id| self.open.contains_key(id));
            }
            Event::Changed { hold } if hold.is_pending() => {
                self.open.insert(hold.id.clone(), *hold);
            }
            Event::Changed { hold } => {
                self.open.remove(&hold.id);
                self.skipped.remove(&hold.id);
                if self.current() == Some(&hold.id) && !matches!(self.mode, Mode::Answering(_)) {
                    self.mode = Mode::Waiting;
                    let mut tasks = vec![Task::Print(vec![ended(&hold)])];
                    tasks.extend(self.next());
                    return tasks;
                }
            }
        }
        self.leave_if_gone();
        let mut tasks = if self.open.len() > known { vec![Task::Ring] } else { Vec::new() };
        tasks.extend(self.next());
        tasks
    }

    /// The hold that was asked for, as it was drawn; `folded` rows of it are not shown.
    pub(super) fn show(&mut self, card: Card, folded: usize, now: Timestamp) -> Vec<Task> {
        if !card.is_pending() {
            self.open.remove(&card.id);
            self.mode = Mode::Waiting;
            return self.next();
        }
        self.mode = Mode::Asking(Asked { card, since: now, unread: folded, sure: false });
        Vec::new()
    }

    /// A hold could not be fetched or answered: it is left aside.
    pub(super) fn failed(&mut self, id: &HoldId, why: Vec<Line>) -> Vec<Task> {
        self.skipped.insert(id.clone());
        self.mode = Mode::Waiting;
        let mut tasks = vec![Task::Print(why)];
        tasks.extend(self.next());
        tasks
    }

    /// An answer was taken.
    pub(super) fn answered(&mut self, card: &Card) -> Vec<Task> {
        // Where a second person must approve, the hold stays; this person has had their say.
        if card.is_pending() {
            self.skipped.insert(card.id.clone());
        } else {
            self.open.remove(&card.id);
        }
        self.mode = Mode::Waiting;
        let mut tasks = vec![Task::Print(vec![ended(card)])];
        tasks.extend(self.next());
        tasks
    }

    /// The rows of the whole card, to be read page by page.
    pub(super) fn page(&mut self, rows: Vec<Line>, height: usize) -> Vec<Task> {
        match std::mem::take(&mut self.mode) {
            Mode::Asking(asked) => self.turn(asked, rows, 0, height),
            mode @ (Mode::Waiting | Mode::Fetching(_) | Mode::Reason(..) | Mode::Paging(..) | Mode::Answering(_)) => {
                self.keep(mode)
            }
        }
    }

    /// Keys that arrived together, with the height of the terminal.
    pub(super) fn press(&mut self, keys: &[Key], height: usize, now: Timestamp) -> Vec<Task> {
        match std::mem::take(&mut self.mode) {
            Mode::Reason(asked, text) => self.type_reason(asked, text, keys),
            mode @ (Mode::Waiting | Mode::Fetching(_) | Mode::Asking(_) | Mode::Paging(..) | Mode::Answering(_)) => {
                self.mode = mode;
                // Several keys at once are a paste or a stuck key, and no answer.
                let [key] = keys else { return Vec::new() };
                self.single(*key, height, now)
            }
        }
    }

    fn single(&mut self, key: Key, height: usize, now: Timestamp) -> Vec<Task> {
        if matches!(key, Key::Char('q') | Key::End) && !matches!(self.mode, Mode::Paging(..)) {
            return vec![Task::Quit];
        }
        match std::mem::take(&mut self.mode) {
            Mode::Asking(asked) if now.duration_since(asked.since) < DEAD => self.keep(Mode::Asking(asked)),
            Mode::Asking(asked) => self.answer(asked, key),
            Mode::Paging(asked, rows, at) => match key {
                Key::Char('q') | Key::Escape | Key::End => self.keep(Mode::Asking(asked)),
                Key::Char(_) | Key::Enter | Key::Backspace | Key::Clear | Key::Other => {
                    self.turn(asked, rows, at, height)
                }
            },
            Mode::Waiting if key == Key::Char('r') => {
                self.skipped.clear();
                self.next()
            }
            mode @ (Mode::Waiting | Mode::Fetching(_) | Mode::Reason(..) | Mode::Answering(_)) => self.keep(mode),
        }
    }

    fn answer(&mut self, asked: Asked, key: Key) -> Vec<Task> {
        let id = asked.card.id.clone();
        match key {
            Key::Char('a') if asked.unread > 0 && !asked.sure => {
                let unread =
                    format!("{} rows of the arguments are folded: v shows them, a again approves unread", asked.unread);
                self.mode = Mode::Asking(Asked { sure: true, ..asked });
                vec![Task::Print(vec![Line::new().inked(Ink::Warning, unread)])]
            }
            Key::Char('a') => {
                self.mode = Mode::Answering(id.clone());
                vec![Task::Approve(id)]
            }
            Key::Char('d') => self.keep(Mode::Reason(asked, String::new())),
            Key::Char('s') => {
                self.skipped.insert(id);
                self.next()
            }
            Key::Char('v') => {
                self.mode = Mode::Asking(asked);
                vec![Task::Unfold]
            }
            Key::Char(_) | Key::Enter | Key::Backspace | Key::Escape | Key::Clear | Key::End | Key::Other => {
                self.keep(Mode::Asking(asked))
            }
        }
    }

    fn type_reason(&mut self, asked: Asked, mut text: String, keys: &[Key]) -> Vec<Task> {
        for key in keys {
            match key {
                Key::Char(c) if text.len() < REASON => text.push(*c),
                Key::Backspace => {
                    text.pop();
                }
                Key::Clear => text.clear(),
                Key::Escape | Key::End => return self.keep(Mode::Asking(asked)),
                Key::Enter if !text.trim().is_empty() => {
                    let id = asked.card.id;
                    self.mode = Mode::Answering(id.clone());
                    return vec![Task::Deny(id, text.trim().to_owned())];
                }
                Key::Char(_) | Key::Enter | Key::Other => {}
            }
        }
        self.keep(Mode::Reason(asked, text))
    }

    /// The next page. What was paged to the end counts as read.
    fn turn(&mut self, asked: Asked, rows: Vec<Line>, at: usize, height: usize) -> Vec<Task> {
        let page: Vec<Line> = rows.iter().skip(at).take(height.saturating_sub(2).max(4)).cloned().collect();
        let next = at + page.len();
        if next < rows.len() {
            self.mode = Mode::Paging(asked, rows, next);
        } else {
            self.mode = Mode::Asking(Asked { unread: 0, ..asked });
        }
        vec![Task::Print(page)]
    }

    fn keep(&mut self, mode: Mode) -> Vec<Task> {
        self.mode = mode;
        Vec::new()
    }

    /// Asks about the hold with the oldest deadline, if nobody is asked already.
    fn next(&mut self) -> Vec<Task> {
        if !matches!(self.mode, Mode::Waiting) {
            return Vec::new();
        }
        let waiting = self.open.values().filter(|card| card.is_pending() && !self.skipped.contains(&card.id));
        let Some(id) = waiting.min_by_key(|card| card.expires).map(|card| card.id.clone()) else { return Vec::new() };
        self.mode = Mode::Fetching(id.clone());
        vec![Task::Fetch(id)]
    }

    fn leave_if_gone(&mut self) {
        let asked = matches!(self.mode, Mode::Asking(_) | Mode::Reason(..) | Mode::Paging(..));
        if asked && !self.current().is_some_and(|id| self.open.contains_key(id)) {
            self.mode = Mode::Waiting;
        }
    }

    fn current(&self) -> Option<&HoldId> {
        match &self.mode {
            Mode::Waiting => None,
            Mode::Fetching(id) | Mode::Answering(id) => Some(id),
            Mode::Asking(asked) | Mode::Reason(asked, _) | Mode::Paging(asked, ..) => Some(&asked.card.id),
        }
    }

    /// The card that is asked about.
    pub(super) fn card(&self) -> Option<&Card> {
        match &self.mode {
            Mode::Asking(asked) | Mode::Reason(asked, _) | Mode::Paging(asked, ..) => Some(&asked.card),
            Mode::Waiting | Mode::Fetching(_) | Mode::Answering(_) => None,
        }
    }

    /// The line at the bottom.
    pub(super) fn status(&self, now: Timestamp) -> Line {
        match &self.mode {
            Mode::Waiting | Mode::Fetching(_) => self.idle(),
            Mode::Answering(id) => Line::new().inked(Ink::Faint, format!("answering {id} …")),
            Mode::Asking(asked) => {
                let left = asked.card.expires.duration_since(now);
                let ink = if left < SignedDuration::from_secs(30) { Ink::Alarm } else { Ink::Strong };
                let keys = "  a approve  d deny  s skip  v view all  q quit";
                Line::new().inked(ink, self::left(asked.card.expires, now).to_string()).ours(keys).then(self.more())
            }
            // The end of a long reason is what is being typed.
            Mode::Reason(_, text) => Line::new()
                .inked(Ink::Strong, "why? ")
                .theirs(&tail(text, 60))
                .inked(Ink::Faint, "  (Enter denies, Esc goes back)"),
            Mode::Paging(_, rows, at) => {
                Line::new().inked(Ink::Faint, format!("row {at} of {}  any key: next page  q: back", rows.len()))
            }
        }
    }

    fn idle(&self) -> Line {
        let skipped = self.skipped.len();
        if skipped == 0 {
            return Line::new().inked(Ink::Faint, "waiting for calls to answer  q quit");
        }
        Line::new()
            .inked(Ink::Faint, format!("waiting for calls to answer; {skipped} skipped  r show them again  q quit"))
    }

    fn more(&self) -> Line {
        let others = self.open.len().saturating_sub(1);
        if others == 0 { Line::new() } else { Line::new().inked(Ink::Faint, format!("  ({others} more wait)")) }
    }
}

fn tail(text: &str, longest: usize) -> String {
    let skip = text.chars().count().saturating_sub(longest);
    text.chars().skip(skip).collect()
}

/// What became of a hold, in one line.
pub(super) fn ended(card: &Card) -> Line {
    let ink = match card.state.as_str() {
        "approved" | "consumed" => Ink::Good,
        "pending" => Ink::Plain,
        _ => Ink::Danger,
    };
    let line = Line::new().inked(ink, format!("{} {}", card.id, card.state)).ours(": ").theirs(&card.next);
    card.note.iter().fold(line, |line, note| line.ours(" (").theirs(note).ours(")"))
}

#[cfg(test)]
mod tests;
