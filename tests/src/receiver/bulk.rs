//! Elasticsearch's `_bulk`, as far as `create` goes.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::{Reply, lock};

/// Says of each document what became of it. What is refused is not there afterwards.
pub(super) fn reply() -> Reply {
    let known: Mutex<BTreeSet<String>> = Mutex::default();
    Box::new(move |request, statuses| {
        let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let actions = body.lines().step_by(2);
        let ids = actions.map(|line| line.split('"').nth(5).expect("an action names its document").to_owned());
        let item = |(at, id): (usize, String)| {
            let status = match statuses.get(at) {
                Some(status) => *status,
                None if lock(&known).insert(id) => 201,
                None => 409,
            };
            let error = match status {
                201 => String::new(),
                _ => ",\"error\":{\"type\":\"some_exception\",\"reason\":\"said so\"}".to_owned(),
            };
            format!("{{\"create\":{{\"status\":{status}{error}}}}}")
        };
        let items: Vec<String> = ids.enumerate().map(item).collect();
        (200, format!("{{\"items\":[{}]}}", items.join(",")))
    })
}
