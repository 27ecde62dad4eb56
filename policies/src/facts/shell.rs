//! Shell commands: what a line would do, command by command.

mod network;
mod parse;
mod places;
mod programs;

use parse::{Command, Script, Word};
use programs::{Program, program};

use super::path::Holding;
use super::url::Address;
use super::words::among;
use super::{Effect, ShellFacts, Verb, shown};

/// What a command line does.
#[derive(Debug, Default)]
pub(super) struct Shell {
    pub(super) facts: ShellFacts,
    /// What was found beyond reading.
    pub(super) found: Vec<(Effect, String)>,
    /// Paths that it writes.
    pub(super) written: Vec<String>,
    pub(super) hosts: Vec<Address>,
    /// Whether it shows what is private.
    pub(super) private: bool,
    /// Whether it speaks to another host.
    pub(super) egress: bool,
}

impl Shell {
    /// What a line does.
    pub(super) fn of(line: &str) -> Self {
        let mut shell = Self::default();
        shell.run(&Script::of(line), 0);
        shell
    }

    /// What a program does with these words, started without a shell.
    pub(super) fn of_words<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut shell = Self::default();
        shell.run(&Script::of_words(words), 0);
        shell
    }

    /// What one command to a Redis server does.
    pub(super) fn of_redis(line: &str) -> Option<Verb> {
        let command = line.split_whitespace().next()?.to_ascii_lowercase();
        match programs::redis_command(&command) {
            Program::Does(Verb::Execute)
                if !matches!(command.as_str(), "eval" | "evalsha" | "script" | "function" | "module" | "fcall") =>
            {
                None
            }
            Program::Does(verb) => Some(verb),
            Program::Looks
            | Program::ShowsSecrets
            | Program::Wraps
            | Program::Shell
            | Program::Network
            | Program::Database => Some(Verb::Read),
        }
    }

    fn run(&mut self, script: &Script, depth: usize) {
        let first = depth == 0 && self.facts.programs.is_empty();
        self.facts.parsed = script.whole && (first || self.facts.parsed);
        if !script.whole {
            self.find(Effect::RunsCode, "runs a command line that cannot be read whole");
        }
        let mut sources: Vec<(usize, bool, Holding)> = Vec::new();
        let mut sinks: Vec<(usize, Holding)> = Vec::new();
        for command in &script.commands {
            let (program, words) = self.command(command, depth);
            let worst = self.words(command, &words);
            let shows = if program == Some(Program::ShowsSecrets) { Holding::Private } else { Holding::Plain };
            if program == Some(Program::Network) || program == Some(Program::Does(Verb::Send)) {
                sinks.push((command.pipe, worst));
            } else if worst.max(shows) >= Holding::Private {
                sources.push((command.pipe, command.substituted, worst.max(shows)));
            }
        }
        // A credential that is read here and a way out here: whoever asks for both has no honest use of it.
        let joined = |source: &(usize, bool, Holding)| {
            source.1 || source.2 == Holding::Credential || sinks.iter().any(|(pipe, _)| *pipe == source.0)
        };
        let own = sinks.iter().any(|(_, worst)| *worst >= Holding::Private);
        if own || (!sinks.is_empty() && sources.iter().any(joined)) {
            self.find(Effect::SecretExfiltration, "reads secrets and sends them over the network");
        }
    }

    /// Judges one command; gives what its program is, and its words after wrappers.
    fn command<'a>(&mut self, command: &'a Command, depth: usize) -> (Option<Program>, Vec<&'a str>) {
        let mut words: &[Word] = &command.words;
        while let Some((first, rest)) = words.split_first() {
            let Some((name, _)) = first.text.split_once('=').filter(|(name, _)| is_variable(name)) else { break };
            if matches!(
                name,
                "PATH"
                    | "LD_PRELOAD"
                    | "LD_LIBRARY_PATH"
                    | "BASH_ENV"
                    | "ENV"
                    | "PROMPT_COMMAND"
                    | "DYLD_INSERT_LIBRARIES"
                    | "PYTHONPATH"
                    | "NODE_OPTIONS"
                    | "GIT_SSH_COMMAND"
                    | "PAGER"
                    | "GIT_PAGER"
                    | "EDITOR"
                    | "PERL5OPT"
                    | "IFS"
            ) {
                self.find(Effect::RunsCode, &format!("sets `{name}`, which decides what code is run"));
            }
            words = rest;
        }
        for redirect in &command.redirects {
            self.redirected(&redirect.to, redirect.writes, redirect.appends);
        }
        let Some((name, rest)) = words.split_first() else { return (None, Vec::new()) };
        if name.dynamic {
            self.find(Effect::RunsCode, "runs a program whose name is computed");
            return (None, rest.iter().map(|word| word.text.as_str()).collect());
        }
        let arguments: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
        let file = name.text.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        let bare = file.strip_suffix(".exe").unwrap_or(&file).to_owned();
        let name = bare.as_str();
        self.started(name);
        // `./ls` is not `ls`.
        let local = words.first().is_some_and(|word| {
            word.text.contains('/')
                && !["/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/", "/opt/homebrew/bin/"]
                    .iter()
                    .any(|folder| word.text.strip_prefix(folder).is_some_and(|rest| !rest.contains('/')))
        });
        let program = if local { Program::Does(Verb::Execute) } else { program(name, &arguments) };
        self.judge(program, name, rest, &arguments, command, depth);
        (Some(program), arguments)
    }

    fn judge(
        &mut self,
        program: Program,
        name: &str,
        words: &[Word],
        arguments: &[&str],
        command: &Command,
        depth: usize,
    ) {
        match program {
            Program::Looks => {}
            Program::ShowsSecrets => self.private = true,
            Program::Wraps => self.wrapped(name, words, command, depth),
            Program::Shell => self.shell(name, arguments, command, depth),
            Program::Network => self.network(name, arguments),
            Program::Database => self.database(name, arguments),
            Program::Does(verb) => {
                let what = match verb {
                    Verb::Execute => format!("runs `{}`, which may do anything", shown(name)),
                    Verb::Delete | Verb::Overwrite => format!("destroys by `{}`", shown(&line(name, arguments))),
                    Verb::Identity => {
                        format!("changes identities or permissions by `{}`", shown(&line(name, arguments)))
                    }
                    Verb::Write
                    | Verb::Read
                    | Verb::Keep
                    | Verb::Interact
                    | Verb::Operate
                    | Verb::Unknown
                    | Verb::Send
                    | Verb::Invite
                    | Verb::Grant
                    | Verb::Pay
                    | Verb::Govern => {
                        format!("runs `{}`", shown(&line(name, arguments)))
                    }
                };
                if verb == Verb::Write {
                    let operands =
                        arguments.iter().filter(|word| !word.starts_with('-')).map(|word| (*word).to_owned());
                    let fixed = words.iter().all(|word| !word.dynamic) && name != "git";
                    self.written.extend(if fixed { operands.collect() } else { vec!["?".to_owned()] });
                    for word in arguments.iter().filter(|word| !word.starts_with('-')) {
                        self.power(word);
                    }
                }
                self.egress |= verb == Verb::Send;
                self.find(super::effect_of(verb), &what);
            }
        }
    }

    fn wrapped(&mut self, name: &str, words: &[Word], command: &Command, depth: usize) {
        let mut rest = words;
        while let Some((first, after)) = rest.split_first() {
            let valued = valued(name, &first.text);
            let number = first.text.trim_end_matches(['s', 'm', 'h']).parse::<f64>().is_ok();
            let assigns = first.text.split_once('=').is_some_and(|(name, _)| is_variable(name));
            if first.text == "-S" || (first.text.starts_with("--split-string")) {
                self.find(Effect::RunsCode, "runs what a wrapper splits from a string");
            }
            if !(first.text.starts_with('-') || number || assigns) {
                break;
            }
            rest = if valued { after.get(1..).unwrap_or_default() } else { after };
        }
        if rest.is_empty() || depth >= MAX_DEPTH {
            return;
        }
        let inner = Command {
            words: rest.to_vec(),
            redirects: Vec::new(),
            pipe: command.pipe,
            fed: command.fed,
            substituted: command.substituted,
        };
        let (program, _) = self.command(&inner, depth + 1);
        if name == "xargs" && program == Some(Program::Shell) {
            self.find(Effect::RunsCode, "runs a shell on what it is fed");
        }
    }

    fn shell(&mut self, name: &str, arguments: &[&str], command: &Command, depth: usize) {
        if matches!(name, "sudo" | "doas" | "su" | "chroot") {
            self.find(Effect::RunsCode, &format!("runs as another user by `{name}`"));
        }
        if command.words.iter().any(|word| word.substituted) && !matches!(name, "sudo" | "doas") {
            self.find(Effect::RunsCode, &format!("gives `{name}` what another command writes"));
        }
        let script = arguments
            .iter()
            .position(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('c'))
            .and_then(|at| arguments.get(at + 1));
        match (name, script) {
            ("sh" | "bash" | "zsh" | "dash" | "ksh" | "ash", Some(script)) if depth < MAX_DEPTH => {
                let inner = Script::of(script);
                self.run(&inner, depth + 1);
            }
            ("sudo" | "doas", _) => {
                let inner = Command {
                    words: command
                        .words
                        .iter()
                        .skip_while(|word| word.text != name && !word.text.ends_with(&format!("/{name}")))
                        .skip(1)
                        .skip_while(|word| word.text.starts_with('-'))
                        .cloned()
                        .collect(),
                    ..Command::default()
                };
                if depth < MAX_DEPTH && !inner.words.is_empty() {
                    drop(self.command(&inner, depth + 1));
                }
            }
            ("exec" | "command", _) if arguments.is_empty() => {}
            _ if command.fed => self.find(Effect::RunsCode, &format!("feeds what another command writes to `{name}`")),
            _ => self.find(Effect::RunsCode, &format!("runs a script by `{name}`")),
        }
    }

    fn started(&mut self, name: &str) {
        let name = shown(name);
        if !self.facts.programs.contains(&name) {
            self.facts.programs.push(name);
        }
    }

    fn find(&mut self, effect: Effect, text: &str) {
        if !self.found.iter().any(|(found, _)| *found == effect) {
            self.found.push((effect, text.to_owned()));
        }
    }
}

fn line(name: &str, arguments: &[&str]) -> String {
    std::iter::once(name).chain(arguments.iter().copied().take(6)).collect::<Vec<_>>().join(" ")
}

/// Whether an option of a wrapper takes the next word as its value.
fn valued(wrapper: &str, option: &str) -> bool {
    let options = match wrapper {
        "xargs" => "-I -n -P -L -d -a -s -E",
        "nice" | "watch" => "-n",
        "env" => "-u -C",
        "timeout" => "-s -k",
        "stdbuf" => "-o -i -e",
        _ => "",
    };
    among(options, option)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
}

const MAX_DEPTH: usize = 6;

#[cfg(test)]
mod tests;
