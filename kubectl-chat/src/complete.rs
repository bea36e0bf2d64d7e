//! Completion. kubectl asks a program named `kubectl_complete-chat` for the words that may follow `kubectl
//! chat …`. That program calls `kubectl-chat __complete`, which answers as cobra's programs do: a candidate
//! with its description on each line, then a directive.

use clap::{Arg, Command, FromArgMatches as _, ValueEnum};
use clap_complete::Shell;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::ListParams;

use crate::cluster::Access;
use crate::fault::Fault;
use crate::text::print;

/// cobra's `ShellCompDirectiveNoFileComp`: the shell offers no file names in addition.
const NO_FILES: &str = ":4";

const FOR_KUBECTL: &str = "#!/bin/sh
# kubectl's own completion asks this program for the words that may follow `kubectl chat`. Make it executable, and put
# it in the PATH under the name kubectl_complete-chat.
exec kubectl-chat __complete -- \"$@\"
";

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// kubectl: a program for kubectl's own completion, to save in the PATH as kubectl_complete-chat; the
    /// shells: for the command kubectl-chat
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Kubectl,
    Bash,
    Zsh,
    Fish,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Asked {
    /// The words after `kubectl chat`, the last of them unfinished
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

#[allow(clippy::unnecessary_wraps, reason = "as the other commands")]
pub(crate) fn scripts(options: &Options, command: &mut Command) -> Result<(), Fault> {
    let shell = match options.what {
        What::Kubectl => {
            print(FOR_KUBECTL);
            return Ok(());
        }
        What::Bash => Shell::Bash,
        What::Zsh => Shell::Zsh,
        What::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "kubectl-chat", &mut script);
    print(&String::from_utf8_lossy(&script));
    Ok(())
}

/// Whatever goes wrong, the shell gets a list, even if an empty one: an error would appear in the middle of
/// the user's line.
#[allow(clippy::unnecessary_wraps, reason = "as the other commands")]
pub(crate) async fn answer(asked: &Asked, command: &Command) -> Result<(), Fault> {
    let mut command = command.clone();
    command.build();
    let candidates = match wanted(&asked.words, &command) {
        Wanted::These(words) => words,
        Wanted::Clusters => clusters(&access(&asked.words, command)).await.unwrap_or_default(),
        Wanted::Namespaces => namespaces(&access(&asked.words, command)).await.unwrap_or_default(),
        Wanted::Contexts => access(&asked.words, command).contexts(),
    };
    let unfinished = asked.words.last().map_or("", String::as_str);
    let mut lines: Vec<&str> =
        candidates.iter().map(String::as_str).filter(|c| c.starts_with(unfinished)).collect();
    lines.push(NO_FILES);
    print(
        &(lines.join(
            "
",
        ) + "
"),
    );
    Ok(())
}

/// The candidates at the cursor.
#[derive(Debug, PartialEq)]
enum Wanted {
    These(Vec<String>),
    Clusters,
    Namespaces,
    Contexts,
}

fn wanted(words: &[String], command: &Command) -> Wanted {
    let (unfinished, before) = words.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
    let mut at = command;
    let mut positional = 0;
    let mut value_of = None;
    for word in before {
        if value_of.take().is_some() {
            continue;
        }
        if word.starts_with('-') {
            value_of = option(at, word).filter(|arg| arg.get_action().takes_values() && !word.contains('='));
        } else if let Some(sub) = at.find_subcommand(word) {
            at = sub;
        } else {
            positional += 1;
        }
    }
    if let Some(arg) = value_of {
        return values(arg);
    }
    if unfinished.starts_with('-') {
        return Wanted::These(
            at.get_arguments().filter(|a| !a.is_positional()).filter_map(described).collect(),
        );
    }
    if at.has_subcommands() {
        let shown = at.get_subcommands().filter(|sub| !sub.is_hide_set());
        return Wanted::These(shown.map(|sub| line(sub.get_name(), sub.get_about())).collect());
    }
    let next = at.get_positionals().nth(positional);
    next.map_or(Wanted::These(Vec::new()), values)
}

fn option<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
    command.get_arguments().find(|arg| {
        if word.starts_with("--") {
            arg.get_long() == Some(name)
        } else {
            arg.get_short() == name.chars().next()
        }
    })
}

fn values(arg: &Arg) -> Wanted {
    match arg.get_id().as_str() {
        "name" => Wanted::Clusters,
        "namespace" => Wanted::Namespaces,
        "context" => Wanted::Contexts,
        _ => {
            Wanted::These(arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect())
        }
    }
}

fn described(arg: &Arg) -> Option<String> {
    arg.get_long().map(|long| line(&format!("--{long}"), arg.get_help()))
}

fn line(word: &str, help: Option<&clap::builder::StyledStr>) -> String {
    help.map_or_else(|| word.to_owned(), |help| format!("{word}\t{help}"))
}

/// The cluster to ask, by the options that are on the line already.
fn access(words: &[String], command: Command) -> Access {
    let line = std::iter::once("kubectl-chat".to_owned()).chain(words.iter().cloned());
    let Ok(matches) = command.ignore_errors(true).try_get_matches_from(line) else {
        return Access::default();
    };
    let below = matches.subcommand().map_or(&matches, |(_, below)| below);
    Access::from_arg_matches(below).unwrap_or_default()
}

async fn clusters(access: &Access) -> Option<Vec<String>> {
    let list = access.open().await.ok()?.chats().list(&ListParams::default()).await.ok()?;
    Some(list.items.iter().map(ResourceExt::name_any).collect())
}

async fn namespaces(access: &Access) -> Option<Vec<String>> {
    let list = access.open().await.ok()?.global::<Namespace>().list(&ListParams::default()).await.ok()?;
    Some(list.items.iter().map(ResourceExt::name_any).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn ask(line: &str) -> Wanted {
        let mut command = crate::cli::Cli::command();
        command.build();
        wanted(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), &command)
    }

    fn words(wanted: Wanted) -> Vec<String> {
        let Wanted::These(lines) = wanted else { panic!("{wanted:?}") };
        lines.iter().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn the_first_word_is_a_command_and_the_next_a_cluster() {
        let commands = words(ask("st"));

        assert!(
            commands.contains(&"status".into()) && commands.contains(&"rotate-password".into()),
            "{commands:?}"
        );
        assert!(!commands.contains(&"__complete".into()), "{commands:?}");
        assert_eq!(ask("status "), Wanted::Clusters);
        assert_eq!(ask("-n town status lo"), Wanted::Clusters);
        assert_eq!(ask("status lobby "), Wanted::These(vec![]));
    }

    #[test]
    fn options_and_their_values_are_known() {
        assert!(words(ask("restart --")).contains(&"--redis".into()));
        assert!(words(ask("restart --")).contains(&"--namespace".into()));
        assert_eq!(ask("status -n "), Wanted::Namespaces);
        assert_eq!(ask("status --context "), Wanted::Contexts);
        assert_eq!(words(ask("status -o ")), ["json", "yaml"]);
        assert_eq!(words(ask("completion ")), ["kubectl", "bash", "zsh", "fish"]);
    }

    #[test]
    fn the_namespace_is_taken_from_the_unfinished_line() {
        let line: Vec<String> = ["status", "-n", "town", "lo"].map(str::to_owned).into();

        let access = access(&line, crate::cli::Cli::command());

        assert_eq!(access.namespace.as_deref(), Some("town"));
    }
}
