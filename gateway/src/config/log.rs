//! `[audit]`: who signs the log, where its newest checkpoint is kept, who else signs that, how long its disk is waited for,
//! how long arguments and results are kept, and whether records may be pruned.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit::{Signer, WitnessAddress};
use jiff::SignedDuration;

use super::section::{Section, Sheet};
use super::signer::{self, KeyPlace, SignerError};

/// Who signs the log, where its newest checkpoint is kept, and how long what is kept for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The file that keeps the newest checkpoint; in the state folder where there is none.
    pub checkpoint: Option<PathBuf>,
    /// Where the key is that signs; a file in the state folder where nothing is said.
    pub key: Option<KeyPlace>,
    /// How long a call waits for the disk before it is refused; within two seconds where nothing is said.
    pub wait: Option<Duration>,
    /// How long arguments, results and messages are kept beside their records; for ever where nothing is said.
    pub bodies: Option<SignedDuration>,
    /// How long records are kept, if they may be pruned at all.
    pub records: Option<SignedDuration>,
    /// The witnesses that are asked to sign the newest checkpoint.
    pub witness: Vec<WitnessAddress>,
}

impl Log {
    /// The key that is kept elsewhere, asked for now.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn signer(&self, vault: &vault::Config) -> Result<Option<Arc<dyn Signer + Sync>>, SignerError> {
        self.key.as_ref().map(|place| place.open(vault)).transpose()
    }
}

/// `[audit]`
pub(super) fn log(sheet: &Sheet<'_>, section: Section<'_>) -> Log {
    let checkpoint = section.string("checkpoint").map(|(text, _)| sheet.path(&text));
    let key = section.json("key").and_then(|(value, at)| signer::place(sheet, &section, &value, at));
    let wait = section.json("wait").and_then(|(value, at)| {
        let text = value.as_str().unwrap_or_default();
        let wait = text.parse().ok().and_then(|wait: SignedDuration| Duration::try_from(wait).ok());
        let wait = wait.filter(|wait| (Duration::from_millis(100)..=Duration::from_mins(1)).contains(wait));
        if wait.is_none() {
            sheet.problem(at, section.key("wait"), "another value", "a time from \"100ms\" to \"1m\"");
        }
        wait
    });
    let time = |name: &str| {
        let (text, at) = section.string(name)?;
        let kept = kept(&text);
        if kept.is_none() {
            sheet.problem(at, section.key(name), format!("\"{text}\""), "a time like \"90d\", \"2w\" or \"36h\"");
        }
        kept
    };
    let (bodies, records) = (time("bodies"), time("records"));
    let witness = witnesses(sheet, &section);
    section.finish(&["bodies", "checkpoint", "key", "records", "wait", "witness"]);
    Log { checkpoint, key, wait, bodies, records, witness }
}

/// A time in days or weeks, or in what any other time is told in.
fn kept(text: &str) -> Option<SignedDuration> {
    let days = |number: &str, days: i64| SignedDuration::from_hours(24 * days).checked_mul(number.parse().ok()?);
    let kept = match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(number), _) => days(number, 1),
        (_, Some(number)) => days(number, 7),
        (None, None) => text.parse().ok(),
    };
    kept.filter(|kept| *kept >= SignedDuration::from_secs(1))
}

fn witnesses(sheet: &Sheet<'_>, section: &Section<'_>) -> Vec<WitnessAddress> {
    let Some((value, at)) = section.json("witness") else { return Vec::new() };
    let problem = |found: String| {
        sheet.problem(
            at,
            section.key("witness"),
            found,
            "`[{ url = \"https://…\", key = \"NAME+ID+BASE64\" }]`, a witness once",
        );
        Vec::new()
    };
    let read: Vec<WitnessAddress> = match serde_json::from_value(value) {
        Ok(read) => read,
        Err(error) => return problem(error.to_string()),
    };
    let mut known = BTreeSet::new();
    for witness in &read {
        let usable = witness.url.parse().is_ok_and(|url: http::Uri| {
            url.authority().is_some() && url.query().is_none() && matches!(url.scheme_str(), Some("http" | "https"))
        });
        if !usable || !known.insert(witness.key.name().to_owned()) {
            return problem(format!("`{}`", witness.url));
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_kept_for_days_weeks_or_any_other_time_and_never_for_none() {
        let hours = |text| kept(text).map(|kept| kept.as_hours());
        assert_eq!(
            [hours("90d"), hours("2w"), hours("36h"), hours("1h 30m")],
            [Some(2160), Some(336), Some(36), Some(1)]
        );
        for wrong in ["0d", "-1d", "d", "90", "", "1.5d", "0s", "99999999999999999d"] {
            assert_eq!(kept(wrong), None, "{wrong}");
        }
    }
}
