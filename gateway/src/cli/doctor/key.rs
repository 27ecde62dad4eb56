//! The key that signs the log, where it is in no file: whether it answers, and is the log's.

use super::Check;
use crate::config::Config;

pub(super) fn check(config: &Config) -> Option<Check> {
    let place = config.log.key.as_ref()?;
    let key = match place.probe(&config.vault) {
        Ok(key) => key,
        Err(error) => {
            let found = format!("{:#}", anyhow::Error::from(error));
            let next =
                "records are written without a signature until the key answers, and no gateway starts without it";
            return Some(Check::broken("log key", found, next));
        }
    };
    // Without a log there is nothing that another key could have signed.
    let logs = audit::log_key(&config.state).map_or_else(|_| key.clone(), |logs| logs.to_string());
    if key == logs {
        return Some(Check::ok("log key", format!("it signs: {key}")));
    }
    let next = "with the gateway stopped, `portcullis log key rotate --config FILE` hands the log over";
    Some(Check::broken("log key", format!("the log is signed by {logs}, and the config names {key}"), next))
}
