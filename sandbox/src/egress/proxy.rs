//! The proxy's door: `CONNECT host:port`, for tools that insist on a proxy; checked like every other connection.

use std::io;

use tokio::io::AsyncWriteExt;

use super::allow::{Denied, Host, Route};
use super::edge::{Broken, PATIENCE, Passage, within};
use super::stream::Stream;

/// Reads where the tool wants to go, and carries the rest of the connection there.
pub(super) async fn serve(passage: &Passage, mut near: Stream) -> Result<(), Broken> {
    let end = within(PATIENCE, head(&mut near)).await?;
    let head = near.take(end);
    let Some((host, port)) = target(&head) else {
        passage.flow.speaks("http");
        within(PATIENCE, near.write_all(NOT_CONNECT)).await?;
        return Err(Denied::Protocol("the proxy understands `CONNECT host:port` only").into());
    };
    passage.flow.wants(host.as_str(), port);
    if let Err(denied) = Route::find(passage.grant.destinations(), host.clone(), port) {
        within(PATIENCE, near.write_all(FORBIDDEN)).await?;
        return Err(denied.into());
    }
    within(PATIENCE, near.write_all(ESTABLISHED)).await?;
    passage.carry(near, host, port).await
}

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const NOT_CONNECT: &[u8] =
    b"HTTP/1.1 405 Method Not Allowed\r\nallow: CONNECT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The longest head that is read; of it only the first line counts.
const LONGEST: usize = 8192;

/// Reads up to the end of the head, and says where it ends.
async fn head(near: &mut Stream) -> io::Result<usize> {
    loop {
        if let Some(at) = memchr::memmem::find(near.ahead(), b"\r\n\r\n") {
            return Ok(at + 4);
        }
        if near.ahead().len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if !near.look().await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn target(head: &[u8]) -> Option<(Host, u16)> {
    let line = std::str::from_utf8(head).ok()?.split("\r\n").next()?;
    let authority = line.strip_prefix("CONNECT ")?.strip_suffix(" HTTP/1.1")?;
    let (host, port) = Host::with_port(authority)?;
    Some((host, port?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_with_a_port_is_a_target() {
        assert!(target(b"CONNECT a.test:443 HTTP/1.1\r\nHost: other.test\r\n\r\n").is_some());
        assert!(target(b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n").is_some());
        let wrong: [&[u8]; 7] = [
            b"CONNECT a.test HTTP/1.1\r\n\r\n",
            b"CONNECT  a.test:443 HTTP/1.1\r\n\r\n",
            b"CONNECT a.test:443 b.test:443 HTTP/1.1\r\n\r\n",
            b"GET http://a.test/ HTTP/1.1\r\n\r\n",
            b"CONNECT a.test:443@b.test:443 HTTP/1.1\r\n\r\n",
            b"connect a.test:443 HTTP/1.1\r\n\r\n",
            b"CONNECT a.test:443\nX: HTTP/1.1\r\n\r\n",
        ];
        for head in wrong {
            assert_eq!(target(head), None, "{}", String::from_utf8_lossy(head));
        }
    }
}
