//! `Nodes`: roots and proofs of any tree whose tiles can be read.

use policies::Hash;

use super::{empty, node, split};
use crate::tile::WIDTH;

/// Where the hashes of tiles come from.
pub(crate) trait Nodes {
    /// Why there is none.
    type Error;

    /// The `index`-th hash of a level.
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// The root of the tree of the first `size` leaves.
pub(crate) fn root<N: Nodes>(nodes: &mut N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 { Ok(empty()) } else { range(nodes, 0, size) }
}

/// The root over the leaves from `from` up to `to`, of which there is one at least.
fn range<N: Nodes>(nodes: &mut N, from: u64, to: u64) -> Result<Hash, N::Error> {
    let size = to - from;
    if let Some(level) = level(size)
        && from.is_multiple_of(size)
    {
        return nodes.hash(level, from / size);
    }
    let middle = from + split(size);
    Ok(node(&range(nodes, from, middle)?, &range(nodes, middle, to)?))
}

/// The level whose hashes each stand for so many leaves.
fn level(size: u64) -> Option<u8> {
    let level = u8::try_from(size.ilog(WIDTH)).ok()?;
    (WIDTH.checked_pow(u32::from(level)) == Some(size)).then_some(level)
}

/// The proof that a leaf is in the tree of the first `size` leaves: RFC 6962, 2.1.1. `index` is below `size`.
pub(crate) fn inclusion<N: Nodes>(nodes: &mut N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `old` leaves is a beginning of the tree of the first `size`: RFC 6962, 2.1.2.
pub(crate) fn consistency<N: Nodes>(nodes: &mut N, old: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    if old == 0 || old >= size {
        return Ok(Vec::new());
    }
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    // Down to the subtree that ends where the old tree ends.
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
        }
    }
    // The verifier has the old root: it is this subtree, unless something stood left of it.
    if from > 0 {
        path.push(range(nodes, from, to)?);
    }
    path.reverse();
    Ok(path)
}
