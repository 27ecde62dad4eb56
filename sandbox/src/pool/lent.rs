//! `Lent`: one instance in the hands of one call, its way out open for as long and no longer.

use std::sync::Arc;

use audit::{Failure, FailureKind, Observed};
use policies::profile::Resources;
use policies::{AgentId, Call};

use super::Pool;
use super::bench::Tenant;
use crate::egress::Opening;
use crate::instance::Unsent;
use crate::line::Line;
use crate::mcp::Reply;
use crate::process::went_away;

/// One instance in the hands of one call. However it is dropped, its way out is closed first, what was seen is told, and only
/// an instance whose call was answered is kept.
pub(super) struct Lent<'a> {
    pool: &'a Pool,
    agent: &'a AgentId,
    tenant: Option<Tenant>,
    opening: Option<Opening>,
    seen: &'a mut Observed,
    good: bool,
}

impl<'a> Lent<'a> {
    pub(super) fn open(
        pool: &'a Pool,
        tenant: Tenant,
        agent: &'a AgentId,
        resources: &Arc<Resources>,
        seen: &'a mut Observed,
    ) -> Result<Self, Failure> {
        let opening = tenant.instance.exit().map(|exit| exit.open(resources)).transpose();
        let in_use =
            |_| Failure { kind: FailureKind::Busy, detail: "the sandbox is still open for another call".into() };
        let opening = opening.map_err(in_use)?;
        Ok(Self { pool, agent, tenant: Some(tenant), opening, seen, good: false })
    }

    /// Runs the call. Dropping the future ends the instance.
    pub(super) async fn call(mut self, call: &Call, line: &Line) -> Result<Reply, Unsent> {
        let Some(tenant) = &mut self.tenant else { return Err(Unsent) };
        let pipe = Arc::clone(tenant.instance.pipe());
        let reply = tokio::select! {
            biased;
            reply = pipe.call(call, line) => reply?,
            ended = tenant.instance.over() => went_away(&self.pool.server, &ended),
        };
        self.good = matches!(reply, Reply::Result(_) | Reply::Error(_));
        Ok(reply)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(tenant) = &self.tenant {
            tenant.instance.settle();
        }
        if let Some(opening) = self.opening.take() {
            self.seen.merge(opening.close());
        }
        if let Some(tenant) = self.tenant.take() {
            self.pool.give_back(self.agent, tenant, self.good);
        }
    }
}
