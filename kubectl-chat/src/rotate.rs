//! `kubectl chat rotate-password`: replaces a password that the operator has generated. It is the only
//! command that touches a Secret: it deletes the Secret, and never reads it.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use chatcluster_api::names::redis_auth;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DeleteParams;

use crate::cluster::Cluster;
use crate::fault::{Fault, is_missing};
use crate::model::{Chat, held};
use crate::text::print;

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The ChatCluster
    name: String,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Result<(), Fault> {
    let chat = cluster.chat(&options.name).await?;
    let secret = secret(&chat, &options.name)?;
    if !options.yes {
        ask(&options.name)?;
    }
    match cluster.api::<Secret>().delete(&secret, &DeleteParams::default()).await {
        Ok(_) => {
            print(&format!(
                "Secret {secret} is deleted; the operator makes one with another password, and has Redis and the hubs use it.\n\
                 Follow with: kubectl chat status {} -w (PasswordCurrent)\n",
                options.name
            ));
            Ok(())
        }
        Err(error) if is_missing(&error) => Err(Fault::Refused(format!(
            "Secret {secret} is not there: the operator is about to make one; see: kubectl chat status {}",
            options.name
        ))),
        Err(error) => Err(Fault::of(format!("delete Secret {secret}"), &error)),
    }
}

/// The Secret to delete, if its deletion makes the operator generate a new password.
fn secret(chat: &Chat, name: &str) -> Result<String, Fault> {
    if let Some(own) = &chat.spec.redis.auth.existing_secret {
        let own = &own.name;
        return Err(Fault::Refused(format!(
            "the password of {name} is your own, from Secret {own}: write another into that Secret, and the operator follows"
        )));
    }
    if let Some(why) = held(chat) {
        return Err(Fault::Refused(format!("nobody would make a new password now; {why}")));
    }
    Ok(redis_auth(name))
}

fn ask(name: &str) -> Result<(), Fault> {
    let what = format!(
        "Redis of {name} restarts with another password, and each hub follows when its node shows it the new one, within \
         about a minute. Until then messages from one hub may not reach another."
    );
    if !std::io::stdin().is_terminal() {
        return Err(Fault::Refused(format!("{what} Say that you want this with --yes")));
    }
    eprint!("{what}\nGo on? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Fault::No("nothing was changed".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(spec: &serde_json::Value) -> Chat {
        serde_json::from_value(
            serde_json::json!({"apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
            "metadata": {"name": "lobby"}, "spec": spec}),
        )
        .unwrap()
    }

    #[test]
    fn only_a_generated_password_is_replaced_and_only_while_somebody_makes_another() {
        let own = serde_json::json!({"redis": {"auth": {"existingSecret": {"name": "mine"}}}});

        assert_eq!(secret(&chat(&serde_json::json!({})), "lobby").unwrap(), "lobby-redis-auth");
        assert!(secret(&chat(&own), "lobby").unwrap_err().to_string().contains("from Secret mine"));
        assert!(
            secret(&chat(&serde_json::json!({"paused": true})), "lobby")
                .unwrap_err()
                .to_string()
                .contains("paused")
        );
    }
}
