//! `Observed`: what a sandbox saw a call do, to be held against what was declared.

use std::net::IpAddr;

use serde::Serialize;

use crate::outcome::Outcome;

/// How a call ended, and what its sandbox saw.
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen.
    pub observed: Observed,
}

impl From<Outcome> for Ran {
    /// Nothing was seen, since nothing of ours ran it.
    fn from(outcome: Outcome) -> Self {
        Self { outcome, observed: Observed::default() }
    }
}

/// What a sandbox saw a call do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    attempts: Vec<Attempt>,
    /// How many attempts were counted and not kept.
    more: u64,
    undeclared: bool,
}

/// One attempt to reach something over the network, however often it was repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// `dns`, `tcp`, `udp`, `icmp`, `tls`, `http`, `https`, or a protocol's number.
    pub protocol: String,
    /// The name that was asked for, or that the address stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The address that was dialled, by the tool or on its behalf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Method and path of a request that the edge read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Why it was refused; `None` where it was allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// Bytes that the tool sent.
    #[serde(skip_serializing_if = "is_zero")]
    pub sent: u64,
    /// Bytes that the tool was sent.
    #[serde(skip_serializing_if = "is_zero")]
    pub received: u64,
    /// How often.
    pub times: u64,
    /// It was made while no call ran: it is told with the call that came next.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_rest: bool,
}

/// The most attempts that are kept apart. A tool that scans must not fill the log.
const KEPT: usize = 128;

impl Observed {
    /// Adds an attempt; one that was seen before is counted. One that was refused marks the call.
    pub fn add(&mut self, attempt: Attempt) {
        self.undeclared |= attempt.denied.is_some();
        let same = |kept: &&mut Attempt| {
            (&kept.protocol, &kept.host, kept.address, kept.port, &kept.request, &kept.denied, kept.at_rest)
                == (
                    &attempt.protocol,
                    &attempt.host,
                    attempt.address,
                    attempt.port,
                    &attempt.request,
                    &attempt.denied,
                    attempt.at_rest,
                )
        };
        if let Some(kept) = self.attempts.iter_mut().find(same) {
            kept.times += attempt.times;
            kept.sent += attempt.sent;
            kept.received += attempt.received;
        } else if self.attempts.len() < KEPT {
            self.attempts.push(attempt);
        } else {
            self.more += attempt.times;
        }
    }

    /// Adds what was seen in another part of the same call.
    pub fn merge(&mut self, other: Self) {
        self.more += other.more;
        self.undeclared |= other.undeclared;
        other.attempts.into_iter().for_each(|attempt| self.add(attempt));
    }

    /// The attempts, in the order in which they were first made.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// How many attempts were counted and not kept.
    #[must_use]
    pub fn more(&self) -> u64 {
        self.more
    }

    /// How many attempts were refused, of those that were kept apart.
    #[must_use]
    pub fn denied(&self) -> u64 {
        self.attempts.iter().filter(|attempt| attempt.denied.is_some()).map(|attempt| attempt.times).sum()
    }

    /// Whether the tool tried what was not declared.
    #[must_use]
    pub fn undeclared(&self) -> bool {
        self.undeclared
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(port: u16, denied: Option<&str>) -> Attempt {
        Attempt {
            protocol: "tcp".to_owned(),
            host: None,
            address: None,
            port: Some(port),
            request: None,
            denied: denied.map(str::to_owned),
            sent: 1,
            received: 2,
            times: 1,
            at_rest: false,
        }
    }

    #[test]
    fn repetitions_are_counted_and_a_scan_is_bounded() {
        let mut observed = Observed::default();
        (0..3).for_each(|_| observed.add(attempt(443, None)));
        assert_eq!((observed.attempts().len(), observed.attempts()[0].times, observed.attempts()[0].sent), (1, 3, 3));
        assert!(!observed.undeclared());
        (1..=1000).for_each(|port| observed.add(attempt(port, Some("not allowed"))));
        assert_eq!((observed.attempts().len(), observed.more()), (KEPT, 1000 - 127));
        assert!(observed.undeclared());
    }
}
