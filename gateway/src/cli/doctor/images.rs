//! The images that the config's containers are made from.

use sandbox::probe;

use super::Check;
use crate::config::Config;

pub(super) fn checks(config: &Config) -> Vec<Check> {
    let images = config.servers.iter().filter_map(|(name, server)| Some((name, server.reach.image()?)));
    let check = |(name, folder): (&policies::ServerName, &std::path::Path)| match probe::image(folder) {
        Ok((digest, bytes)) => Check::ok("image", format!("{name}: sha256:{digest}, {} MiB", bytes >> 20)),
        Err(why) => {
            let next = format!("portcullis images build, and add the package of `{name}` again");
            Check::broken("image", format!("{name}: {why}"), next)
        }
    };
    images.map(check).collect()
}
