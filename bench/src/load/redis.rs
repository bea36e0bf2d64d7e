//! Statistics of Redis: the commands that it has carried out, and the subscriptions to its channels.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

/// A connection that is logged in.
pub(super) struct Redis(BufReader<TcpStream>);

/// How often each command was carried out since Redis started.
pub(super) type Commands = BTreeMap<String, u64>;

impl Redis {
    pub(super) fn connect(port: u16, password: &str) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect to Redis")?;
        stream.set_nodelay(true)?;
        let mut redis = Self(BufReader::new(stream));
        redis.ask(&["AUTH", password]).context("Redis does not take the password")?;
        Ok(redis)
    }

    pub(super) fn commands(&mut self) -> Result<Commands> {
        Ok(calls(&self.ask(&["INFO", "commandstats"])?.concat()))
    }

    /// The channels whose names contain `part`, with the number of connections subscribed to each.
    pub(super) fn subscriptions(&mut self, part: &str) -> Result<BTreeMap<String, u64>> {
        let channels = self.ask(&["PUBSUB", "CHANNELS", &format!("*{part}*")])?;
        let mut question = vec!["PUBSUB", "NUMSUB"];
        question.extend(channels.iter().map(String::as_str));
        let answer = self.ask(&question)?;
        answer.chunks_exact(2).map(|pair| Ok((pair[0].clone(), pair[1].parse()?))).collect()
    }

    /// The strings and numbers of the answer, in order.
    fn ask(&mut self, command: &[&str]) -> Result<Vec<String>> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            let _ = write!(request, "${}\r\n{word}\r\n", word.len());
        }
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut words = Vec::new();
        let mut expected = 1;
        while expected > 0 {
            expected -= 1;
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let (kind, value) = line.trim_end().split_at_checked(1).context("Redis hung up")?;
            match kind {
                "*" => expected += value.parse::<usize>()?,
                "$" => {
                    let mut text = vec![0; value.parse::<usize>()? + 2];
                    self.0.read_exact(&mut text)?;
                    text.truncate(text.len() - 2);
                    words.push(String::from_utf8(text)?);
                }
                "+" | ":" => words.push(value.to_owned()),
                _ => bail!("Redis: {value}"),
            }
        }
        Ok(words)
    }
}

/// Reads lines such as `cmdstat_publish:calls=7,usec=…`; leaves out the commands that are sent here.
fn calls(info: &str) -> Commands {
    info.lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="))
        .filter(|(name, _)| !["info", "auth", "pubsub|channels", "pubsub|numsub"].contains(name))
        .filter_map(|(name, rest)| Some((name.to_owned(), rest.split(',').next()?.parse().ok()?)))
        .collect()
}

/// The commands carried out between two looks.
pub(super) fn since(before: &Commands, after: &Commands) -> Commands {
    let mut since = after.clone();
    for (name, count) in &mut since {
        *count -= before.get(name).copied().unwrap_or_default().min(*count);
    }
    since.retain(|_, count| *count > 0);
    since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_counted_but_not_our_own() {
        let before =
            calls("# Commandstats\r\ncmdstat_publish:calls=7,usec=3\r\ncmdstat_info:calls=1,usec=1\r\n");
        let after = calls(
            "cmdstat_publish:calls=9,usec=3\r\ncmdstat_xadd:calls=2,usec=1\r\ncmdstat_ping:calls=0,usec=0",
        );

        assert_eq!(before, Commands::from([("publish".to_owned(), 7)]));
        assert_eq!(
            since(&before, &after),
            Commands::from([("publish".to_owned(), 2), ("xadd".to_owned(), 2)])
        );
    }
}
