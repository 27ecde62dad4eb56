//! What stands in the way of using a placement as it is written.

use thiserror::Error;

use super::{Part, Placement, Way};
use crate::profile::{Destination, DestinationError, Protocol};

/// Why a placement cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlacementError {
    /// The destination is none.
    #[error("{0}")]
    Destination(#[from] DestinationError),
    /// The edge cannot read what is sent there.
    #[error("a secret is placed into requests of `https`, or of `http` where that is said, not of `{0}`")]
    NotHttp(Protocol),
    /// What it signs for is spoken to over TLS alone.
    #[error("an AWS signature needs `https`")]
    InTheClear,
    /// A header that no secret can stand in.
    #[error("`{0}` is not a header that a secret can stand in: write its name in small letters")]
    Header(String),
    /// Something that no header may hold.
    #[error("what stands before the secret may hold printable ASCII only")]
    Prefix,
    /// A name that is empty, or cannot be one.
    #[error("`{0}` cannot be a name here")]
    Name(String),
    /// A file at a place that is not its own.
    #[error("`{0}` is not a place for a secret: write a path such as `/run/secrets/token`")]
    File(String),
    /// A variable that no program has, or that changes how programs run.
    #[error("`{0}` is not a variable that can hold a secret")]
    Variable(String),
    /// Two secrets for one place.
    #[error("another secret is placed there already")]
    Twice,
}

impl Placement {
    /// What stands in the way of using it as it is written.
    ///
    /// # Errors
    /// [`PlacementError`], the first there is.
    pub fn check(&self) -> Result<(), PlacementError> {
        if !is_name(&self.secret) {
            return Err(PlacementError::Name(self.secret.clone()));
        }
        if let Some(to) = self.destination() {
            check_destination(to)?;
        }
        match &self.way {
            Way::Edge { to, into, placeholder } => {
                into.check(to)?;
                placeholder.as_deref().map_or(Ok(()), check_variable)
            }
            Way::File { at, .. } => check_file(at),
            Way::Stdin { .. } => Ok(()),
            Way::Environment { name, .. } => check_variable(name),
        }
    }

    /// Whether this one and another cannot both be where they are to be.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        match (&self.way, &other.way) {
            (Way::Edge { to, into, placeholder }, Way::Edge { to: other, into: theirs, placeholder: held }) => {
                (placeholder.is_some() && placeholder == held) || (overlap(to, other) && into.collides(theirs))
            }
            (Way::File { at, .. }, Way::File { at: other, .. }) => at == other,
            (Way::Environment { name, .. }, Way::Environment { name: other, .. }) => name == other,
            (Way::Environment { name, .. }, Way::Edge { placeholder, .. })
            | (Way::Edge { placeholder, .. }, Way::Environment { name, .. }) => placeholder.as_ref() == Some(name),
            // One after the other.
            (Way::Edge { .. } | Way::File { .. } | Way::Stdin { .. } | Way::Environment { .. }, _) => false,
        }
    }
}

/// Whether some request could be meant by both. Where it cannot be told, it could.
fn overlap(one: &Destination, other: &Destination) -> bool {
    let hosts = one.host.holds(&other.host) || other.host.holds(&one.host);
    let ports = one.ports().iter().any(|port| other.ports().contains(port));
    let methods = one.methods.is_empty()
        || other.methods.is_empty()
        || one.methods.iter().any(|method| other.methods.contains(method));
    let path = |path: &String| path.trim_end_matches('*').to_owned();
    let begins = |a: &String, b: &String| path(a).starts_with(&path(b)) || path(b).starts_with(&path(a));
    let paths = one.paths.is_empty()
        || other.paths.is_empty()
        || one.paths.iter().any(|a| other.paths.iter().any(|b| begins(a, b)));
    hosts && one.protocol == other.protocol && ports && methods && paths
}

impl Part {
    fn check(&self, to: &Destination) -> Result<(), PlacementError> {
        let is_name = |name: &String| if is_name(name) { Ok(()) } else { Err(PlacementError::Name(name.clone())) };
        match self {
            Self::Header { name, prefix } | Self::Hmac { header: name, prefix } => {
                check_header(name)?;
                let printable = prefix.bytes().all(|byte| matches!(byte, b' '..=b'~'));
                if printable { Ok(()) } else { Err(PlacementError::Prefix) }
            }
            // A colon would end the name.
            Self::Basic { user } if user.contains(':') || user.chars().any(char::is_control) => {
                Err(PlacementError::Name(user.clone()))
            }
            Self::Basic { .. } => Ok(()),
            Self::Query { name } | Self::Field { name } => is_name(name),
            Self::SigV4 { .. } if to.protocol != Protocol::Https => Err(PlacementError::InTheClear),
            Self::SigV4 { region, service } => {
                let word = |word: &&String| {
                    !word.is_empty() && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                };
                match [region, service].into_iter().find(|part| !word(part)) {
                    Some(part) => Err(PlacementError::Name(part.clone())),
                    None => Ok(()),
                }
            }
        }
    }

    fn collides(&self, other: &Self) -> bool {
        let theirs = other.headers();
        if self.headers().iter().any(|header| theirs.contains(header)) {
            return true;
        }
        match (self, other) {
            (Self::Query { name }, Self::Query { name: other })
            | (Self::Field { name }, Self::Field { name: other }) => name == other,
            _ => false,
        }
    }
}

fn check_destination(to: &Destination) -> Result<(), PlacementError> {
    to.check()?;
    match to.protocol {
        Protocol::Https | Protocol::Http => Ok(()),
        Protocol::Tls | Protocol::Tcp => Err(PlacementError::NotHttp(to.protocol)),
    }
}

/// What decides where a request goes, how long it is or what is answered: none of it is a place for a secret.
const FRAMING: [&str; 14] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
    "proxy-connection",
    "proxy-authorization",
];

fn check_header(name: &str) -> Result<(), PlacementError> {
    let token = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    let usable = !name.is_empty() && name.len() <= 128 && name.bytes().all(token) && !FRAMING.contains(&name);
    if usable { Ok(()) } else { Err(PlacementError::Header(name.to_owned())) }
}

fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Where the system is, and where every program writes.
const TAKEN: [&str; 9] = ["/proc", "/sys", "/dev", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/tmp"];

fn check_file(at: &str) -> Result<(), PlacementError> {
    let below = |taken: &&str| at.strip_prefix(*taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut names = at.strip_prefix('/').unwrap_or_default().split('/');
    let plain = names.clone().count() >= 2 && names.all(|name| !matches!(name, "" | "." | ".."));
    let usable = plain && at.len() <= 256 && !at.chars().any(char::is_control) && !TAKEN.iter().any(below);
    if usable { Ok(()) } else { Err(PlacementError::File(at.to_owned())) }
}

/// Variables by which programs are found, or told what to load.
const POWERFUL: [&str; 8] = ["PATH", "HOME", "TMPDIR", "IFS", "ENV", "BASH_ENV", "NODE_OPTIONS", "PYTHONPATH"];

fn check_variable(name: &str) -> Result<(), PlacementError> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if first && rest && name.len() <= 128 && !POWERFUL.contains(&name) && !name.starts_with("LD_") {
        Ok(())
    } else {
        Err(PlacementError::Variable(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(way: &str) -> Placement {
        serde_json::from_str(&format!(r#"{{"secret":"token","way":{way}}}"#)).unwrap()
    }

    fn edge(to: &str, into: &str) -> Placement {
        placement(&format!(r#"{{"edge":{{"to":{to},"into":{into}}}}}"#))
    }

    #[test]
    fn a_placement_that_could_go_astray_is_refused() {
        let header = |name: &str| edge(r#"{"host":"a.test"}"#, &format!(r#"{{"header":{{"name":"{name}"}}}}"#)).check();
        assert_eq!(header("authorization"), Ok(()));
        for wrong in ["host", "Authorization", "content-length", "", "a b", "connection"] {
            assert!(header(wrong).is_err(), "{wrong}");
        }
        for protocol in ["tls", "tcp"] {
            let to = format!(r#"{{"host":"a.test","ports":[1],"protocol":"{protocol}"}}"#);
            assert!(edge(&to, r#"{"query":{"name":"key"}}"#).check().is_err(), "{protocol}");
        }
        let signed = r#"{"sig-v4":{"region":"eu-west-1","service":"s3"}}"#;
        assert!(edge(r#"{"host":"a.test","protocol":"http"}"#, signed).check().is_err());
        assert!(edge(r#"{"host":"a.test"}"#, signed).check().is_ok());
        for at in ["/", "/token", "run/secrets/x", "/proc/1/x", "/a/../b", "/tmp/x", "/usr/x"] {
            assert!(placement(&format!(r#"{{"file":{{"at":"{at}"}}}}"#)).check().is_err(), "{at}");
        }
        assert!(placement(r#"{"file":{"at":"/run/secrets/x"}}"#).check().is_ok());
        for name in ["PATH", "LD_PRELOAD", "A=B", "1A", ""] {
            assert!(placement(&format!(r#"{{"environment":{{"name":"{name}"}}}}"#)).check().is_err(), "{name}");
        }
    }

    #[test]
    fn two_secrets_in_one_place_are_found() {
        let header = r#"{"header":{"name":"authorization"}}"#;
        let one = edge(r#"{"host":"*.a.test","paths":["/v1/*"]}"#, header);
        assert!(one.collides(&edge(r#"{"host":"x.a.test"}"#, r#"{"basic":{"user":"me"}}"#)));
        assert!(!one.collides(&edge(r#"{"host":"x.a.test","paths":["/v2/*"]}"#, header)));
        assert!(!one.collides(&edge(r#"{"host":"b.test"}"#, header)));
        assert!(!one.collides(&edge(r#"{"host":"x.a.test"}"#, r#"{"query":{"name":"authorization"}}"#)));
    }
}
