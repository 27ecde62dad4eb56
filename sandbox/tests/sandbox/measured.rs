//! What a sandbox costs, beside what it is made of. `just bench sandbox` runs these, each in a process of its own.

mod containers;
mod guests;

use std::time::{Duration, Instant};

use audit::Entry;
use policies::Method;
use vault::Leases;

use crate::world::{World, line};

/// How long something took, over and over: by the clock, and on this thread's processor.
#[derive(Default)]
struct Times {
    wall: Vec<Duration>,
    processor: Duration,
}

impl Times {
    async fn of<T>(&mut self, once: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = once.await;
        self.wall.push(begun.elapsed());
        done
    }

    /// Counts what the processor did for many at once: the kernel's own count is too coarse for one.
    async fn batch<T>(&mut self, all: impl AsyncFnOnce(&mut Self) -> T) -> T {
        let before = processor();
        let done = all(self).await;
        self.processor += processor().saturating_sub(before);
        done
    }

    /// So many recorded calls; recording them is not measured.
    async fn calls(&mut self, world: &World, count: usize, tool: &str, arguments: &str) {
        let opened = opened(world, count, tool, arguments).await;
        let mut ran = Vec::with_capacity(count);
        let run = async |times: &mut Self| {
            for (entry, leases) in &opened {
                ran.push(times.of(world.sandbox.run(entry, leases, line().0)).await);
            }
        };
        self.batch(run).await;
        for (opened, ran) in opened.into_iter().zip(ran) {
            let answer = world.close(opened, ran).await;
            assert!(matches!(answer, audit::Answer::Result(_)), "{answer:?}");
        }
    }

    fn add(&mut self, other: Self) {
        self.wall.extend(other.wall);
        self.processor += other.processor;
    }

    fn share(&self, thousandths: usize) -> f64 {
        let mut sorted = self.wall.clone();
        sorted.sort_unstable();
        let at = sorted.len().saturating_sub(1) * thousandths / 1000;
        sorted.get(at).map_or(0.0, Duration::as_secs_f64) * 1e6
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    fn row(&self, name: &str, beside: Option<&Self>) -> String {
        let each = self.processor.as_secs_f64() * 1e6 / self.wall.len().max(1) as f64;
        let factor = beside.map_or(String::new(), |bare| format!("{:.2} ×", self.share(500) / bare.share(500)));
        format!(
            "{name:44} {:>7} {:>11.1} {:>11.1} {:>11.1} {each:>9.1} {factor:>8}",
            self.wall.len(),
            self.share(500),
            self.share(900),
            self.share(990),
        )
    }
}

const HEAD: &str =
    "                                                   n      p50 µs      p90 µs      p99 µs    CPU µs   p50 ×";

async fn opened(world: &World, count: usize, tool: &str, arguments: &str) -> Vec<(Entry, Leases)> {
    let definition = format!(r#"{{"name":"{tool}","annotations":{{"readOnlyHint":true}}}}"#);
    let mut opened = Vec::with_capacity(count);
    for _ in 0..count {
        opened.push(world.open(Method::CallTool, &definition, arguments).await);
    }
    opened
}

/// What this thread has run, in all.
fn processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|count| count.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}
