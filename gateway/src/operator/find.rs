//! Finds the hold that an operator means.

use policies::HoldId;
use policies::approval::Hold;

use super::refused::Refused;

/// A prefix may not be shorter: 6 characters are 30 bits, so that a slip of the finger names nothing rather than another
/// hold.
const SHORTEST: usize = 6;

/// The id that was given in full, or the one open hold whose id begins so.
pub(super) fn find(open: &[Hold], given: &str) -> Result<HoldId, Refused> {
    among(open.iter().map(Hold::id), given, || Refused::Unknown {
        what: "open hold",
        name: given.to_owned(),
        next: "`portcullis holds list` shows the open ones, `portcullis log list` what became of the others",
    })
}

/// The id that was given in full, or the one of these that begins so.
pub(super) fn among<'a>(
    ids: impl Iterator<Item = &'a HoldId>,
    given: &str,
    unknown: impl FnOnce() -> Refused,
) -> Result<HoldId, Refused> {
    if let Ok(id) = HoldId::parse(given) {
        return Ok(id);
    }
    let start = given.strip_prefix("hold-").unwrap_or(given);
    if start.len() < SHORTEST {
        return Err(Refused::Params(format!(
            "`{given}` is too short for a hold's id: give all of it, or at least {SHORTEST} characters after `hold-`"
        )));
    }
    let begins = |id: &HoldId| id.as_str().strip_prefix("hold-").is_some_and(|id| id.starts_with(start));
    let mut matches: Vec<HoldId> = ids.filter(|id| begins(id)).cloned().collect();
    match (matches.pop(), matches.is_empty()) {
        (Some(id), true) => Ok(id),
        (Some(id), false) => {
            matches.push(id);
            Err(Refused::Ambiguous { given: given.to_owned(), matches })
        }
        (None, _) => Err(unknown()),
    }
}
