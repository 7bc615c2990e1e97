//! Limits how much is rendered in one run. The cost of a resource does not depend on the length of its text: with a YAML merge
//! key, 40 bytes can define a cluster, and one number can request 256 instances. So the cost is added up before the work is
//! done, and too much is refused. Only the caller can raise the limit ([`Options::max_clusters`]), never the input.

use crate::diagnostic::Diagnostic;
use crate::options::Options;

/// The maximum cost of an ordinary cluster: a few users, pgBouncer, backups and three instances. All costs are in
/// microseconds, measured on one core of a machine from 2020.
const ORDINARY: usize = 6_000;

/// The cost of the work that is known so far.
pub struct Work {
    resources: usize,
    allowed: usize,
    /// In microseconds.
    done: usize,
    refused: Option<Diagnostic>,
}

impl Work {
    /// The work of a number of resources, before anything else is known about them.
    ///
    /// # Errors
    /// There are more resources than are allowed.
    pub fn of_resources(resources: usize, options: &Options) -> Result<Self, Diagnostic> {
        let work = Self { resources, allowed: options.max_clusters, done: 0, refused: None };
        if resources > options.max_clusters {
            let message = format!("{resources} clusters in one input: {}", work.advice(resources));
            return Err(Diagnostic::error(message));
        }
        Ok(work)
    }

    /// Adds a cost in microseconds.
    pub fn add(&mut self, microseconds: usize) {
        self.done = self.done.saturating_add(microseconds);
    }

    /// Whether the cost is within the limit. If it is not, the input is refused for good.
    pub fn is_allowed(&mut self) -> bool {
        let ordinary = self.done.div_ceil(ORDINARY);
        if self.refused.is_none() && ordinary > self.allowed {
            let these = match self.resources {
                1 => "this cluster".to_owned(),
                resources => format!("these {resources} clusters"),
            };
            let message = format!(
                "rendering {these}, with all users, instances and labels, is as much work as rendering {ordinary} \
                 ordinary clusters: {}",
                self.advice(ordinary)
            );
            self.refused = Some(Diagnostic::error(message));
        }
        self.refused.is_none()
    }

    /// The error, if the input is refused.
    pub fn refusal(self) -> Option<Diagnostic> {
        self.refused
    }

    fn advice(&self, needed: usize) -> String {
        format!(
            "one run renders at most {}, so that no input can block a pipeline: render them in several runs, or, if \
             you trust the input, set the environment variable `PGRENDER_MAX_CLUSTERS` to {needed}",
            self.allowed
        )
    }
}
