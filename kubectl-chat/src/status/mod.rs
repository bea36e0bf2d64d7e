//! `kubectl chat status`: one cluster as a tree, or all of them as a table.

mod children;
mod draw;
mod follow;
mod options;
mod shown;
mod summary;
mod view;

use k8s_openapi::jiff::Timestamp;

pub(crate) use options::Options;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::text::Paint;

pub(crate) async fn run(options: &Options, cluster: &Cluster, paint: Paint) -> Result<(), Fault> {
    if options.watch {
        return follow::run(options, cluster, paint).await;
    }
    let shown = shown::look(options, cluster).await?;
    crate::text::print(&shown.write(options.output, paint, Timestamp::now())?);
    Ok(())
}

#[cfg(test)]
mod tests;
