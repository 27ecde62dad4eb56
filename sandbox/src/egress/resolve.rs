//! The resolver that a sandbox sees: allowed names get synthetic addresses while a call runs; nothing is asked upstream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::allow::Host;
use super::exit::Exit;

/// A question is answered at once, from memory. So one task serves a sandbox's datagrams, in order, and a flood waits in
/// the socket's own bounded queue.
pub(super) async fn serve_udp(exit: std::sync::Weak<Exit>, socket: UdpSocket) {
    let mut datagram = vec![0; LARGEST_DATAGRAM];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut datagram).await else {
            // An ICMP error of an earlier answer, or no memory: neither ends the service.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Some(exit) = exit.upgrade() else { return };
        let answer = datagram.get(..length).and_then(|question| answer(&exit, question));
        if let Some(answer) = answer {
            socket.send_to(&answer, from).await.ok();
        }
    }
}

/// Serves one connection: at most so many questions, for so long.
pub(super) async fn serve_tcp(exit: Arc<Exit>, mut stream: TcpStream) {
    let serve = async {
        for _ in 0..QUESTIONS {
            let length = usize::from(stream.read_u16().await?);
            if length > LARGEST_DATAGRAM {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut question = vec![0; length];
            stream.read_exact(&mut question).await?;
            let answer = answer(&exit, &question).ok_or(io::ErrorKind::InvalidData)?;
            let length = u16::try_from(answer.len()).map_err(|_| io::ErrorKind::InvalidData)?;
            stream.write_u16(length).await?;
            stream.write_all(&answer).await?;
        }
        Ok::<(), io::Error>(())
    };
    // Whatever it was, the connection ends.
    tokio::time::timeout(PATIENCE, serve).await.map(Result::ok).ok();
}

/// A question is one name: 255 bytes and a little. What is longer carries something else.
const LARGEST_DATAGRAM: usize = 1232;
const QUESTIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for every answer: the tool asks again for each connection, and after the call gets no answer.
const TTL: u32 = 0;

/// The answer's bytes; `None` for what is no question at all.
pub(crate) fn answer(exit: &Exit, question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    if question.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.metadata.response_code = ResponseCode::Refused;
    if let ([query], OpCode::Query) = (question.queries.as_slice(), question.metadata.op_code) {
        answer.add_query(query.clone());
        let name = query.name().to_ascii();
        let kind = query.query_type();
        let asked = Asked { name: &name, kind, plain: query.query_class() == DNSClass::IN };
        match exit.resolve(&asked) {
            Some(address) => {
                answer.metadata.response_code = ResponseCode::NoError;
                if kind == RecordType::A {
                    answer.add_answer(Record::from_rdata(query.name().clone(), TTL, RData::A(A(address))));
                }
            }
            None => answer.metadata.response_code = ResponseCode::Refused,
        }
    }
    answer.to_vec().ok()
}

/// What a sandbox asked its resolver.
pub(super) struct Asked<'a> {
    name: &'a str,
    kind: RecordType,
    plain: bool,
}

impl Asked<'_> {
    /// The host, where the question is one that the resolver answers: for an address, or (with nothing) for what stub
    /// resolvers ask beside.
    pub(super) fn host(&self) -> Option<Host> {
        let usual =
            matches!(self.kind, RecordType::A | RecordType::AAAA | RecordType::HTTPS | RecordType::SVCB) && self.plain;
        Host::parse(self.name).filter(|host| usual && host.address().is_none())
    }

    /// For the record: the type where it is not the usual one, and the name as far as it fits.
    pub(super) fn shown(&self) -> String {
        let name: String = self.name.trim_end_matches('.').chars().take(SHOWN).collect();
        let usual = matches!(self.kind, RecordType::A | RecordType::AAAA);
        if usual { name } else { format!("{name} ({})", self.kind) }
    }
}

/// A name can carry 253 bytes of somebody's secret: the record keeps less of it.
const SHOWN: usize = 80;
