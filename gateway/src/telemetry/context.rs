//! `Remote`: the trace that an agent says its request is part of, as W3C Trace Context writes it.
//!
//! It is a claim. It joins our spans to the agent's, and nothing is decided by it: not even whether a request is traced.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use policies::Value;

/// The trace that an agent says its request is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    pub(super) trace: [u8; 16],
    pub(super) parent: [u8; 8],
    sampled: bool,
    pub(super) state: Option<String>,
}

/// The keys of `_meta`, which stand there without a prefix (SEP-414).
pub(super) const PARENT: &str = "traceparent";
/// See `PARENT`.
pub(super) const STATE: &str = "tracestate";

/// What the specification has everybody carry at least, and nobody here more.
const STATE_BYTES: usize = 512;

/// The most members of a `tracestate`.
const STATE_MEMBERS: usize = 32;

impl Remote {
    /// Reads `_meta`. What is not written as the specification has it is not there: it is neither repaired nor passed on.
    #[must_use]
    pub fn read(meta: &Value) -> Option<Self> {
        let text = |key: &str| meta.get(key).and_then(Value::as_str);
        let mut remote = Self::parse(text(PARENT)?)?;
        remote.state = text(STATE).filter(|state| is_state(state)).map(str::to_owned);
        Some(remote)
    }

    /// `00-TRACE-PARENT-FLAGS`. Later versions may say more, which nobody here knows to be harmless: they start a new trace.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace) = (parts.next()?, digits::<16>(parts.next()?)?);
        let (parent, [flags]) = (digits::<8>(parts.next()?)?, digits::<1>(parts.next()?)?);
        let whole = version == "00" && parts.next().is_none();
        let named = trace != [0; 16] && parent != [0; 8];
        (whole && named).then_some(Self { trace, parent, sampled: flags & 1 == 1, state: None })
    }

    /// What goes on to a tool server where we have no span of our own: the same, written anew.
    #[must_use]
    pub fn carried(&self) -> Vec<(String, String)> {
        carried(&self.trace, &self.parent, self.sampled, self.state.as_deref())
    }
}

pub(super) fn carried(trace: &[u8], parent: &[u8], sampled: bool, state: Option<&str>) -> Vec<(String, String)> {
    let text = format!("00-{}-{}-{:02x}", hex(trace), hex(parent), u8::from(sampled));
    let state = state.map(|state| (STATE.to_owned(), state.to_owned()));
    [(PARENT.to_owned(), text)].into_iter().chain(state).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A text takes what is written to it.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// Lower case alone, as the specification has it: two spellings would be two traces.
fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    if text.len() != 2 * N || !text.bytes().all(lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// A list of `key=value`, no key twice.
fn is_state(text: &str) -> bool {
    let mut keys = BTreeSet::new();
    let members: Vec<&str> =
        text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty()).collect();
    let fits = |member: &&str| match member.split_once('=') {
        Some((key, value)) => is_key(key) && is_value(value) && keys.insert(key.to_owned()),
        None => false,
    };
    text.len() <= STATE_BYTES && (1..=STATE_MEMBERS).contains(&members.len()) && members.iter().all(fits)
}

fn is_key(key: &str) -> bool {
    let first = key.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let other = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    first && key.len() <= 256 && key.bytes().all(other)
}

fn is_value(value: &str) -> bool {
    let printable = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(printable) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use policies::Limits;
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(parent: &str, state: &str) -> Option<Remote> {
        let meta = serde_json::json!({ "traceparent": parent, "tracestate": state }).to_string();
        Remote::read(&Value::parse(meta.as_bytes(), &Limits::REQUEST).unwrap())
    }

    #[test]
    fn what_is_carried_on_is_what_was_read() {
        let remote = read(GOOD, "vendor=a b,x@y=1").unwrap();
        let carried = remote.carried();
        assert_eq!(carried[0], (PARENT.to_owned(), GOOD.to_owned()));
        assert_eq!(carried[1], (STATE.to_owned(), "vendor=a b,x@y=1".to_owned()));
    }

    #[test]
    fn what_is_not_a_trace_is_none() {
        for bad in [
            "",
            "00",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(bad, ""), None, "{bad}");
        }
        for bad in ["", "a", "=1", "a=", "A=1", "a=1,a=2", "a=\u{e9}", "a=b=c", "a=\n", "a=1\n", "a=1,\n"] {
            assert_eq!(read(GOOD, bad).unwrap().state, None, "{bad:?}");
        }
        let long = (0..33).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join(",");
        assert_eq!(read(GOOD, &long).unwrap().state, None);
        assert_eq!(read(GOOD, &format!("a={}", "b".repeat(600))).unwrap().state, None);
    }

    proptest! {
        #[test]
        fn nothing_but_hexadecimal_digits_goes_on_of_a_parent(
            parent in prop_oneof![".{0,80}", "00-[0-9a-f]{32}-[0-9a-f]{16}-0[01].{0,2}"],
            state in prop_oneof![".{0,80}", "[a-c]=[ -~]{0,9},[d-f]@x=[ -~]{1,9}"],
        ) {
            for (key, value) in read(&parent, &state).map(|remote| remote.carried()).unwrap_or_default() {
                prop_assert!(value.is_ascii() && value.len() <= STATE_BYTES);
                if key == PARENT {
                    prop_assert_eq!(value.get(..53), parent.get(..53));
                }
            }
        }
    }
}
