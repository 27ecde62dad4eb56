//! Plain TCP to a declared host and port: carried unread, but for how each side begins.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::allow::{Denied, Route};
use super::edge::{Broken, Passage};
use super::stream::{Stream, carry as carry_on};

/// Carries a connection. What begins like TLS or HTTP is refused: it can be checked, and so must be declared as that.
pub(super) async fn carry(passage: &Passage, near: Stream, route: &Route<'_>) -> Result<(), Broken> {
    let far = passage.dial(route).await?;
    let ((near_reader, near_writer), (far_reader, far_writer)) = (tokio::io::split(near), tokio::io::split(far));
    tokio::try_join!(
        filtered(near_reader, far_writer, judge_client),
        // Servers of other protocols often speak first, so neither direction waits for the other.
        filtered(far_reader, near_writer, judge_server),
    )?;
    Ok(())
}

/// What the first bytes show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// It could still become either.
    Open,
    Other,
    Tls,
    Http,
}

async fn filtered<R, W>(mut reader: R, mut writer: W, judge: fn(&[u8]) -> Beginning) -> Result<(), Broken>
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let mut head = Vec::with_capacity(HELD);
    loop {
        let mut chunk = [0; HELD];
        let read = reader.read(&mut chunk).await?;
        head.extend_from_slice(chunk.get(..read).unwrap_or_default());
        match judge(&head) {
            // At the end, what is held back is all there is: the beginning of something, which went nowhere.
            Beginning::Open if read == 0 => break,
            Beginning::Open if head.len() < HELD => {}
            // White space without end: what comes after it would not be seen.
            Beginning::Open => return Err(Denied::Ambiguous("it does not show what it is").into()),
            Beginning::Other => break,
            Beginning::Tls => return Err(Denied::Protocol("TLS, declared as plain TCP").into()),
            Beginning::Http => return Err(Denied::Protocol("HTTP, declared as plain TCP").into()),
        }
    }
    writer.write_all(&head).await?;
    carry_on(reader, writer).await?;
    Ok(())
}

/// Longer than any method that servers know, with white space before it.
const HELD: usize = 256;

/// A server that speaks HTTP reads past empty lines and takes any word for a method.
fn judge_client(head: &[u8]) -> Beginning {
    if let Some(beginning) = judge_tls(head) {
        return beginning;
    }
    let line = head.trim_ascii_start();
    let length = line.iter().take_while(|byte| is_token(**byte)).count();
    let (method, rest) = line.split_at_checked(length).unwrap_or((line, &[]));
    if rest.is_empty() {
        return if method.len() > LONGEST_METHOD { Beginning::Other } else { Beginning::Open };
    }
    if method.is_empty() || method.len() > LONGEST_METHOD || !matches!(rest.first(), Some(b' ' | b'\t')) {
        return Beginning::Other;
    }
    let target = rest.trim_ascii_start();
    if method.eq_ignore_ascii_case(b"connect") {
        return Beginning::Http;
    }
    let schemes: [&[u8]; 4] = [b"/", b"*", b"http://", b"https://"];
    let lower = target.to_ascii_lowercase();
    if schemes.iter().any(|scheme| lower.starts_with(scheme)) {
        Beginning::Http
    } else if schemes.iter().any(|scheme| scheme.starts_with(&lower)) {
        Beginning::Open
    } else {
        Beginning::Other
    }
}

const LONGEST_METHOD: usize = 32;

fn judge_server(head: &[u8]) -> Beginning {
    if let Some(beginning) = judge_tls(head) {
        return beginning;
    }
    let http = b"HTTP/";
    if head.starts_with(http) {
        Beginning::Http
    } else if http.starts_with(head) {
        Beginning::Open
    } else {
        Beginning::Other
    }
}

/// A record with a handshake or an alert, of SSL 3 or any TLS.
fn judge_tls(head: &[u8]) -> Option<Beginning> {
    match head {
        [] | [0x15 | 0x16] => Some(Beginning::Open),
        [0x15 | 0x16, 3, ..] => Some(Beginning::Tls),
        _ => None,
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_claims_to_be_http_is_seen_however_it_is_cut() {
        let requests: [&[u8]; 8] = [
            b"GET / HTTP/1.1\r\n",
            b"\r\n\r\nPOST /x HTTP/1.0\r\n",
            b"FOO /x HTTP/1.1",
            b"CONNECT a.test:443 HTTP/1.1",
            b"PRI * HTTP/2.0\r\n\r\nSM",
            b"get http://a.test/ HTTP/1.1",
            b"GET\t/ HTTP/1.1",
            b"OPTIONS HTTPS://a.test/ HTTP/1.1",
        ];
        for request in requests {
            let seen =
                (0..=request.len()).map(|cut| judge_client(&request[..cut])).find(|seen| *seen != Beginning::Open);
            assert_eq!(seen, Some(Beginning::Http), "{}", String::from_utf8_lossy(request));
        }
        assert_eq!(judge_server(b"HTTP/1.1 200 OK"), Beginning::Http);
        assert_eq!(judge_server(b"HT"), Beginning::Open);
    }

    #[test]
    fn what_claims_to_be_tls_is_seen() {
        assert_eq!(judge_client(&[0x16]), Beginning::Open);
        assert_eq!(judge_client(&[0x16, 3, 1, 2, 0]), Beginning::Tls);
        assert_eq!(judge_server(&[0x15, 3, 3, 0, 2]), Beginning::Tls);
    }

    #[test]
    fn other_protocols_pass() {
        let others: [&[u8]; 7] = [
            b"\0\0\0\x08\x04\xd2\x16\x2f",
            b"PING\r\n",
            b"*1\r\n$4\r\nPING\r\n",
            b"EHLO me\r\n",
            b"NICK someone\r\n",
            b"SSH-2.0-x\r\n",
            b"\x10\x20MQTT",
        ];
        for other in others {
            assert_eq!(judge_client(other), Beginning::Other, "{}", String::from_utf8_lossy(other));
        }
        for other in [&b"220 mail.test ESMTP"[..], b"SSH-2.0-OpenSSH", b"\x4a\0\0\0\x0a8.0"] {
            assert_eq!(judge_server(other), Beginning::Other);
        }
    }
}
