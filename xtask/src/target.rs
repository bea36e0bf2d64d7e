//! The cluster that commands act on: the project's own, one of kind, or that of a kube-context.

use crate::{repo, sh};
use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs};

/// The name of the cluster that `cluster` and `demo` share.
pub(crate) const SHARED_NAME: &str = "chatcluster-cluster";

/// The values of `--target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Choice {
    /// The project's own cluster (`cluster/`)
    Own,
    /// A cluster of kind, in Docker
    Kind,
    /// The cluster of a kube-context
    Context,
}

/// The cluster that the command line or the environment asks for; if neither does, [`Target::choose`] picks
/// one.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct TargetOptions {
    /// Use the cluster of this kube-context
    #[arg(long, env = "CHATCLUSTER_CONTEXT", value_name = "NAME", global = true)]
    pub(crate) context: Option<String>,
    /// own, kind or context [default: the context if one is named, kind if it and Docker work, else own]
    #[arg(long, env = "CHATCLUSTER_TARGET", value_name = "TARGET", global = true)]
    pub(crate) target: Option<Choice>,
}

/// A cluster, with the way to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Started by `cluster/cluster`, under this `CLUSTER_NAME`.
    Own { name: String },
    /// Created by kind, under this name.
    Kind { name: String },
    /// Belongs to somebody else: it is never started or ended from here.
    Context { name: String },
}

impl Target {
    /// The cluster that was asked for; otherwise kind where it works, otherwise our own.
    pub(crate) fn choose(wish: &TargetOptions, own_name: &str) -> Result<Self> {
        Self::pick(wish, own_name, kind_works)
    }

    fn pick(wish: &TargetOptions, own_name: &str, kind_works: impl FnOnce() -> bool) -> Result<Self> {
        let named = |variable, default: &str| env::var(variable).unwrap_or_else(|_| default.to_owned());
        let choice = match (wish.target, &wish.context) {
            (Some(Choice::Context), None) => {
                bail!("which context? Name it: --context NAME or CHATCLUSTER_CONTEXT")
            }
            (Some(choice), _) => choice,
            (None, Some(_)) => Choice::Context,
            (None, None) if kind_works() => Choice::Kind,
            (None, None) => Choice::Own,
        };
        Ok(match choice {
            Choice::Own => Self::Own { name: named("CLUSTER_NAME", own_name) },
            Choice::Kind => Self::Kind { name: named("CHATCLUSTER_KIND_NAME", "chatcluster") },
            Choice::Context => Self::Context { name: wish.context.clone().unwrap_or_default() },
        })
    }

    /// A description for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Own { name } => format!("the project's own cluster ({name})"),
            Self::Kind { name } => format!("the kind cluster {name}"),
            Self::Context { name } => format!("the cluster of the kube-context {name}"),
        }
    }

    /// kubectl as administrator, without arguments.
    pub(crate) fn kubectl(&self) -> Result<Command> {
        self.tool("kubectl")
    }

    /// helm as administrator, without arguments.
    pub(crate) fn helm(&self) -> Result<Command> {
        self.tool("helm")
    }

    /// A command that runs where the API server and load balancer addresses can be reached, with `KUBECONFIG`
    /// set.
    pub(crate) fn exec(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        match self {
            Self::Own { .. } => {
                let mut c = self.script("exec");
                c.arg(program);
                Ok(c)
            }
            Self::Kind { .. } | Self::Context { .. } => {
                let mut c = Command::new(program);
                c.env("KUBECONFIG", self.kubeconfig()?).env("PATH", path_with_ours());
                Ok(c)
            }
        }
    }

    /// Loads an image from a docker archive on every node.
    pub(crate) fn load(&self, archive: &Path) -> Result<()> {
        match self {
            Self::Own { .. } => sh::quiet(self.script("load").arg(archive)),
            Self::Kind { name } => {
                sh::quiet(sh::cmd("kind", ["load", "image-archive", "--name", name]).arg(archive))
            }
            Self::Context { .. } => bail!(
                "images cannot be put on another's cluster: push them to a registry that it pulls from (`images --push HOST/PATH`; `demo` and `test` take --registry)"
            ),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        match self {
            Self::Own { .. } => sh::works(self.script("kubectl").args(["get", "--raw", "/readyz"])),
            Self::Kind { name } => sh::output(&mut sh::cmd("kind", ["get", "clusters"]))
                .is_ok_and(|list| list.lines().any(|l| l == name)),
            Self::Context { .. } => true,
        }
    }

    /// True if the programs that it needs are built, so that it starts in seconds.
    pub(crate) fn is_built(&self) -> bool {
        !matches!(self, Self::Own { .. }) || repo::cluster_cache().join("images/redis.tar").is_file()
    }

    /// Starts it unless it runs, and builds the programs for it first.
    pub(crate) fn up(&self, nodes: u8) -> Result<()> {
        if self.is_up() {
            return Ok(());
        }
        match self {
            Self::Own { .. } => {
                sh::run(&mut self.script("build"))?;
                sh::run_shielded(&mut self.script("down"))?; // one that was started halfway, if any
                sh::run(self.script("up").arg(nodes.to_string()))
            }
            Self::Kind { name } => {
                let config = repo::root().join("manifests/kind.yaml");
                let mut c =
                    sh::cmd("kind", ["create", "cluster", "--wait", "180s", "--name", name, "--config"]);
                c.arg(config);
                if let Ok(image) = env::var("CHATCLUSTER_KIND_IMAGE") {
                    c.args(["--image", &image]);
                }
                sh::run(&mut c)
            }
            Self::Context { .. } => Ok(()),
        }
    }

    /// Ends it; safe at any time. The cluster of a named context is left alone.
    pub(crate) fn down(&self) -> Result<()> {
        match self {
            Self::Own { .. } => sh::run_shielded(&mut self.script("down")),
            Self::Kind { name } => {
                sh::run_shielded(&mut sh::cmd("kind", ["delete", "cluster", "--name", name]))
            }
            Self::Context { .. } => Ok(()),
        }
    }

    /// The longest time until a Service of type `LoadBalancer` has an address; after it, there is no load
    /// balancer.
    pub(crate) fn patience_for_an_address(&self) -> Duration {
        match self {
            Self::Own { .. } => Duration::from_mins(1),
            Self::Kind { .. } => Duration::ZERO,
            Self::Context { .. } => Duration::from_mins(3), // a cloud first starts a machine for it
        }
    }

    /// `cluster/cluster COMMAND` for our own cluster.
    pub(crate) fn script(&self, command: &str) -> Command {
        let mut c = sh::cmd(repo::cluster_script(), [command]);
        if let Self::Own { name } = self {
            c.env("CLUSTER_NAME", name);
        }
        c
    }

    /// The folder in which our own cluster keeps logs and state, computed as its script does.
    pub(crate) fn state(&self) -> Option<PathBuf> {
        let Self::Own { name } = self else { return None };
        Some(env::var_os("CLUSTER_STATE").map_or_else(|| Path::new("/run").join(name), PathBuf::from))
    }

    fn tool(&self, name: &str) -> Result<Command> {
        if let Self::Own { .. } = self {
            return Ok(self.script(name));
        }
        if !sh::in_path(name) && !repo::cluster_cache().join("bin").join(name).is_file() {
            sh::run(sh::cmd(repo::cluster_script(), ["build"]).arg(name))
                .with_context(|| format!("no {name} here, and it cannot be built: install it"))?;
        }
        self.exec(name)
    }

    /// A kubeconfig of this cluster alone, below the target folder. It is written once, as a process acts on
    /// one cluster.
    fn kubeconfig(&self) -> Result<&'static Path> {
        static WRITTEN: OnceLock<PathBuf> = OnceLock::new();
        if let Some(file) = WRITTEN.get() {
            return Ok(file);
        }
        let file = self.write_kubeconfig()?;
        Ok(WRITTEN.get_or_init(|| file))
    }

    fn write_kubeconfig(&self) -> Result<PathBuf> {
        let (name, text) = match self {
            Self::Own { .. } => bail!("the own cluster's script brings its kubeconfig"),
            Self::Kind { name } => {
                (name, sh::output(&mut sh::cmd("kind", ["get", "kubeconfig", "--name", name]))?)
            }
            Self::Context { name } => {
                let view = ["config", "view", "--minify", "--flatten", "--context", name];
                (name, sh::output(sh::cmd("kubectl", view).env("PATH", path_with_ours()))?)
            }
        };
        let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let file = repo::scratch("kubeconfig")?.join(safe);
        let _ = fs::remove_file(&file);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)?
            .write_all(text.as_bytes())?;
        Ok(file)
    }
}

/// True if Docker answers and kind is installed.
fn kind_works() -> bool {
    sh::in_path("kind") && docker_works()
}

pub(crate) fn docker_works() -> bool {
    sh::in_path("docker") && sh::works(&mut sh::cmd("docker", ["info"]))
}

/// The PATH, with the kubectl and helm that our own cluster's build leaves at its end.
fn path_with_ours() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":");
    path.push(repo::cluster_cache().join("bin"));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(target: Option<Choice>, context: Option<&str>) -> TargetOptions {
        TargetOptions { target, context: context.map(str::to_owned) }
    }

    #[test]
    fn a_named_context_wins_over_kind() {
        let t = Target::pick(&wish(None, Some("prod")), "own", || true).unwrap();
        assert_eq!(t, Target::Context { name: "prod".into() });
    }

    #[test]
    fn kind_is_taken_where_it_works_and_our_own_elsewhere() {
        assert!(matches!(Target::pick(&wish(None, None), "own", || true).unwrap(), Target::Kind { .. }));
        assert!(matches!(Target::pick(&wish(None, None), "own", || false).unwrap(), Target::Own { .. }));
    }

    #[test]
    fn the_override_wins_and_needs_no_look_at_docker() {
        let look = || unreachable!("asked for Docker");
        let t = Target::pick(&wish(Some(Choice::Own), Some("prod")), "own", look).unwrap();
        assert!(matches!(t, Target::Own { .. }));
    }

    #[test]
    fn a_context_must_be_named() {
        assert!(Target::pick(&wish(Some(Choice::Context), None), "own", || false).is_err());
    }
}
