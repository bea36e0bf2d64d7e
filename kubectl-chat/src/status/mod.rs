//! `kubectl chat status`: one cluster as a tree, or all of them as a table.

mod children;
mod draw;
mod follow;
mod summary;
mod view;

use clap::{Args, ValueEnum};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::read;
use crate::text::Paint;

pub(crate) use summary::{NONE, read as read_all};
pub(crate) use view::OperatorView;

/// The version of what `-o json` shows. It changes when a field goes or gets another meaning, not when one is added.
pub(crate) const SHAPE: &str = "plugin.chatcluster.dev/v1";

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The ChatCluster; without it, all of the namespace
    pub(crate) name: Option<String>,
    /// All of every namespace
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub(crate) all_namespaces: bool,
    /// Stay, and show each change
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// For programs: what is shown as json or yaml
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
}

/// For programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Yaml,
}

impl Format {
    pub(crate) fn write(self, value: &impl Serialize) -> Result<String, Fault> {
        match self {
            Self::Json => serde_json::to_string_pretty(value)
                .map(|text| text + "\n")
                .map_err(|e| Fault::failed("write JSON", e)),
            Self::Yaml => serde_saphyr::to_string(value).map_err(|e| Fault::failed("write YAML", e)),
        }
    }
}

/// What was read, and how it looks.
#[derive(PartialEq)]
enum Shown {
    One(Box<view::View>),
    All(summary::All),
}

pub(crate) async fn run(options: &Options, cluster: &Cluster, paint: Paint) -> Result<(), Fault> {
    if options.watch {
        return follow::run(options, cluster, paint).await;
    }
    let shown = look(options, cluster).await?;
    crate::text::print(&shown.write(options.output, paint, Timestamp::now())?);
    Ok(())
}

async fn look(options: &Options, cluster: &Cluster) -> Result<Shown, Fault> {
    Ok(match &options.name {
        Some(name) => Shown::One(Box::new(view::of(&Box::pin(read::snapshot(cluster, name)).await?))),
        None => Shown::All(summary::All::of(&read_all(cluster, options.all_namespaces).await?)),
    })
}

impl Shown {
    fn write(&self, format: Option<Format>, paint: Paint, now: Timestamp) -> Result<String, Fault> {
        match (self, format) {
            (Self::One(view), Some(format)) => format.write(view),
            (Self::All(all), Some(format)) => format.write(all),
            (Self::One(view), None) => Ok(draw::tree(view, paint, now)),
            (Self::All(all), None) => Ok(all.draw(paint, now)),
        }
    }
}

#[cfg(test)]
mod tests;
