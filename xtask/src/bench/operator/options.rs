//! The command line of `cargo xtask bench operator`.

use std::path::PathBuf;

pub(crate) const MEASURES: &str = "\
The control plane is real (cluster/cluster sim: etcd, API server, controllers, scheduler), its nodes are not: no container runs,
and the least of a Redis answers at every pod's address, so that clusters become ready. For each number of clusters there is a
control plane of its own. The operator is the program of its image, with the settings and the rights of the chart.

  create   All at once: until every child is there, and until the operator has no more to do; requests for each cluster
  rest     Nothing happens: requests, processor time and memory
  drift    Children are deleted and changed, one by one, and on a tenth of all clusters at once: until they are repaired
  restart  Another process of the operator: until it has looked at every cluster; lists and writes
  churn    Ten spec changes a second: until each has reached its child; the queue
  delete   All of them: until nothing is left

  real     With real pods, on two nodes: from kubectl apply to the first message that crosses two hubs, ten times

The floor is a bare client that makes the same objects, as many at a time, while no operator runs; with real pods,
kubectl apply of the same objects by hand. docs/performance.md says more.

Fails when the operator asks the API server for more than it should. It never fails because of times.";

#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools)] // flags, each with a meaning of its own
pub(crate) struct Operator {
    /// The numbers of clusters, each in a run of its own
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    pub(super) clusters: Vec<usize>,
    /// The numbers of clusters in runs where no controller creates pods
    #[arg(long, value_delimiter = ',', default_value = "10000", num_args = 0.., value_name = "CLUSTERS")]
    pub(super) without_pods: Vec<usize>,
    /// The length of the phase "rest"
    #[arg(long, default_value_t = 300)]
    pub(super) rest_seconds: u64,
    /// The number of children that are spoilt one by one in "drift"
    #[arg(long, default_value_t = 100)]
    pub(super) drifts: u64,
    /// The time for which specs change in "churn"
    #[arg(long, default_value_t = 120)]
    pub(super) churn_seconds: u64,
    /// The number of rounds with real pods, by the operator and by hand; 0: none
    #[arg(long, default_value_t = 10)]
    real_rounds: usize,
    /// Measure another build of the operator (not with real pods)
    #[arg(long = "operator", value_name = "PROGRAM")]
    pub(super) program: Option<PathBuf>,
    /// Write every result to this file, one line of JSON each
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Measure nothing, and read results that --json has written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "json"])]
    pub(super) from: Option<PathBuf>,
    /// Write the tables and the plot to docs/
    #[arg(long)]
    pub(super) document: bool,
    /// Only create and delete, to compare builds of the operator
    #[arg(long, conflicts_with_all = ["check", "document"])]
    pub(super) create_only: bool,
    /// Leave out the floor and the deletion, which take most of the time with many clusters
    #[arg(long, conflicts_with_all = ["check", "create_only"])]
    pub(super) without_floor: bool,
    /// Leave the last control plane running, to look at it
    #[arg(long)]
    pub(super) keep: bool,
    /// Use 50 clusters and unoptimised programs: only the counts mean something
    #[arg(long, conflicts_with_all = ["document", "clusters", "without_pods", "program"])]
    pub(super) check: bool,
}

/// One run: a number of clusters, with or without pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) clusters: usize,
    pub(super) pods: bool,
}

impl Operator {
    /// All runs, the smallest first.
    pub(super) fn runs(&self) -> Vec<Run> {
        if self.check {
            return vec![Run { clusters: 50, pods: true }];
        }
        let with = self.clusters.iter().map(|&clusters| Run { clusters, pods: true });
        let without = self.without_pods.iter().map(|&clusters| Run { clusters, pods: false });
        let mut runs: Vec<Run> = with.chain(without).filter(|run| run.clusters > 0).collect();
        runs.sort_by_key(|run| run.clusters);
        runs
    }

    pub(super) fn real_rounds(&self) -> usize {
        if self.check || self.create_only || self.without_floor { 0 } else { self.real_rounds }
    }

    /// The arguments of the program in `bench/operator` for these options.
    pub(super) fn phases(&self) -> Vec<String> {
        if self.check {
            return ["--counts-only", "--rest-seconds", "10"].map(str::to_owned).to_vec();
        }
        let Self { rest_seconds, drifts, churn_seconds, .. } = self;
        let numbers =
            [("rest-seconds", *rest_seconds), ("drifts", *drifts), ("churn-seconds", *churn_seconds)];
        let numbers = numbers.map(|(name, number)| format!("--{name}={number}"));
        let only = [(self.create_only, "--create-only"), (self.without_floor, "--without-floor")];
        let only = only.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.to_owned());
        numbers.into_iter().chain(only).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        operator: Operator,
    }

    fn runs(arguments: &[&str]) -> Vec<(usize, bool)> {
        let Only { operator } = Only::parse_from([&["bench"], arguments].concat());
        operator.runs().into_iter().map(|run| (run.clusters, run.pods)).collect()
    }

    #[test]
    fn each_number_has_a_run_and_those_without_pods_can_be_left_out() {
        assert_eq!(runs(&[]), [(100, true), (1000, true), (10_000, false)]);
        assert_eq!(runs(&["--clusters", "200,20", "--without-pods"]), [(20, true), (200, true)]);
        assert_eq!(runs(&["--clusters", "0", "--without-pods", "70"]), [(70, false)]);
        assert_eq!(runs(&["--check"]), [(50, true)]);
    }

    #[test]
    fn real_pods_belong_to_a_whole_run() {
        let rounds =
            |arguments: &[&str]| Only::parse_from([&["bench"], arguments].concat()).operator.real_rounds();

        assert_eq!(rounds(&[]), 10);
        for part in ["--check", "--create-only", "--without-floor"] {
            assert_eq!(rounds(&[part]), 0, "{part}");
        }
    }
}
