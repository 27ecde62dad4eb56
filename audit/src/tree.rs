//! `Tree`: the Merkle tree of RFC 6962 over the log's records, grown at its right edge.
//!
//! ```text
//! leaf(n)    = SHA-256(0x00 ‖ canonical bytes of record n + 1)
//! node(l, r) = SHA-256(0x01 ‖ l ‖ r)                  the root of no leaves is SHA-256 of nothing
//! ```
//!
//! Hashes are kept in tiles of 256 (C2SP's `tlog-tiles`): level 0 holds leaves, and each hash of level *n* + 1 is the root
//! of a full tile of level *n*. Any other node is recomputed from those.

mod nodes;

use policies::Hash;

use crate::tile::{Tile, WIDTH};

pub(crate) use nodes::{Nodes, consistency, inclusion, root};

/// The tree's right edge: all that is needed to add leaves and to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    size: u64,
    /// The hashes of each level's last tile; fewer than 256.
    edge: Vec<Vec<Hash>>,
}

impl Tree {
    /// A tree of this size with these last tiles, one a level.
    pub(crate) fn with_edge(size: u64, edge: Vec<Vec<Hash>>) -> Self {
        Self { size, edge }
    }

    /// How many leaves it has.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Answers the tiles to keep: a full one of level 0, and those that it changes above; most leaves only
    /// wait at the edge, where their records stand for them.
    pub(crate) fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        let mut kept = Vec::new();
        let mut hash = leaf;
        let mut index = self.size / WIDTH;
        self.size += 1;
        for level in 0_u8.. {
            let at = usize::from(level);
            if self.edge.len() <= at {
                self.edge.resize(at + 1, Vec::new());
            }
            let Some(hashes) = self.edge.get_mut(at) else { break };
            hashes.push(hash);
            let full = hashes.len() as u64 == WIDTH;
            if full || level > 0 {
                kept.push(Tile { level, index, hashes: hashes.clone() });
            }
            if !full {
                break;
            }
            hash = fold(hashes);
            hashes.clear();
            index /= WIDTH;
        }
        kept
    }

    /// The root.
    pub(crate) fn root(&self) -> Hash {
        // What is left of lower levels stands at the right of each level, as one subtree that is not full.
        let mut rest: Option<Hash> = None;
        for hashes in &self.edge {
            let row: Vec<Hash> = hashes.iter().copied().chain(rest).collect();
            rest = if row.is_empty() { None } else { Some(fold(&row)) };
        }
        rest.unwrap_or_else(empty)
    }

    /// The last tiles that are kept as they grow: those above level 0, unless they have just been filled.
    pub(crate) fn growing(&self) -> impl Iterator<Item = Tile> {
        let size = self.size;
        (0_u8..).zip(&self.edge).skip(1).filter(|(_, hashes)| !hashes.is_empty()).map(move |(level, hashes)| {
            let index = (0..=level).fold(size, |index, _| index / WIDTH);
            Tile { level, index, hashes: hashes.clone() }
        })
    }
}

/// The root of these hashes as leaves or full subtrees of one size.
pub(crate) fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(split(more.len() as u64).try_into().unwrap_or(more.len()));
            node(&fold(left), &fold(right))
        }
    }
}

/// The hash of two subtrees side by side.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    crate::record::hash(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of no leaves.
pub(crate) fn empty() -> Hash {
    Hash::of(b"")
}

/// The largest power of two below a size of at least 2: where RFC 6962 splits.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

#[cfg(test)]
mod tests;
