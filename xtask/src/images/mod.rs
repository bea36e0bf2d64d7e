//! The operator's and the hub's image: static musl binaries on nothing, by Docker or buildah, whichever is
//! there.

mod build;
mod builder;
mod deliver;

pub(crate) use build::{Image, binaries, build, digest};
pub(crate) use builder::Builder;
pub(crate) use deliver::{load, push};

use crate::interrupt;
use crate::target::{SHARED_NAME, Target, TargetOptions};
use anyhow::Result;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Push them to REGISTRY/chatcluster-operator and REGISTRY/chatcluster-hub, tagged with the version
    #[arg(long, value_name = "REGISTRY")]
    push: Option<String>,
    /// Load them on every node of the cluster
    #[arg(long)]
    load: bool,
    #[command(flatten)]
    at: TargetOptions,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::catch()?;
    let images = build()?;
    for image in &images {
        println!("{}  {}", image.reference, image.archive.display());
        if let Some(registry) = &options.push {
            println!("pushed {}", push(image, registry)?);
        }
    }
    if options.load {
        let target = Target::choose(&options.at, SHARED_NAME)?;
        for image in &images {
            load(&target, image)?;
        }
        println!("loaded on {}", target.describe());
    }
    Ok(())
}
