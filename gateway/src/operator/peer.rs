//! `Peers`: who is at the other end of the operators' socket, as the kernel says.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;

use policies::OperatorId;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use thiserror::Error;

/// Whom the operators' socket serves.
#[derive(Clone, Debug)]
pub struct Peers {
    admitted: BTreeSet<u32>,
    names: BTreeMap<u32, OperatorId>,
}

/// Why a peer is turned away.
#[derive(Debug, Error)]
pub enum PeerError {
    /// The kernel does not say who it is.
    #[error("the kernel does not say who connects")]
    Nameless(#[source] io::Error),
    /// It is someone else.
    #[error("uid {uid} is not an operator")]
    Stranger {
        /// Who.
        uid: u32,
    },
}

impl Peers {
    /// The gateway's own user, root, and these.
    #[must_use]
    pub fn new(uids: &[u32]) -> Self {
        let own = geteuid().as_raw();
        let admitted = uids.iter().copied().chain([0, own]).collect();
        // A missing or unreadable file leaves numbers for names.
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self { admitted, names: names(&accounts) }
    }

    /// Nobody, so that operators alone are served.
    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self { admitted: BTreeSet::new(), names: BTreeMap::new() }
    }

    /// The user who connected.
    ///
    /// # Errors
    /// [`PeerError`] if it cannot be told.
    pub fn uid(socket: impl AsFd) -> Result<u32, PeerError> {
        let peer = socket_peercred(socket).map_err(|error| PeerError::Nameless(error.into()))?;
        Ok(peer.uid.as_raw())
    }

    /// Whether this is the gateway's own user, root, or one that the config names.
    #[must_use]
    pub fn admits(&self, uid: u32) -> bool {
        self.admitted.contains(&uid)
    }

    /// Whether the config names other users than the gateway's own and root.
    #[must_use]
    pub fn are_elsewhere(&self) -> bool {
        let own = geteuid().as_raw();
        self.admitted.iter().any(|uid| *uid != 0 && *uid != own)
    }

    /// The gateway's own user: who it is when a command works on the log without a gateway.
    #[must_use]
    pub fn own(&self) -> OperatorId {
        self.name(geteuid().as_raw())
    }

    /// The different people who can answer, as far as the socket can tell; root is a role, not a further person.
    #[must_use]
    pub fn people(&self) -> Vec<OperatorId> {
        let own = geteuid().as_raw();
        self.admitted.iter().filter(|uid| **uid != 0 || own == 0).map(|uid| self.name(*uid)).collect()
    }

    /// The user's name, where it says exactly who it is; else the number.
    #[must_use]
    pub fn name(&self, uid: u32) -> OperatorId {
        self.names.get(&uid).cloned().unwrap_or_else(|| OperatorId::authenticated(&format!("uid:{uid}")))
    }
}

/// `uid:NAME` for every user whose name says exactly who it is. Names that differ in case only, or that two users share,
/// would let one person count as two or two as one: those keep their number.
fn names(accounts: &str) -> BTreeMap<u32, OperatorId> {
    let mut names: BTreeMap<u32, OperatorId> = BTreeMap::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (uid, name) in accounts.lines().filter_map(account) {
        *seen.entry(name.to_ascii_lowercase()).or_default() += 1;
        // The first line of a uid names it, as for the C library.
        if let Ok(name) = OperatorId::parse(&format!("uid:{name}")) {
            names.entry(uid).or_insert(name);
        }
    }
    names.retain(|_, operator| {
        let name = operator.as_str().strip_prefix("uid:").unwrap_or_default();
        // A user called `1000` must not pass for the number.
        !name.bytes().all(|byte| byte.is_ascii_digit()) && seen.get(&name.to_ascii_lowercase()) == Some(&1)
    });
    names
}

fn account(line: &str) -> Option<(u32, &str)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let uid = fields.nth(1)?.parse().ok()?;
    Some((uid, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_used_only_where_it_names_one_user() {
        let names = names(concat!(
            "root:x:0:0:root:/root:/bin/sh\n",
            "ann:x:1000:1000::/home/ann:/bin/sh\n",
            "alias:x:1000:1000::/home/ann:/bin/sh\n",
            "bob:x:1001:1001::/:/bin/sh\n",
            "Bob:x:1002:1002::/:/bin/sh\n",
            "1003:x:1004:1004::/:/bin/sh\n",
            "with space:x:1005:1005::/:/bin/sh\n",
            "broken\n",
        ));
        let names: Vec<_> = names.iter().map(|(uid, name)| (*uid, name.as_str())).collect();
        assert_eq!(names, [(0, "uid:root"), (1000, "uid:ann")]);
    }

    #[test]
    fn our_own_user_is_admitted_and_named() {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let peers = Peers::new(&[]);
        let uid = Peers::uid(&ours).unwrap();
        assert!(peers.admits(uid));
        assert_eq!(peers.name(uid), peers.own());
    }

    #[test]
    fn a_stranger_is_turned_away() {
        let peers = Peers::nobody();
        assert!(!peers.admits(0) && !Peers::new(&[]).admits(4711));
    }
}
