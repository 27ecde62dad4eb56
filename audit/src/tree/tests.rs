use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::proof::{consistent, included};

fn leaf(number: u64) -> Hash {
    crate::record::leaf(&number.to_be_bytes())
}

/// Every hash of every tile, computed anew.
struct Whole(Vec<Hash>);

impl Nodes for Whole {
    type Error = Infallible;

    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let each = usize::try_from(WIDTH.pow(u32::from(level))).unwrap();
        let from = usize::try_from(index).unwrap() * each;
        Ok(fold(&self.0[from..from + each]))
    }
}

#[test]
fn the_root_and_the_stored_tiles_are_those_of_the_definition_at_every_size() {
    let mut tree = Tree::default();
    let mut leaves = Vec::new();
    assert_eq!(tree.root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for number in 0..1_100 {
        let kept = tree.push(leaf(number));
        leaves.push(leaf(number));
        if number % 7 == 0 || number % 256 < 3 || number % 256 > 253 {
            assert_eq!(tree.root(), fold(&leaves), "{number}");
        }
        for tile in kept {
            let each = usize::try_from(WIDTH.pow(u32::from(tile.level))).unwrap();
            let from = usize::try_from(tile.index * WIDTH).unwrap() * each;
            let wanted: Vec<Hash> = leaves[from..].chunks_exact(each).take(tile.hashes.len()).map(fold).collect();
            assert_eq!(tile.hashes, wanted, "{number}");
        }
    }
    let growing: Vec<Tile> = tree.growing().collect();
    assert_eq!(growing.iter().map(|tile| (tile.level, tile.index, tile.hashes.len())).collect::<Vec<_>>(), [(1, 0, 4)]);
}

proptest! {
    #[test]
    fn every_proof_holds_and_no_other_does(size in 1_u64..700, a in 0_u64..700, b in 0_u64..700, flip in 0_usize..64) {
        let (index, old) = (a % size, b % (size + 1));
        let mut whole = Whole((0..size).map(leaf).collect());
        let Ok(top) = root(&mut whole, size);
        let Ok(path) = inclusion(&mut whole, index, size);
        prop_assert!(included(&leaf(index), index, size, &top, &path));
        prop_assert!(!included(&leaf(index + 1), index, size, &top, &path));
        prop_assert!(size == 1 || !included(&leaf(index), (index + 1) % size, size, &top, &path));
        prop_assert!(!included(&leaf(index), index, size, &empty(), &path));
        let Ok(before) = root(&mut whole, old);
        let Ok(grown) = consistency(&mut whole, old, size);
        prop_assert!(consistent((old, &before), (size, &top), &grown));
        prop_assert!(old == 0 || !consistent((old, &leaf(9_999)), (size, &top), &grown));
        prop_assert!(old == 0 || old == size || !consistent((old, &before), (size, &leaf(9_999)), &grown));
        for proof in [&path, &grown] {
            // A step that is changed, dropped or added.
            let mut wrong = vec![[proof.as_slice(), &[leaf(0)]].concat()];
            if !proof.is_empty() {
                let place = flip % proof.len();
                let mut changed = proof.clone();
                changed[place] = leaf(10_000);
                let mut dropped = proof.clone();
                dropped.remove(place);
                wrong.extend([changed, dropped]);
            }
            for wrong in wrong {
                prop_assert!(wrong == path || !included(&leaf(index), index, size, &top, &wrong));
                prop_assert!(old == 0 || !consistent((old, &before), (size, &top), &wrong) || wrong == grown);
            }
        }
    }
}
