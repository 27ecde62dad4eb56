//! A command line as its simple commands, the way a POSIX shell would take it apart.

use std::iter::Peekable;
use std::str::Chars;

use crate::facts::words::among;

/// Everything that a line would start.
#[derive(Debug, Default)]
pub(in crate::facts) struct Script {
    pub(in crate::facts) commands: Vec<Command>,
    /// Whether every word was understood; what was not may do anything.
    pub(in crate::facts) whole: bool,
}

/// One program with its words.
#[derive(Debug, Default)]
pub(in crate::facts) struct Command {
    pub(in crate::facts) words: Vec<Word>,
    pub(in crate::facts) redirects: Vec<Redirect>,
    /// Commands of one number are one pipe.
    pub(in crate::facts) pipe: usize,
    /// Whether it reads what another command of its pipe writes.
    pub(in crate::facts) fed: bool,
    /// Whether its output becomes part of another command.
    pub(in crate::facts) substituted: bool,
}

/// A word, unquoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::facts) struct Word {
    pub(in crate::facts) text: String,
    /// Whether a variable or another command has a say in it.
    pub(in crate::facts) dynamic: bool,
    /// Whether another command's output becomes part of it.
    pub(in crate::facts) substituted: bool,
    /// Whether some of it was quoted: it is no keyword then.
    quoted: bool,
}

/// Where a command's input comes from or its output goes.
#[derive(Debug)]
pub(in crate::facts) struct Redirect {
    pub(in crate::facts) writes: bool,
    pub(in crate::facts) appends: bool,
    pub(in crate::facts) to: Word,
}

impl Script {
    /// Takes a line apart. Always ends, in time linear in the line.
    pub(in crate::facts) fn of(line: &str) -> Self {
        let mut script = Self { commands: Vec::new(), whole: line.len() <= MAX_LINE };
        let mut pipes = 0;
        let line = line.get(..line.floor_char_boundary(MAX_LINE)).unwrap_or_default();
        Parser {
            rest: line.chars().peekable(),
            script: &mut script,
            pipes: &mut pipes,
            depth: 0,
            substituted: false,
            documents: Vec::new(),
        }
        .parse();
        script
    }

    /// A program and its arguments that no shell takes apart.
    pub(in crate::facts) fn of_words<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let words = words
            .take(MAX_WORDS)
            .map(|text| Word { text: text.to_owned(), dynamic: false, substituted: false, quoted: true })
            .collect();
        Self { commands: vec![Command { words, ..Command::default() }], whole: true }
    }
}

struct Parser<'a, 'b> {
    rest: Peekable<Chars<'a>>,
    script: &'b mut Script,
    pipes: &'b mut usize,
    depth: usize,
    substituted: bool,
    /// Here-documents announced on this line: the word that ends each, and whether it was quoted.
    documents: Vec<(String, bool)>,
}

impl Parser<'_, '_> {
    fn parse(&mut self) {
        let mut command = Command::default();
        let mut fed = false;
        *self.pipes += 1;
        while let Some(letter) = self.rest.peek().copied() {
            match letter {
                ' ' | '\t' | '\r' => {
                    self.rest.next();
                }
                '#' => while self.rest.next_if(|letter| *letter != '\n').is_some() {},
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    let pipe = self.operator(letter, &mut command);
                    if let Some(pipe) = pipe {
                        self.end(&mut command, fed);
                        fed = pipe;
                        if !pipe {
                            *self.pipes += 1;
                        }
                    }
                }
                '<' | '>' => self.redirect(&mut command),
                _ => {
                    let word = self.word();
                    let descriptor = matches!(self.rest.peek(), Some('<' | '>'))
                        && !word.quoted
                        && word.text.bytes().all(|byte| byte.is_ascii_digit());
                    if !descriptor {
                        command.words.push(word);
                    }
                    if command.words.len() > MAX_WORDS {
                        self.script.whole = false;
                        return;
                    }
                }
            }
            if self.script.commands.len() > MAX_COMMANDS {
                self.script.whole = false;
                return;
            }
        }
        self.end(&mut command, fed);
    }

    /// Takes an operator: whether the command before it ends, and if so, whether it feeds the next.
    fn operator(&mut self, letter: char, command: &mut Command) -> Option<bool> {
        self.rest.next();
        match letter {
            '|' => {
                if self.rest.next_if_eq(&'|').is_some() {
                    return Some(false);
                }
                let _ = self.rest.next_if_eq(&'&');
                Some(true)
            }
            '&' if self.rest.peek() == Some(&'>') => {
                self.redirect(command);
                None
            }
            '&' => {
                let _ = self.rest.next_if_eq(&'&');
                Some(false)
            }
            '(' => {
                // `name()` defines a function: what it does shows only when it is called.
                if !command.words.is_empty() {
                    self.script.whole = false;
                }
                Some(false)
            }
            '\n' => {
                self.skip_documents();
                Some(false)
            }
            _ => Some(false),
        }
    }

    fn end(&mut self, command: &mut Command, fed: bool) {
        let mut done = std::mem::take(command);
        while done.words.first().is_some_and(|word| !word.quoted && among(KEYWORDS, &word.text)) {
            done.words.remove(0);
        }
        let first = done.words.first().map(|word| word.text.as_str()).unwrap_or_default();
        match first {
            "case" | "function" | "select" | "coproc" | "trap" => self.script.whole = false,
            // `for x in a b c`: the words are data.
            "for" => done.words.clear(),
            _ => {}
        }
        if !(done.words.is_empty() && done.redirects.is_empty()) {
            (done.pipe, done.fed, done.substituted) = (*self.pipes, fed, self.substituted);
            self.script.commands.push(done);
        }
    }

    fn redirect(&mut self, command: &mut Command) {
        let Some(first) = self.rest.next() else { return };
        let mut signs = String::from(first);
        while let Some(next) = self.rest.next_if(|letter| matches!(letter, '<' | '>' | '&' | '|')) {
            signs.push(next);
        }
        if matches!(self.rest.peek(), Some('(')) && (signs == "<" || signs == ">") {
            self.rest.next();
            let inner = self.bracketed();
            self.nested(&inner);
            command.words.push(Word { text: "/dev/fd/63".to_owned(), dynamic: true, substituted: true, quoted: true });
            return;
        }
        let dash = signs == "<<" && self.rest.next_if_eq(&'-').is_some();
        while self.rest.next_if(|letter| matches!(letter, ' ' | '\t')).is_some() {}
        let to = self.word();
        if signs == "<<" || dash {
            self.documents.push((to.text, to.quoted));
        } else if signs == "<<<" {
            command.fed = true;
        } else if !(to.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && signs.ends_with('&')) {
            command.redirects.push(Redirect { writes: signs.contains('>'), appends: signs.contains(">>"), to });
        }
    }

    /// A word with its quotes taken off; what it substitutes is parsed as commands of its own.
    fn word(&mut self) -> Word {
        let mut word = Word::default();
        while let Some(letter) = self.rest.peek().copied() {
            match letter {
                ' ' | '\t' | '\n' | '\r' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    self.rest.next();
                    word.quoted = true;
                    let mut closed = false;
                    for inner in self.rest.by_ref() {
                        if inner == '\'' {
                            closed = true;
                            break;
                        }
                        word.text.push(inner);
                    }
                    self.script.whole &= closed;
                }
                '"' => self.double_quoted(&mut word),
                '\\' => {
                    self.rest.next();
                    word.quoted = true;
                    match self.rest.next() {
                        Some('\n') | None => {}
                        Some(escaped) => word.text.push(escaped),
                    }
                }
                '$' | '`' => self.dollar(&mut word),
                _ => {
                    self.rest.next();
                    word.text.push(letter);
                }
            }
        }
        word
    }

    fn double_quoted(&mut self, word: &mut Word) {
        self.rest.next();
        word.quoted = true;
        loop {
            match self.rest.peek().copied() {
                None => {
                    self.script.whole = false;
                    return;
                }
                Some('"') => {
                    self.rest.next();
                    return;
                }
                Some('$' | '`') => self.dollar(word),
                Some('\\') => {
                    self.rest.next();
                    match self.rest.next() {
                        Some(escaped @ ('"' | '\\' | '$' | '`')) => word.text.push(escaped),
                        Some('\n') | None => {}
                        Some(other) => word.text.extend(['\\', other]),
                    }
                }
                Some(letter) => {
                    self.rest.next();
                    word.text.push(letter);
                }
            }
        }
    }

    fn dollar(&mut self, word: &mut Word) {
        let first = self.rest.next();
        if first == Some('`') {
            let inner: String = self.until('`');
            (word.dynamic, word.substituted) = (true, true);
            self.nested(&inner);
            return;
        }
        match self.rest.peek().copied() {
            Some('(') => {
                self.rest.next();
                let inner = self.bracketed();
                word.dynamic = true;
                // `$((1 + 2))` is arithmetic, which may substitute in turn.
                match inner.strip_prefix('(') {
                    Some(sum) if !sum.contains(['$', '`']) => word.text.push('0'),
                    Some(_) => self.script.whole = false,
                    None => {
                        word.substituted = true;
                        self.nested(&inner);
                    }
                }
            }
            Some('{') => {
                self.rest.next();
                let inner = self.until('}');
                self.script.whole &= !inner.contains("$(") && !inner.contains('`');
                word.dynamic = true;
                word.text.push_str("${");
                word.text.push_str(&inner);
                word.text.push('}');
            }
            // `$'…'` holds escapes such as `\x72\x6d`.
            Some('\'') => {
                self.rest.next();
                let inner = self.until('\'');
                self.script.whole &= !inner.contains('\\')
                    || inner.split('\\').skip(1).all(|after| after.starts_with(['n', 't', '\'', '\\']));
                word.text.push_str(&inner);
            }
            Some(letter) if letter.is_ascii_alphanumeric() || "_?@*#$!-".contains(letter) => {
                word.dynamic = true;
                word.text.push('$');
            }
            _ => word.text.push('$'),
        }
    }

    fn until(&mut self, end: char) -> String {
        let mut inner = String::new();
        for letter in self.rest.by_ref() {
            if letter == end {
                return inner;
            }
            inner.push(letter);
        }
        self.script.whole = false;
        inner
    }

    /// What stands up to the bracket that closes, quotes respected.
    fn bracketed(&mut self) -> String {
        let (mut inner, mut open, mut quote) = (String::new(), 1u32, None);
        while let Some(letter) = self.rest.next() {
            match (quote, letter) {
                (None, '(') => open += 1,
                (None, ')') => open -= 1,
                (None, '\'' | '"') => quote = Some(letter),
                (Some(begun), _) if begun == letter => quote = None,
                (_, '\\') => {
                    inner.push(letter);
                    inner.extend(self.rest.next());
                    continue;
                }
                _ => {}
            }
            if open == 0 {
                return inner;
            }
            inner.push(letter);
        }
        self.script.whole = false;
        inner
    }

    fn nested(&mut self, inner: &str) {
        if self.depth >= MAX_NESTING {
            self.script.whole = false;
            return;
        }
        let mut parser = Parser {
            rest: inner.chars().peekable(),
            script: &mut *self.script,
            pipes: &mut *self.pipes,
            depth: self.depth + 1,
            substituted: true,
            documents: Vec::new(),
        };
        parser.parse();
    }

    /// Skips the texts of here-documents; one that may substitute is not understood.
    fn skip_documents(&mut self) {
        for (end, quoted) in std::mem::take(&mut self.documents) {
            loop {
                let line: String = {
                    let mut line = String::new();
                    for letter in self.rest.by_ref() {
                        if letter == '\n' {
                            break;
                        }
                        line.push(letter);
                    }
                    line
                };
                if line.trim() == end || (line.is_empty() && self.rest.peek().is_none()) {
                    break;
                }
                self.script.whole &= quoted || !(line.contains("$(") || line.contains('`'));
            }
        }
    }
}

const KEYWORDS: &str = "if then else elif fi while until do done { } ! time esac in";

/// Longer lines are programs, and programs are not judged by their words.
const MAX_LINE: usize = 16 * 1024;
const MAX_COMMANDS: usize = 128;
const MAX_WORDS: usize = 1_024;
const MAX_NESTING: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        Script::of(line)
            .commands
            .iter()
            .map(|command| command.words.iter().map(|word| word.text.clone()).collect())
            .collect()
    }

    #[test]
    fn lines_come_apart_as_a_shell_takes_them() {
        assert_eq!(words("ls -l 'a b' \"c\\\"d\" e\\ f"), [vec!["ls", "-l", "a b", "c\"d", "e f"]]);
        assert_eq!(words("a; b && c || d | e &"), [["a"], ["b"], ["c"], ["d"], ["e"]]);
        assert_eq!(words("r\"\"m -r'f' x"), [vec!["rm", "-rf", "x"]]);
        assert_eq!(words("echo $(rm x) `id`"), [vec!["rm", "x"], vec!["id"], vec!["echo", "", ""]]);
        assert_eq!(words("(cd a; rm b)"), [vec!["cd", "a"], vec!["rm", "b"]]);
        assert_eq!(words("if true; then rm x; fi"), [vec!["true"], vec!["rm", "x"]]);
        assert_eq!(words("cat <<'E' > f\nrm x\nE\nls"), [vec!["cat"], vec!["ls"]]);
        assert_eq!(words("diff <(sort a) b 2>&1"), [vec!["sort", "a"], vec!["diff", "/dev/fd/63", "b"]]);
        assert_eq!(words("a # b"), [["a"]]);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for line in [
            "echo 'a",
            "echo \"a",
            "f() { rm x; }; f",
            "echo $'\\x72\\x6d'",
            "case a in a) rm x;; esac",
            "echo $((`id`))",
            "echo ${x:-$(id)}",
            "echo $(a",
        ] {
            assert!(!Script::of(line).whole, "{line}");
        }
        for line in ["echo a", "echo $((1 + 2))", "echo $HOME", "a | b"] {
            assert!(Script::of(line).whole, "{line}");
        }
    }

    #[test]
    fn hostile_lines_end() {
        for line in [
            "$(".repeat(8_000),
            "`".repeat(8_001),
            "(".repeat(16_000),
            "<<a ".repeat(4_000),
            ";".repeat(16_000),
            "a|".repeat(8_000),
            "\"$(".repeat(4_000),
            "{".repeat(90_000),
        ] {
            drop(Script::of(&line));
        }
    }
}
