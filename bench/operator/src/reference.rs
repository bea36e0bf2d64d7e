//! A write like the operator's, by a client that knows beforehand what to write: a change to a public Service
//! that belongs to no cluster. Its round trip is the yardstick for the operator's reaction to a change.

use crate::api::{AGENT, Api};
use crate::bench::Bench;
use crate::figures::milliseconds;
use crate::objects::Names;
use anyhow::{Context, Result};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The number of round trips that are measured; [`WARM_UP`] more come first.
const ROUNDS: usize = 300;
const WARM_UP: usize = 10;

pub(crate) struct ReferenceWrite {
    path: String,
    object: Value,
    writes: usize,
}

impl ReferenceWrite {
    pub(crate) fn new(bench: &Bench) -> Result<Self> {
        let service =
            bench.templates.iter().find(|child| child.is_public).context("no public Service is known")?;
        let nobody = Names { namespace: "default".to_owned(), name: AGENT.to_owned(), uid: String::new() };
        let (collection, body) = service.render(&nobody);
        let mut object: Value = serde_json::from_slice(&body)?;
        // The operator and the garbage collector would recognise the object by these.
        for field in ["labels", "ownerReferences"] {
            object["metadata"][field].take();
        }
        Ok(Self { path: format!("{collection}/{AGENT}"), object, writes: 0 })
    }

    /// Writes once. Returns the microseconds until the answer arrived.
    pub(crate) async fn make(&mut self, api: &Api) -> Result<i64> {
        self.writes += 1;
        self.object["metadata"]["annotations"]["bench.chatcluster.dev/change"] =
            self.writes.to_string().into();
        let start = Instant::now();
        api.apply(&self.path, &self.object).await?;
        Ok(i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    /// Measures round trips while nothing else happens.
    pub(crate) async fn round_trip(&mut self, api: &Api) -> Result<Value> {
        let mut times = Vec::new();
        for _ in 0..WARM_UP + ROUNDS {
            times.push(self.make(api).await?);
            // The pause lets the server finish what the last write has set off.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(milliseconds(times.into_iter().skip(WARM_UP)))
    }
}
