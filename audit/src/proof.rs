//! `Proof`: that one record is in the log, and that the log only grew, for whoever has neither.

mod file;
mod make;
mod shown;

use policies::Hash;

use crate::tree::node;

pub(crate) use file::hash;
pub use file::{BadProof, Proof, Proven};
pub(crate) use make::cosigned;
pub use make::{ProveError, prove};
pub use shown::{Disclosed, Shown};

/// Whether a leaf stands at `index` in the tree with this size and root: RFC 9162, 2.1.3.2.
#[must_use]
pub(crate) fn included(leaf: &Hash, index: u64, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for step in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node(step, &hash);
            while at.is_multiple_of(2) && at > 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, step);
        }
        at /= 2;
        last /= 2;
    }
    last == 0 && hash == *root
}

/// Whether the tree of `old` leaves is the beginning of the tree of `new` leaves: RFC 9162, 2.1.4.2.
#[must_use]
pub(crate) fn consistent((old, old_root): (u64, &Hash), (new, new_root): (u64, &Hash), path: &[Hash]) -> bool {
    if old == 0 || old == new {
        // Nothing is the beginning of everything; a tree is its own beginning.
        return path.is_empty() && (old < new || old_root == new_root);
    }
    if old > new {
        return false;
    }
    let whole = old.is_power_of_two().then_some(*old_root);
    let mut steps = whole.iter().chain(path);
    let Some(first) = steps.next() else { return false };
    let (mut at, mut last) = (old - 1, new - 1);
    while at % 2 == 1 {
        at /= 2;
        last /= 2;
    }
    let (mut low, mut high) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            low = node(step, &low);
            high = node(step, &high);
            while at.is_multiple_of(2) && at > 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            high = node(&high, step);
        }
        at /= 2;
        last /= 2;
    }
    last == 0 && low == *old_root && high == *new_root
}
