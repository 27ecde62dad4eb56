//! A hostile server behind stdin and stdout.

use std::io::{self, BufRead as _, Write as _};
use std::process::abort;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Act, Hostile, Mode};

/// Serves until stdin ends, or as its mode has it.
///
/// # Errors
/// When stdin fails.
pub fn serve_stdio(hostile: Hostile) -> io::Result<()> {
    let hostile = Arc::new(hostile);
    if hostile.mode == Mode::Dead {
        abort();
    } else if hostile.mode == Mode::Loud {
        drop(thread::spawn(shout));
    } else if hostile.mode == Mode::RugPull {
        let hostile = Arc::clone(&hostile);
        drop(thread::spawn(move || announce(&hostile)));
    }
    for line in io::stdin().lock().lines() {
        let line = line?;
        if !line.contains(r#""id""#) {
            continue; // a notification
        }
        let hostile = Arc::clone(&hostile);
        drop(thread::spawn(move || perform(hostile.answer(&line))));
    }
    Ok(())
}

fn perform(act: Act) {
    match act {
        Act::Say(line) => say(&format!("{line}\n")),
        Act::Hang => {}
        Act::Exit => abort(),
        Act::Flood => loop {
            say(&format!("{}\n", "flood ".repeat(10_000)));
        },
        Act::Drip(line) => {
            for byte in line.chars() {
                say(&byte.to_string());
                thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

/// Tells the client that the tools changed, once they have.
fn announce(hostile: &Hostile) {
    while !hostile.turned() {
        thread::sleep(Duration::from_millis(50));
    }
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n");
}

fn shout() {
    while writeln!(io::stderr(), "{}", "shout ".repeat(1_000)).is_ok() {}
}

fn say(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        abort(); // the reader is gone
    }
}
