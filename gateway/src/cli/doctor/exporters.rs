//! The exporters: how far each has come, and why one does not get on.

use super::Check;
use crate::config::Config;
use crate::export::Progress;

/// A collector that is restarted is behind by as much; one that is further behind is worth a look.
const FAR: u64 = 10_000;

pub(super) fn checks(config: &Config) -> Vec<Check> {
    Progress::all(config).iter().map(check).collect()
}

fn check(row: &Progress) -> Check {
    let found = format!("{} ({}): {}", row.name, row.kind, row.place());
    let next = format!("portcullis export test {}", row.name);
    match (&row.astray, &row.trouble, row.behind) {
        (Some(why), _, _) => Check::broken("export", format!("{found}; {why}"), Progress::BEGIN),
        (None, Some(trouble), _) => Check::warning("export", format!("{found}; {}", trouble.error), next),
        (None, None, Some(behind)) if behind > FAR => Check::warning("export", found, next),
        (None, None, _) => Check::ok("export", found),
    }
}
