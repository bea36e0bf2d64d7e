//! Sends commands to Redis in batches, with an answer for each command.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::sync::mpsc;

use super::command::Command;
use super::keeper::{BATCH, ConnectionKeeper, millis};
use super::role;
use super::scripts::{self, Scripts};
use crate::backplane::link::LinkError;
use crate::backplane::store::NONCE_LIFETIME;
use crate::protocol::methods::PublishError;

impl ConnectionKeeper {
    /// Runs commands in batches. While one batch waits for its answers, the next one gathers, so a message
    /// costs fewer round trips the more messages there are.
    pub(super) async fn run_commands(
        &self,
        mut connection: MultiplexedConnection,
        scripts: Scripts,
        commands: &mut mpsc::Receiver<Command>,
    ) -> LinkError {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if commands.recv_many(&mut batch, BATCH).await == 0 {
                return std::future::pending().await;
            }
            let mut commands = redis::Pipeline::with_capacity(batch.len());
            for command in &batch {
                commands.add_command(self.redis_command(&scripts, command));
            }
            // On an early return the receipts are dropped, and report that the result is unknown.
            let answers = match execute(&mut connection, commands).await {
                Ok(answers) => answers,
                Err(error) => return self.settings.lost(&error),
            };
            // A master that became a replica: this connection cannot be used any more.
            let is_replica = answers.iter().any(|answer| answer.as_ref().is_err_and(role::is_refusal));
            for (command, answer) in batch.drain(..).zip(answers) {
                self.report(command, answer);
            }
            if is_replica {
                return self.settings.replica();
            }
        }
    }

    fn redis_command(&self, scripts: &Scripts, command: &Command) -> Cmd {
        match command {
            Command::Store { request, .. } => {
                let history = self.channels.history(&request.room);
                let nonce = request.nonce.as_ref().map(|nonce| self.channels.nonce(&request.room, nonce));
                let mut cmd = match &nonce {
                    Some(nonce) => scripts::call(&scripts.store, &[&history, nonce]),
                    None => scripts::call(&scripts.store, &[&history]),
                };
                cmd.arg(self.channels.room(request.room.as_str()))
                    .arg(&request.body)
                    .arg(self.history.messages)
                    .arg(millis(self.history.lifetime))
                    .arg(millis(NONCE_LIFETIME))
                    .arg(request.at);
                cmd
            }
            Command::Publish { topic, payload, .. } => {
                let mut cmd = redis::cmd("PUBLISH");
                cmd.arg(self.channels.for_topic(topic)).arg(payload);
                cmd
            }
        }
    }

    fn report(&self, command: Command, answer: RedisResult<Value>) {
        match command {
            Command::Store { receipt, .. } => receipt.report(match answer {
                Ok(answer) => match scripts::stored(&answer) {
                    Some((stored, repeated)) => {
                        self.dispatcher.metrics.messages_repeated.inc_by(u64::from(repeated));
                        Ok(stored)
                    }
                    None => Err(PublishError::Refused),
                },
                Err(error) => Err(publish_error(&error)),
            }),
            Command::Publish { receipt, .. } => receipt.report(match answer {
                Ok(_) => Ok(()),
                Err(error) => Err(publish_error(&error)),
            }),
        }
    }
}

/// Runs the commands and returns one answer for each, so that an error of one command does not affect the
/// others.
async fn execute(
    connection: &mut MultiplexedConnection,
    mut commands: redis::Pipeline,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut answers: Vec<RedisResult<Value>> = commands.ignore_errors().query_async(connection).await?;
    let is_unknown = |answer: &RedisResult<Value>| answer.as_ref().is_err_and(scripts::is_unknown);
    if answers.iter().any(is_unknown) {
        // The scripts were flushed. Commands that call unknown scripts had no effect, so they are sent again,
        // in their order. The names of the scripts stay the same, because they are hashes of their content.
        Scripts::load(connection).await?;
        let mut again = redis::Pipeline::new();
        for (command, _) in commands.cmd_iter().zip(&answers).filter(|(_, answer)| is_unknown(answer)) {
            again.add_command(command.clone());
        }
        let mut again =
            again.ignore_errors().query_async::<Vec<RedisResult<Value>>>(connection).await?.into_iter();
        for answer in answers.iter_mut().filter(|answer| is_unknown(answer)) {
            if let Some(next) = again.next() {
                *answer = next;
            }
        }
    }
    Ok(answers)
}

/// The meaning of an error of Redis for the sender of a message.
fn publish_error(error: &RedisError) -> PublishError {
    let code = error.code().unwrap_or("none");
    tracing::warn!(code, "Redis refused a message");
    match code {
        "OOM" => PublishError::Full,
        "READONLY" | "MISCONF" => PublishError::ReadOnly,
        _ => PublishError::Refused,
    }
}
