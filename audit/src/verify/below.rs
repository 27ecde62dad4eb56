//! The tree of records that are gone, by the tiles that stay of it: those above level 0.

use policies::Hash;

use super::{Broken, VerifyError, What};
use crate::tile::{self, WIDTH};
use crate::tree::{Tree, fold};

/// Where tiles come from; `None` where there is none, or none that is read.
pub(super) type Load<'a> = &'a mut dyn FnMut(u8, u64) -> Result<Option<Vec<Hash>>, VerifyError>;

/// The tree of the first `minimum` records, and how many full tiles of it there are. Its last hashes go into the root that
/// is signed, and each full tile below them must lead to the one above it. `done`: up to where tiles of level 0 are gone.
pub(super) fn tree(done: u64, minimum: u64, load: Load<'_>) -> Result<(Tree, u64), VerifyError> {
    let (mut edge, mut tiles, mut each) = (Vec::new(), 0, 1_u64);
    for level in 0_u8.. {
        let full = minimum / each / WIDTH;
        let first = if level == 0 { done / WIDTH } else { 0 };
        for index in first..full {
            let hashes = first_of(load, level, index, WIDTH)?;
            let above = first_of(load, level + 1, index / WIDTH, index % WIDTH + 1)?;
            if above.last() != Some(&fold(&hashes)) {
                return Err(broken(level, index, WIDTH));
            }
            tiles += 1;
        }
        let width = minimum / each % WIDTH;
        edge.push(if width == 0 { Vec::new() } else { first_of(load, level, full, width)? });
        match each.checked_mul(WIDTH).filter(|each| *each <= minimum) {
            Some(next) => each = next,
            None => break,
        }
    }
    Ok((Tree::with_edge(minimum, edge), tiles))
}

/// The first hashes of a tile, which may have grown since.
fn first_of(load: Load<'_>, level: u8, index: u64, width: u64) -> Result<Vec<Hash>, VerifyError> {
    let hashes = load(level, index)?.filter(|hashes| hashes.len() as u64 >= width);
    let mut hashes = hashes.ok_or_else(|| broken(level, index, width))?;
    hashes.truncate(usize::try_from(width).unwrap_or(usize::MAX));
    Ok(hashes)
}

fn broken(level: u8, index: u64, width: u64) -> VerifyError {
    Broken { seq: 0, what: What::Tile(tile::path(&level.to_string(), index, width)) }.into()
}
