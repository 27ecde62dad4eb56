//! gzip and zlib: what a compressed part of some bytes holds.

use memchr::memmem;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::work::{OutOfWork, Work};

/// A compressed part, and what it holds.
pub(super) struct Inflated {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) bytes: Vec<u8>,
}

/// RFC 1952 §2.3: the mark, and the only method.
const GZIP: &[u8] = &[0x1f, 0x8b, 8];

/// Every compressed part: gzip wherever its mark stands, zlib where the bytes begin with its header.
pub(super) fn all(bytes: &[u8], work: &mut Work) -> Result<Vec<Inflated>, OutOfWork> {
    let mut found = Vec::new();
    if is_zlib(bytes) {
        found.extend(inflate(bytes, 0, 0, true, work)?);
    }
    let mut from = 0;
    while let Some(start) = bytes.get(from..).and_then(|rest| memmem::find(rest, GZIP)).map(|skipped| from + skipped) {
        let inflated = match bytes.get(start..).and_then(header) {
            Some(header) => inflate(bytes, start, start + header, false, work)?,
            None => None,
        };
        from = inflated.as_ref().map_or(start + GZIP.len(), |inflated| inflated.end.max(start + GZIP.len()));
        found.extend(inflated);
    }
    Ok(found)
}

/// The compressed part that bytes begin with.
pub(super) fn first(bytes: &[u8], work: &mut Work) -> Result<Option<Inflated>, OutOfWork> {
    if is_zlib(bytes) {
        return inflate(bytes, 0, 0, true, work);
    }
    match header(bytes) {
        Some(header) => inflate(bytes, 0, header, false, work),
        None => Ok(None),
    }
}

/// Whether bytes begin as something compressed does.
pub(super) fn begins(bytes: &[u8]) -> bool {
    is_zlib(bytes) || bytes.starts_with(GZIP)
}

/// RFC 1950 §2.2: deflate with its usual window, and a check of both bytes.
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [0x78, flags, _, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31))
}

/// How long a gzip header is.
fn header(bytes: &[u8]) -> Option<usize> {
    let flags = *bytes.get(3)?;
    let mut length = 10;
    if flags & 4 != 0 {
        length += 2 + usize::from(u16::from_le_bytes([*bytes.get(length)?, *bytes.get(length + 1)?]));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            length += bytes.get(length..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    Some(length + if flags & 2 != 0 { 2 } else { 0 })
}

/// As much as can be read: a stream that is cut off or ends in noise still shows its beginning.
fn inflate(
    bytes: &[u8],
    start: usize,
    data: usize,
    zlib: bool,
    work: &mut Work,
) -> Result<Option<Inflated>, OutOfWork> {
    let Some(input) = bytes.get(data..) else { return Ok(None) };
    work.spend(ATTEMPT)?;
    let mut state = Box::<DecompressorOxide>::default();
    let header = if zlib { TINFL_FLAG_PARSE_ZLIB_HEADER } else { 0 };
    let flags = header | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut out = vec![0; (input.len() * 4).clamp(1 << 10, 64 << 10)];
    let (mut read, mut written) = (0, 0);
    loop {
        let (status, consumed, produced) =
            decompress(&mut state, input.get(read..).unwrap_or_default(), &mut out, written, flags);
        read += consumed;
        written += produced;
        if status != TINFLStatus::HasMoreOutput {
            break;
        }
        // A bomb ends here: what cannot be read to its end is withheld.
        if out.len() > work.left() {
            return Err(OutOfWork);
        }
        out.resize(out.len() * 2, 0);
    }
    out.truncate(written);
    Ok((written > 0).then_some(Inflated { start, end: data + read, bytes: out }))
}

/// What an attempt costs even if it fails at once: its tables are made.
const ATTEMPT: usize = 8 << 10;
