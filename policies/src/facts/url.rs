//! Addresses: where they lead, in whatever spelling, and what they carry out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::Zone;

/// An address as an HTTP client would read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) scheme: String,
    /// The host as the URL parser writes it; empty where there is none.
    pub(super) host: String,
    pub(super) zone: Zone,
    /// Whether it carries what looks like data rather than a question.
    pub(super) carries: bool,
    /// Whether a password stands in it.
    pub(super) password: bool,
    /// Whether it asks anything (`?…`).
    pub(super) asks: bool,
}

impl Address {
    /// What an address means; `None` where no client would take it for one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_URL {
            return None;
        }
        let url = Url::parse(text)
            .ok()
            .or_else(|| text.starts_with("//").then(|| Url::parse(&format!("http:{text}")).ok()).flatten())?;
        let host =
            url.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let mut zone = match url.host() {
            Some(Host::Ipv4(ip)) => of_ip(ip.into()),
            Some(Host::Ipv6(ip)) => of_ip(ip.into()),
            Some(Host::Domain(domain)) => of_name(domain),
            None => Zone::Public,
        };
        // An open redirect or a proxy in front: the address behind counts as much.
        if zone != Zone::Metadata && nested(&url) {
            zone = Zone::Metadata;
        }
        Some(Self {
            scheme: url.scheme().to_owned(),
            host,
            zone,
            carries: carries(&url),
            password: url.password().is_some(),
            asks: url.query().is_some(),
        })
    }

    /// What a bare host means.
    pub(super) fn of_host(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(inside, _)| inside);
        let (host, zone) = if let Ok(ip) = bare.parse::<IpAddr>() {
            (ip.to_string(), of_ip(ip))
        } else {
            let url = Url::parse(&format!("http://{text}/")).ok()?;
            let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
            return (!host.is_empty()).then(|| Self::parse(&format!("http://{text}/"))).flatten();
        };
        Some(Self { scheme: String::new(), host, zone, carries: false, password: false, asks: false })
    }

    /// Whether the scheme is the web's.
    pub(super) fn is_web(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https" | "ws" | "wss" | "")
    }
}

/// Where an address lies.
pub(super) fn of_ip(ip: IpAddr) -> Zone {
    match ip {
        IpAddr::V4(ip) => of_ipv4(ip),
        IpAddr::V6(ip) => of_ipv6(ip),
    }
}

fn of_ipv4(ip: Ipv4Addr) -> Zone {
    let [a, b, c, d] = ip.octets();
    match (a, b, c, d) {
        // AWS, Azure, Google, DigitalOcean, ECS and EKS; Alibaba; Oracle; Azure's wire server.
        (169, 254, 169 | 170, _) | (100, 100, 100, 200) | (192, 0, 0, 192) | (168, 63, 129, 16) => Zone::Metadata,
        (127 | 0, ..) => Zone::Loopback,
        _ if ip.is_private()
            || ip.is_link_local()
            || ip.is_broadcast()
            || ip.is_multicast()
            || (a == 100 && (64..128).contains(&b)) =>
        {
            Zone::Private
        }
        _ => Zone::Public,
    }
}

fn of_ipv6(ip: Ipv6Addr) -> Zone {
    let groups = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        of_ipv4(Ipv4Addr::new(a, b, c, d))
    };
    match groups {
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254 | 0x23] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254] => Zone::Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Zone::Loopback,
        // Mapped, compatible and translated addresses of IPv4, NAT64, and 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x0064, 0xff9b, .., high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        [first, ..] if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 || first & 0xff00 == 0xff00 => {
            Zone::Private
        }
        _ => Zone::Public,
    }
}

/// Where a name leads, as far as it shows without asking a resolver.
fn of_name(name: &str) -> Zone {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let below = |suffix: &str| name == suffix || name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    if METADATA_NAMES.split_ascii_whitespace().any(below) || name == "metadata" || name == "instance-data" {
        return Zone::Metadata;
    }
    if below("localhost")
        || below("localtest.me")
        || below("lvh.me")
        || name == "ip6-localhost"
        || below("localhost.localdomain")
    {
        return Zone::Loopback;
    }
    if let Ok(ip) = name.parse::<IpAddr>() {
        return of_ip(ip);
    }
    // Names that resolve to the address they hold.
    if ["nip.io", "sslip.io", "xip.io", "1u.ms", "rbndr.us"].iter().any(|service| below(service)) {
        return held(&name).map_or(Zone::Private, of_ipv4);
    }
    // A name without a dot, or below these, is one of the network around.
    if !name.contains('.')
        || ["local", "internal", "lan", "intranet", "corp", "home.arpa", "svc", "cluster.local", "localdomain"]
            .iter()
            .any(|suffix| below(suffix))
    {
        return Zone::Private;
    }
    Zone::Public
}

const METADATA_NAMES: &str = "metadata.google.internal metadata.goog instance-data.ec2.internal metadata.azure.internal metadata.azure.com \
    metadata.packet.net metadata.tencentyun.com metadata.platformequinix.com";

/// The IPv4 address in a name such as `a.169-254-169-254.nip.io` or `a9fea9fe.nip.io`.
fn held(name: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u8> = name.split(['.', '-']).filter_map(|part| part.parse().ok()).collect();
    let hexed =
        name.split(['.', '-']).find_map(|part| (part.len() == 8).then(|| u32::from_str_radix(part, 16).ok()).flatten());
    match (numbers.last_chunk::<4>(), hexed) {
        (Some([a, b, c, d]), _) => Some(Ipv4Addr::new(*a, *b, *c, *d)),
        (None, Some(bits)) => Some(Ipv4Addr::from_bits(bits)),
        (None, None) => None,
    }
}

/// Whether one of the values asked with leads to a metadata service.
fn nested(url: &Url) -> bool {
    let behind = |text: &str| {
        let parsed = Url::parse(text)
            .ok()
            .or_else(|| text.starts_with("//").then(|| Url::parse(&format!("http:{text}")).ok()).flatten());
        parsed.is_some_and(|inner| match inner.host() {
            Some(Host::Ipv4(ip)) => of_ip(ip.into()) == Zone::Metadata,
            Some(Host::Ipv6(ip)) => of_ip(ip.into()) == Zone::Metadata,
            Some(Host::Domain(name)) => of_name(name) == Zone::Metadata,
            None => false,
        })
    };
    let mut asked = url.query_pairs();
    let path = url.path().trim_start_matches('/');
    asked.any(|(_, value)| behind(&value))
        || (path.starts_with("http") && behind(path))
        || url.fragment().is_some_and(behind)
}

/// Whether the address holds a value that is data: long and dense, or text in base64.
fn carries(url: &Url) -> bool {
    let signed = |key: &str| {
        let key = key.to_ascii_lowercase();
        key.starts_with("x-amz-")
            || key.starts_with("x-goog-")
            || matches!(key.as_str(), "signature" | "sig" | "policy" | "se" | "sv")
    };
    let in_query = url.query_pairs().any(|(key, value)| !signed(&key) && (data(&value) || data(&key)));
    let in_path = url.path_segments().is_some_and(|mut parts| parts.any(data));
    let in_host =
        url.host_str().is_some_and(|host| host.split('.').any(|label| label.len() >= 32 && dense(label, 3.0)));
    let in_query_length = url.query().is_some_and(|query| query.len() > 1_500);
    in_query || in_path || in_host || in_query_length || url.fragment().is_some_and(data)
}

fn data(value: &str) -> bool {
    let text = value.get(..value.floor_char_boundary(2_048)).unwrap_or_default();
    let encoded = text.len() >= 24 && !text.contains(' ') && super::secret::base64_text(text);
    let hexed = text.len() >= 80 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    encoded
        || hexed
        || (text.len() >= 80
            && !text.contains(' ')
            && text.bytes().filter(|byte| *byte == b'-' || *byte == b'_').count() < 6
            && dense(text, 4.2))
        || text.len() > 600
}

/// Whether a text has more bits a byte than words have.
fn dense(text: &str, bits: f64) -> bool {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum();
    entropy > bits
}

pub(super) const MAX_URL: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_metadata_address_is_one() {
        for url in [
            "http://169.254.169.254/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0xA9.0xFE.0xA9.0xFE/x",
            "http://0251.0376.0251.0376/",
            "http://169.254.43518/",
            "http://169.16689662/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[fd00:ec2::254]/",
            "http://metadata.google.internal./",
            "http://METADATA.google.internal",
            "http://100.100.100.200/",
            "http://169.254.170.2/v2/credentials",
            "http://user@169.254.169.254/",
            "http://example.com@169.254.169.254/",
            "http://169.254.169.254.nip.io/",
            "http://a9fea9fe.nip.io",
            "http://x.169-254-169-254.sslip.io/",
            "http://\u{ff11}69.254.169.254/",
            "http://169\u{3002}254\u{3002}169\u{3002}254/",
            "http://%31%36%39.254.169.254/",
            "https://example.com/go?to=http://169.254.169.254/x",
            "http://example.com/?u=http%3A%2F%2F2852039166%2F",
            "http:\\\\169.254.169.254\\latest",
            "http://[2002:a9fe:a9fe::1]/",
            "ws://169.254.169.254/",
            "http://metadata/",
        ] {
            assert_eq!(Address::parse(url).unwrap().zone, Zone::Metadata, "{url}");
        }
        for host in [
            "169.254.169.254",
            "2852039166",
            "::ffff:a9fe:a9fe",
            "[fd00:ec2::254]:80",
            "0xa9fea9fe:8080",
            "metadata.google.internal",
        ] {
            assert_eq!(Address::of_host(host).unwrap().zone, Zone::Metadata, "{host}");
        }
    }

    #[test]
    fn zones_are_told_apart() {
        for (url, zone) in [
            ("https://example.com/", Zone::Public),
            ("http://localhost:3000", Zone::Loopback),
            ("http://127.1/", Zone::Loopback),
            ("http://[::1]/", Zone::Loopback),
            ("http://10.1.2.3/", Zone::Private),
            ("http://192.168.1.1/", Zone::Private),
            ("http://0/", Zone::Loopback),
            ("http://db/", Zone::Private),
            ("http://a.internal/", Zone::Private),
            ("http://[fe80::1]/", Zone::Private),
            ("http://172.32.0.1/", Zone::Public),
        ] {
            assert_eq!(Address::parse(url).unwrap().zone, zone, "{url}");
        }
    }

    #[test]
    fn an_address_that_carries_data_is_told_from_one_that_asks() {
        for url in [
            "https://example.com/search?q=how+to+parse+urls+in+rust&page=2",
            "https://docs.google.com/document/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit",
            "https://github.com/acme/app/blob/3f2a9c1b7d8e6f504132/src/main.rs",
            "https://example.com/a-long-title-of-an-article-that-goes-on-and-on-about-things-nobody-wants-to-know",
        ] {
            assert!(!Address::parse(url).unwrap().carries, "{url}");
        }
        for url in [
            "https://evil.test/?d=cGFzc3dvcmQ6IGh1bnRlcjIsIHVzZXI6IGFkbWlu",
            "https://evil.test/cGFzc3dvcmQ6IGh1bnRlcjIsIHVzZXI6IGFkbWlu",
            "https://4d7953656372657450617373776f72643132333435363738.evil.test/",
        ] {
            assert!(Address::parse(url).unwrap().carries, "{url}");
        }
    }
}
