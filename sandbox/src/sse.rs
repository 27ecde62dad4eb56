//! Server-sent events, decoded from any chunking in bounded memory.

use std::collections::VecDeque;
use std::time::Duration;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// Its data; empty for one that only carries an id.
    pub(crate) data: Vec<u8>,
    /// Its id.
    pub(crate) id: Option<String>,
    /// How long to wait before coming back.
    pub(crate) retry: Option<Duration>,
}

/// An event, or a line, was longer than allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Turns bytes into events, by the WHATWG's event stream interpretation.
pub(crate) struct Decoder {
    limit: usize,
    line: Vec<u8>,
    event: SseEvent,
    has_data: bool,
    after_cr: bool,
    at_start: bool,
}

/// An id is echoed in a header.
const MAX_ID: usize = 1024;

impl Decoder {
    /// `limit` bounds one event's bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), event: SseEvent::default(), has_data: false, after_cr: false, at_start: true }
    }

    /// Reads on.
    ///
    /// # Errors
    /// [`TooLarge`], after which the decoder is of no use.
    pub(crate) fn feed(&mut self, mut chunk: &[u8], events: &mut VecDeque<SseEvent>) -> Result<(), TooLarge> {
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', chunk) {
            let (line, rest) = chunk.split_at(end);
            self.hold(line)?;
            self.line_ends(events)?;
            self.after_cr = rest == b"\r";
            chunk = match rest {
                [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
                [] => &[],
            };
        }
        self.hold(chunk)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + bytes.len() > self.limit + LONGEST_NAME {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn line_ends(&mut self, events: &mut VecDeque<SseEvent>) -> Result<(), TooLarge> {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.at_start) && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        if line.is_empty() {
            self.dispatch(events);
        } else {
            self.field(&line)?;
        }
        line.clear();
        self.line = line; // its memory serves the next line
        Ok(())
    }

    fn dispatch(&mut self, events: &mut VecDeque<SseEvent>) {
        let event = std::mem::take(&mut self.event);
        self.has_data = false;
        if event != SseEvent::default() {
            events.push_back(event);
        }
    }

    fn field(&mut self, line: &[u8]) -> Result<(), TooLarge> {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.data(value)?,
            b"id" => self.id(value),
            b"retry" => self.retry(value),
            _ => {} // comments, `event` and what the specification does not know
        }
        Ok(())
    }

    fn data(&mut self, value: &[u8]) -> Result<(), TooLarge> {
        if self.event.data.len() + value.len() + 1 > self.limit + LONGEST_NAME {
            return Err(TooLarge);
        }
        if self.has_data {
            self.event.data.push(b'\n');
        }
        self.has_data = true;
        self.event.data.extend_from_slice(value);
        Ok(())
    }

    fn id(&mut self, value: &[u8]) {
        let printable = value.iter().all(|byte| matches!(byte, 0x20..=0x7e));
        if printable && !value.is_empty() && value.len() <= MAX_ID {
            self.event.id = std::str::from_utf8(value).ok().map(str::to_owned);
        }
    }

    fn retry(&mut self, value: &[u8]) {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| digits);
        self.event.retry = text.and_then(|text| text.parse().ok()).map(Duration::from_millis);
    }
}

/// `data: ` and the like come on top of the limit.
const LONGEST_NAME: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<SseEvent> {
        let (mut decoder, mut events) = (Decoder::new(1000), VecDeque::new());
        chunks.into_iter().for_each(|chunk| decoder.feed(chunk, &mut events).unwrap());
        events.into()
    }

    const STREAM: &[u8] = b"\xef\xbb\xbf: hello\r\n\r\nevent: message\rid: 7\rretry: 250\rdata: {\"a\":\r\ndata:1}\r\n\r\nid: 8\ndata\n\ndata: \xc3\xa4\n\ndata: unfinished";

    #[test]
    fn events_are_the_same_however_they_arrive() {
        let whole = decode([STREAM]);
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0].data, b"{\"a\":\n1}");
        assert_eq!((whole[0].id.as_deref(), whole[0].retry), (Some("7"), Some(Duration::from_millis(250))));
        assert_eq!((whole[1].data.as_slice(), whole[1].id.as_deref()), (&b""[..], Some("8")));
        assert_eq!(whole[2].data, "ä".as_bytes());
        for size in 1..STREAM.len() {
            assert_eq!(decode(STREAM.chunks(size)), whole, "in chunks of {size}");
        }
    }

    #[test]
    fn a_line_and_an_event_are_bounded() {
        let feed = |text: &[u8]| Decoder::new(100).feed(text, &mut VecDeque::new());
        assert_eq!(feed(&[b'x'; 200]), Err(TooLarge));
        assert_eq!(feed(&b"data: 0123456789\n".repeat(20)), Err(TooLarge));
        assert_eq!(feed(&b": 0123456789\n".repeat(20)), Ok(()));
    }

    #[test]
    fn an_id_that_no_header_can_carry_is_no_id() {
        assert_eq!(decode([&b"id: a\x00b\ndata: x\n\n"[..]])[0].id, None);
        assert_eq!(decode([&b"retry: 1x\ndata: x\n\n"[..]])[0].retry, None);
    }
}
