//! `Lent`: one instance in the hands of one call, its way out open for as long and no longer.

use std::sync::Arc;

use audit::{Failure, FailureKind, Observed};
use futures_util::FutureExt as _;
use policies::{AgentId, Call};
use vault::Placer;

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
    /// It was handed what only this call is lent.
    holds: bool,
}

impl<'a> Lent<'a> {
    pub(super) fn open(
        pool: &'a Pool,
        tenant: Tenant,
        agent: &'a AgentId,
        placer: &Placer,
        seen: &'a mut Observed,
    ) -> Result<Self, Failure> {
        let opening = tenant.instance.exit().map(|exit| exit.open(&pool.resources, placer.clone())).transpose();
        let in_use =
            |_| Failure { kind: FailureKind::Busy, detail: "the sandbox is still open for another call".into() };
        let opening = opening.map_err(in_use)?;
        Ok(Self { pool, agent, tenant: Some(tenant), opening, seen, good: false, holds: placer.is_weak() })
    }

    /// Runs the call. Dropping the future ends the instance.
    pub(super) async fn call(mut self, call: &Call, line: &Line) -> Result<Reply, Unsent> {
        let Some(tenant) = &mut self.tenant else { return Err(Unsent) };
        let pipe = Arc::clone(tenant.instance.pipe());
        let mut running = std::pin::pin!(pipe.call(call, line));
        let reply = tokio::select! {
            biased;
            reply = &mut running => reply?,
            // The end may be the answer's own doing, which says more of it: an answer over a limit ends the connection too.
            ended = tenant.instance.over() => match running.now_or_never() {
                Some(reply) => reply?,
                None => went_away(&self.pool.server, &ended),
            },
        };
        self.good = !self.holds && matches!(reply, Reply::Result(_) | Reply::Error(_));
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
