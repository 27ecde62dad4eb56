//! SMTP as a mail server speaks it, as far as a client that sends one mail can tell.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use super::{Mood, State, Wire};

/// One client, until it says goodbye.
pub(super) fn serve(state: &State, wire: Box<dyn Wire>, raw: &TcpStream) -> io::Result<()> {
    let mut wire = BufReader::new(wire);
    say(&mut wire, "220 mail.example ready")?;
    let (mut text, mut plain) = (Vec::new(), true);
    loop {
        let line = line(&mut wire, &mut text)?;
        match line.split(' ').next().unwrap_or_default() {
            "EHLO" if plain && state.agreed => say(&mut wire, "250-mail.example\r\n250-8BITMIME\r\n250 STARTTLS")?,
            "EHLO" => say(&mut wire, "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN")?,
            "STARTTLS" => {
                say(&mut wire, "220 go on")?;
                plain = false;
                wire = BufReader::new(state.encrypted(raw)?.ok_or(io::ErrorKind::Unsupported)?);
            }
            "AUTH" => say(&mut wire, "235 welcome")?,
            "MAIL" | "RCPT" => say(&mut wire, "250 go on")?,
            "DATA" => {
                say(&mut wire, "354 go on")?;
                while self::line(&mut wire, &mut text)? != "." {}
                state.end(&text, raw, |mood| match mood {
                    Mood::Refuse(status, more) => say(&mut wire, &format!("{status} {more}")),
                    Mood::Take | Mood::Items(_) | Mood::Hang | Mood::Reset => say(&mut wire, "250 taken"),
                })?;
                text.clear();
            }
            "QUIT" => return say(&mut wire, "221 goodbye"),
            _ => say(&mut wire, "502 what?")?,
        }
    }
}

/// One line, which is kept as it arrived.
fn line(wire: &mut BufReader<Box<dyn Wire>>, text: &mut Vec<u8>) -> io::Result<String> {
    let begun = text.len();
    if wire.read_until(b'\n', text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&text[begun..]).trim_end().to_owned())
}

fn say(wire: &mut BufReader<Box<dyn Wire>>, line: &str) -> io::Result<()> {
    write!(wire.get_mut(), "{line}\r\n")?;
    wire.get_mut().flush()
}
