//! `portcullis holds watch`: the prompt that answers held calls, and the list of events where there is no terminal.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use jsonrpsee::core::client::Subscription;
use policies::HoldId;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use super::desk::{Desk, Task, ended};
use crate::cli::card::{Page, draw};
use crate::cli::line::{Ink, Line};
use crate::cli::print::{self, Out};
use crate::cli::terminal::{Key, Keys};
use crate::clock;
use crate::operator::card::{Card, Event};
use crate::operator::client::{AskError, Client};
use crate::operator::refused::NEEDS_PIN;

/// How often a gateway that went away is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// Tells of every change, a line each, until the gateway goes.
pub(super) async fn lines(state: &Path, out: &Out, json: bool) -> anyhow::Result<()> {
    let client = Client::connect(state).await?;
    let mut holds = client.holds().await?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    loop {
        let event = tokio::select! {
            event = holds.next() => event,
            _ = interrupted.recv() => return Ok(()),
        };
        let Some(event) = event else { anyhow::bail!("the gateway went away") };
        let cards = match event.context("the gateway tells of a hold in a way that this version does not know")? {
            Event::Open { holds } => holds,
            Event::Changed { hold } => vec![*hold],
        };
        for card in &cards {
            if json {
                print::json(card)?;
            } else {
                out.line(&event_line(card))?;
            }
        }
    }
}

fn event_line(card: &Card) -> Line {
    Line::new()
        .ours(format!("{} {} {} ", card.id, card.state, card.risk.as_str()))
        .ours(format!("{} {}.", card.agent, card.server))
        .theirs(&card.tool)
        .ours(format!(" until {}", card.expires))
}

/// The prompt. The terminal is as before when this returns, however it returns.
pub(super) async fn prompt(state: &Path, name: Option<String>, out: Out) -> anyhow::Result<()> {
    let client = Client::connect(state).await?;
    let holds = client.holds().await?;
    let mut signals = Signals::new()?;
    let mut watch = Watch { state, name, out, keys: Keys::take()?, client, holds, desk: Desk::default() };
    let ended = watch.run(&mut signals).await;
    // The status line is ours to take away, the card above it stays.
    let cleared = watch.out.status(&Line::new());
    ended.and(cleared.map_err(anyhow::Error::from))
}

struct Watch<'a> {
    state: &'a Path,
    name: Option<String>,
    out: Out,
    keys: Keys,
    client: Client,
    holds: Subscription<Event>,
    desk: Desk,
}

/// What ends the prompt from outside, and what brings it back.
struct Signals {
    end: [Signal; 4],
    resumed: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let end = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        let [int, term, hup, quit] = end.map(signal);
        Ok(Self { end: [int?, term?, hup?, quit?], resumed: signal(SignalKind::from_raw(CONTINUED))? })
    }

    async fn ended(end: &mut [Signal; 4]) {
        let [int, term, hup, quit] = end;
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
            _ = hup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

const CONTINUED: i32 = rustix::process::Signal::CONT.as_raw();

/// What woke the prompt.
enum Woken {
    Keys(Vec<Key>),
    Event(Option<Event>),
    Resumed,
    Tick,
    End,
}

impl Watch<'_> {
    async fn run(&mut self, signals: &mut Signals) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            self.out.status(&self.desk.status(clock::now()))?;
            let woken = tokio::select! {
                // An end is never waited for behind other events.
                biased;
                () = Signals::ended(&mut signals.end) => Woken::End,
                keys = self.keys.next() => Woken::Keys(keys.context("the terminal went away")?),
                // What cannot be read is left out; the next list has it.
                event = self.holds.next() => Woken::Event(event.and_then(Result::ok)),
                _ = signals.resumed.recv() => Woken::Resumed,
                _ = tick.tick() => Woken::Tick,
            };
            let tasks = match woken {
                Woken::End => return Ok(()),
                Woken::Tick => {
                    // The window may have another size.
                    self.out = Out::stdout();
                    Vec::new()
                }
                Woken::Keys(keys) => self.desk.press(&keys, self.out.height(), clock::now()),
                Woken::Event(Some(event)) => self.desk.hear(event),
                Woken::Event(None) => {
                    if !self.reconnect(signals).await? {
                        return Ok(());
                    }
                    Vec::new()
                }
                Woken::Resumed => {
                    self.keys.retake()?;
                    self.again()?;
                    Vec::new()
                }
            };
            if self.carry_out(tasks).await? {
                return Ok(());
            }
        }
    }

    /// Whether it is over.
    async fn carry_out(&mut self, tasks: Vec<Task>) -> anyhow::Result<bool> {
        let mut tasks = std::collections::VecDeque::from(tasks);
        while let Some(task) = tasks.pop_front() {
            let more = match task {
                Task::Quit => return Ok(true),
                Task::Ring => {
                    print::ring()?;
                    Vec::new()
                }
                Task::Print(lines) => {
                    self.print(&lines)?;
                    Vec::new()
                }
                Task::Fetch(id) => self.fetch(&id).await?,
                Task::Unfold => self.unfold(),
                Task::Approve(id) => self.answer(&id, "holds_approve", &[("id", id.as_str())]).await,
                Task::Deny(id, reason) => {
                    self.answer(&id, "holds_deny", &[("id", id.as_str()), ("reason", reason.as_str())]).await
                }
            };
            tasks.extend(more);
        }
        Ok(false)
    }

    async fn fetch(&mut self, id: &HoldId) -> anyhow::Result<Vec<Task>> {
        let card: Card = match self.client.ask("holds_show", &[("id", id.as_str())]).await {
            Ok(card) => card,
            Err(error) => return Ok(self.desk.failed(id, told(&error))),
        };
        let folded = if card.is_pending() { self.draw(&card)? } else { 0 };
        // Keys typed before the card was there are no answer to it.
        self.keys.forget()?;
        Ok(self.desk.show(card, folded, clock::now()))
    }

    async fn answer(&mut self, id: &HoldId, method: &str, params: &[(&'static str, &str)]) -> Vec<Task> {
        let mut params = params.to_vec();
        let name = self.name.clone();
        params.extend(name.as_deref().map(|name| ("as", name)));
        let mut answered = self.client.ask::<Card>(method, &params).await;
        let pin = match &answered {
            Err(AskError::Refused { message, code: NEEDS_PIN, .. }) => self.pin(message).await,
            Ok(_) | Err(_) => None,
        };
        // Whoever gives none leaves the hold as it is, and is told so.
        if let Some(pin) = &pin {
            params.push(("pin", pin));
            answered = self.client.ask::<Card>(method, &params).await;
        }
        match answered {
            Ok(card) => self.desk.answered(&card),
            Err(error) => self.desk.failed(id, told(&error)),
        }
    }

    /// The PIN as it is typed, which the screen shows as dots; `None` if the person thinks better of it.
    async fn pin(&mut self, needed: &str) -> Option<Zeroizing<String>> {
        let mut pin = Zeroizing::new(String::new());
        loop {
            let dots = "•".repeat(pin.chars().count());
            let line =
                Line::new().inked(Ink::Strong, needed).ours(format!(": {dots}  ")).inked(Ink::Faint, "Esc not now");
            self.out.status(&line).ok()?;
            for key in self.keys.next().await.ok()? {
                match key {
                    Key::Char(c) => pin.push(c),
                    Key::Backspace => drop(pin.pop()),
                    Key::Clear => pin.clear(),
                    Key::Enter => return Some(pin),
                    Key::Escape | Key::End => return None,
                    Key::Other => {}
                }
            }
        }
    }

    fn unfold(&mut self) -> Vec<Task> {
        let Some(card) = self.desk.card() else { return Vec::new() };
        let rows = draw(card, &self.layout(false)).rows;
        self.desk.page(rows, self.out.height())
    }

    /// Draws a card, and says how many rows of it are folded.
    fn draw(&self, card: &Card) -> io::Result<usize> {
        let drawn = draw(card, &self.layout(true));
        let mut rows = vec![Line::new()];
        rows.extend(drawn.rows);
        self.print(&rows)?;
        Ok(drawn.folded)
    }

    fn again(&self) -> io::Result<()> {
        self.desk.card().map_or(Ok(()), |card| self.draw(card).map(|_| ()))
    }

    fn print(&self, lines: &[Line]) -> io::Result<()> {
        self.out.status(&Line::new())?;
        self.out.lines(lines)
    }

    fn layout(&self, fold: bool) -> Page {
        Page { now: clock::now(), zone: TimeZone::system(), width: self.out.text_width(), fold }
    }

    /// Waits for the gateway to come back; whether it did before the prompt was ended.
    async fn reconnect(&mut self, signals: &mut Signals) -> anyhow::Result<bool> {
        self.desk = Desk::default();
        self.print(&[Line::new().inked(Ink::Warning, "the gateway went away; its holds wait on disk")])?;
        self.out.status(&Line::new().inked(Ink::Faint, "waiting for the gateway to come back  q quit"))?;
        loop {
            tokio::select! {
                () = Signals::ended(&mut signals.end) => return Ok(false),
                keys = self.keys.next() => {
                    if keys?.iter().any(|key| matches!(key, Key::Char('q') | Key::End)) {
                        return Ok(false);
                    }
                }
                () = tokio::time::sleep(RETRY) => {
                    if let Some((client, holds)) = reached(self.state).await {
                        (self.client, self.holds) = (client, holds);
                        return Ok(true);
                    }
                }
            }
        }
    }
}

async fn reached(state: &Path) -> Option<(Client, Subscription<Event>)> {
    let client = Client::connect(state).await.ok()?;
    let holds = client.holds().await.ok()?;
    Some((client, holds))
}

fn told(error: &AskError) -> Vec<Line> {
    let mut lines = vec![Line::new().inked(Ink::Danger, "not answered: ").theirs(&error.to_string())];
    if let AskError::Refused { next: Some(next), .. } = error {
        lines.push(Line::new().inked(Ink::Strong, "  next: ").theirs(next));
    }
    lines
}

/// What an answer from the command line did.
pub(super) fn outcome(card: &Card) -> Line {
    ended(card)
}
