//! `Hello`: how a client begins TLS: the only part of it that can be read from outside.

use rustls::server::Acceptor;

use crate::egress::allow::{Denied, Host};

/// How a client begins TLS.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// The name that it asks for.
    pub(super) name: Option<String>,
    /// The protocols that it offers.
    pub(super) alpn: Vec<Vec<u8>>,
    /// It hides another beginning inside, with another name.
    pub(super) hides: bool,
    /// How many bytes it takes.
    pub(super) length: usize,
}

/// The largest that is read; real ones take up to 2 KiB.
pub(super) const LONGEST: usize = 16 * 1024;

impl Hello {
    /// Reads a beginning; `None` while it is not whole.
    ///
    /// # Errors
    /// [`Denied`] where it is none.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Denied> {
        let Some((message, length)) = handshake(bytes)? else { return Ok(None) };
        let unreadable = || Denied::Protocol("its TLS cannot be read");
        let mut acceptor = Acceptor::default();
        let mut rest = bytes.get(..length).ok_or_else(unreadable)?;
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest).map_err(|_| unreadable())?;
        }
        let accepted = acceptor.accept().map_err(|_| unreadable())?.ok_or_else(unreadable)?;
        let hello = accepted.client_hello();
        Ok(Some(Self {
            name: hello.server_name().map(str::to_owned),
            alpn: hello.alpn().map(|offered| offered.map(<[u8]>::to_vec).collect()).unwrap_or_default(),
            hides: has_extension(&message, ENCRYPTED_CLIENT_HELLO).ok_or_else(unreadable)?,
            length,
        }))
    }

    /// Whether it asks for the host that was dialled.
    ///
    /// # Errors
    /// [`Denied::Name`]
    pub(super) fn check(&self, host: &Host) -> Result<(), Denied> {
        match &self.name {
            Some(name) if Host::parse(name).as_ref() == Some(host) => Ok(()),
            // TLS has no server names that are addresses.
            None if host.address().is_some() => Ok(()),
            Some(name) => Err(Denied::Name(name.chars().take(80).collect())),
            None => Err(Denied::Ambiguous("its TLS names no host")),
        }
    }
}

const CLIENT_HELLO: u8 = 1;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// The first handshake message, put together from its records, and the bytes that they take.
fn handshake(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Denied> {
    let refused = |what| Err(Denied::Protocol(what));
    let (mut message, mut rest) = (Vec::new(), bytes);
    loop {
        if let [kind, a, b, c, ..] = message.as_slice() {
            let whole = 4 + usize::from(*a) * 65536 + usize::from(*b) * 256 + usize::from(*c);
            if *kind != CLIENT_HELLO || whole > LONGEST {
                return refused("its TLS does not begin as TLS does");
            }
            match message.len() {
                length if length == whole => return Ok(Some((message, bytes.len() - rest.len()))),
                // More than one message in the record: nothing may follow before the server has spoken.
                length if length > whole => return refused("its TLS goes on before it was answered"),
                _ => {}
            }
        }
        let [kind, 3, _, high, low, after @ ..] = rest else {
            return if rest.len() < 5 { Ok(None) } else { refused("its TLS does not begin as TLS does") };
        };
        let length = usize::from(*high) * 256 + usize::from(*low);
        if *kind != super::HANDSHAKE || length == 0 {
            return refused("its TLS does not begin as TLS does");
        }
        let Some((record, after)) = after.split_at_checked(length) else {
            return if bytes.len() > LONGEST { refused("its TLS begins at too great length") } else { Ok(None) };
        };
        message.extend_from_slice(record);
        rest = after;
    }
}

/// Whether a client's beginning has an extension; `None` where it cannot be read.
fn has_extension(message: &[u8], wanted: u16) -> Option<bool> {
    let (_, rest) = message.split_at_checked(4 + 2 + 32)?; // header, version, random
    let (_, rest) = counted::<1>(rest)?; // session
    let (_, rest) = counted::<2>(rest)?; // ciphers
    let (_, rest) = counted::<1>(rest)?; // compressions
    if rest.is_empty() {
        return Some(false);
    }
    let (mut extensions, _) = counted::<2>(rest)?;
    while let [high, low, rest @ ..] = extensions {
        if u16::from_be_bytes([*high, *low]) == wanted {
            return Some(true);
        }
        extensions = counted::<2>(rest)?.1;
    }
    Some(false)
}

/// A part that has its length before it, and what follows.
fn counted<const N: usize>(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(N)?;
    let length = length.iter().fold(0, |length, byte| length * 256 + usize::from(*byte));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn hello(name: &'static str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut client = ClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    fn host(name: &str) -> Host {
        Host::parse(name).unwrap()
    }

    #[test]
    fn a_beginning_names_the_host_it_wants() {
        let read = Hello::read(&hello("a.test")).unwrap().unwrap();
        assert_eq!((read.name.as_deref(), read.alpn.len(), read.hides), (Some("a.test"), 2, false));
        assert_eq!(read.check(&host("A.test.")), Ok(()));
        assert_eq!(read.check(&host("b.test")), Err(Denied::Name("a.test".to_owned())));
        let without = Hello::read(&hello("127.0.0.1")).unwrap().unwrap();
        assert_eq!(without.check(&host("127.0.0.1")), Ok(()));
        assert!(without.check(&host("a.test")).is_err());
    }

    #[test]
    fn a_beginning_in_small_records_is_put_together() {
        let whole = hello("a.test");
        let records = whole[5..].chunks(50);
        let cut: Vec<u8> =
            records.flat_map(|part| [&[22, 3, 1, 0, u8::try_from(part.len()).unwrap()], part].concat()).collect();
        assert_eq!(Hello::read(&cut).unwrap().unwrap().name.as_deref(), Some("a.test"));
    }

    #[test]
    fn a_hidden_beginning_is_noticed() {
        let mut whole = hello("a.test");
        // An empty extension at the end: all three lengths around it grow by four.
        whole.extend_from_slice(&[0xfe, 0x0d, 0, 0]);
        let grow = |bytes: &mut [u8]| {
            let length = u16::from_be_bytes([bytes[0], bytes[1]]) + 4;
            bytes[..2].copy_from_slice(&length.to_be_bytes());
        };
        grow(&mut whole[3..5]);
        grow(&mut whole[7..9]);
        let session = usize::from(whole[43]);
        let ciphers = usize::from(u16::from_be_bytes([whole[44 + session], whole[45 + session]]));
        let extensions = 44 + session + 2 + ciphers + 2;
        grow(&mut whole[extensions..extensions + 2]);
        // Whether or not the library minds an empty one, it is never taken for a plain beginning.
        assert!(Hello::read(&whole).map_or(true, |read| read.unwrap().hides));
    }

    #[test]
    fn what_is_no_beginning_is_refused() {
        for bytes in
            [&b"GET / HTTP/1.1\r\n"[..], &[22, 3, 1, 0, 0], &[22, 3, 1, 0, 5, 2, 0, 0, 1, 0], &[23, 3, 3, 0, 1, 0]]
        {
            assert!(Hello::read(bytes).is_err(), "{bytes:?}");
        }
        let mut two = hello("a.test");
        let second = two[5..].to_vec();
        two.extend_from_slice(&second);
        let length = u16::from_be_bytes([two[3], two[4]]) * 2;
        two[3..5].copy_from_slice(&length.to_be_bytes());
        assert!(Hello::read(&two).is_err());
    }

    proptest! {
        #[test]
        fn a_beginning_is_whole_or_not_there(cut in 0usize..200) {
            let whole = hello("a.test");
            let cut = cut.min(whole.len() - 1);
            prop_assert_eq!(Hello::read(&whole[..cut]), Ok(None));
        }

        #[test]
        fn nothing_that_is_sent_is_too_much_to_read(bytes: Vec<u8>) {
            drop(Hello::read(&bytes));
        }
    }
}
