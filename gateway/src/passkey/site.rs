//! `Site`: the name that passkeys are made for, by the page's origin.

use url::{Host, Url};

/// An origin that browsers keep passkeys for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    origin: Url,
    name: String,
}

impl Site {
    /// The site of a page of ours; `None` where it is reached by an address, or a name without TLS: browsers have no passkeys
    /// there.
    #[must_use]
    pub fn of(origin: &str) -> Option<Self> {
        let origin = Url::parse(origin).ok()?;
        let Some(Host::Domain(name)) = origin.host() else { return None };
        let secure = origin.scheme() == "https" || (origin.scheme() == "http" && name == "localhost");
        let name = name.to_owned();
        secure.then_some(Self { origin, name })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The page's origin.
    #[must_use]
    pub fn origin(&self) -> &Url {
        &self.origin
    }

    /// The origin as a browser writes it into what is signed.
    #[must_use]
    pub fn written(&self) -> String {
        self.origin.origin().ascii_serialization()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_names_that_a_browser_keeps_them_for() {
        let name = |origin| Site::of(origin).map(|site| (site.name().to_owned(), site.written()));
        for (origin, site) in [
            ("http://localhost:7733", Some("localhost")),
            ("https://localhost:7733", Some("localhost")),
            ("https://portcullis.example.com:7733", Some("portcullis.example.com")),
            ("https://portcullis.example.com", Some("portcullis.example.com")),
            ("http://portcullis.example.com:7733", None),
            ("http://127.0.0.1:7733", None),
            ("http://[::1]:7733", None),
            ("https://192.0.2.7", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(name(origin), site.map(|site| (site.to_owned(), origin.to_owned())), "{origin}");
        }
    }
}
