//! The status of one cluster or of all, as it is printed.

use k8s_openapi::jiff::Timestamp;

use super::options::Options;
use super::{draw, summary, view};
use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::output::Format;
use crate::read;
use crate::text::Paint;

/// The status that was read.
#[derive(PartialEq)]
pub(super) enum Shown {
    One(Box<view::View>),
    All(summary::All),
}

pub(super) async fn look(options: &Options, cluster: &Cluster) -> Result<Shown, Fault> {
    Ok(match &options.name {
        Some(name) => Shown::One(Box::new(view::of(&Box::pin(read::snapshot(cluster, name)).await?))),
        None => Shown::All(summary::All::of(&read::chats(cluster, options.all_namespaces).await?)),
    })
}

impl Shown {
    pub(super) fn write(
        &self,
        format: Option<Format>,
        paint: Paint,
        now: Timestamp,
    ) -> Result<String, Fault> {
        match (self, format) {
            (Self::One(view), Some(format)) => format.write(view),
            (Self::All(all), Some(format)) => format.write(all),
            (Self::One(view), None) => Ok(draw::tree(view, paint, now)),
            (Self::All(all), None) => Ok(all.draw(paint, now)),
        }
    }
}
