//! A write such as the operator's, by a client that knows beforehand what to write: a change to a public Service, here of no
//! cluster. Beside it stands what the operator takes to answer a change.

use crate::api::{AGENT, Api};
use crate::figures::milliseconds;
use crate::objects::Names;
use crate::run::Bench;
use anyhow::{Context, Result};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How many round trips are measured, and how many are not, before these.
const ROUNDS: usize = 300;
const WARM_UP: usize = 10;

pub(crate) struct LikeWrite {
    path: String,
    object: Value,
    writes: usize,
}

impl LikeWrite {
    pub(crate) fn new(bench: &Bench) -> Result<Self> {
        let service =
            bench.templates.iter().find(|child| child.is_public).context("no public Service is known")?;
        let nobody = Names { namespace: "default".to_owned(), name: AGENT.to_owned(), uid: String::new() };
        let (collection, body) = service.render(&nobody);
        let mut object: Value = serde_json::from_slice(&body)?;
        // By these the operator and the garbage collector would know it.
        for field in ["labels", "ownerReferences"] {
            object["metadata"][field].take();
        }
        Ok(Self { path: format!("{collection}/{AGENT}"), object, writes: 0 })
    }

    /// Makes it once. Returns how many microseconds passed until its answer was there.
    pub(crate) async fn make(&mut self, api: &Api) -> Result<i64> {
        self.writes += 1;
        self.object["metadata"]["annotations"]["bench.chatcluster.dev/change"] =
            self.writes.to_string().into();
        let start = Instant::now();
        api.apply(&self.path, &self.object).await?;
        Ok(i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    /// How long it takes while nothing else happens.
    pub(crate) async fn round_trip(&mut self, api: &Api) -> Result<Value> {
        let mut times = Vec::new();
        for _ in 0..WARM_UP + ROUNDS {
            times.push(self.make(api).await?);
            // No write meets what the one before it has set off: the server is idle.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(milliseconds(times.into_iter().skip(WARM_UP)))
    }
}
