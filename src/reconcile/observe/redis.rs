//! The operator as a client of Redis, which finds out whether Redis takes the password, and who is
//! subscribed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError,
};

use crate::reconcile::validate::Password;
use chatcluster_api::names::{OPERATOR, REDIS_PORT};

/// The timeout of a connection, and of each answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The time for which an answer is reused while nothing that it depends on has changed.
const REUSE: Duration = Duration::from_mins(5);

/// The answer of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisReport {
    /// Redis was not asked: it has no running pod, or there is no password yet.
    NotAsked,
    /// Redis could not be reached.
    Unreachable {
        /// The error of the last attempt.
        error: String,
        /// The number of attempts that failed in a row: a network policy takes a moment to let a new pod be
        /// reached.
        times: u32,
    },
    /// Redis does not take the password.
    PasswordRejected,
    /// Redis takes the password, and these clients are subscribed.
    Answers(Vec<Subscriber>),
}

/// A client of Redis with at least one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The name set by CLIENT SETNAME; empty if none was set.
    pub name: String,
    /// The address from which the client connected; `None` if it is no IP address.
    pub address: Option<IpAddr>,
}

/// The state on which an answer of Redis depends: while it stays the same, so does the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeInputs {
    /// Redis's pod: its uid, the number of restarts of its container, and whether it is ready.
    pub redis: (String, i32, bool),
    /// The address of Redis's pod.
    pub address: IpAddr,
    /// The revision of the password.
    pub revision: String,
    /// The names and addresses of the ready hub pods, each of which should be subscribed.
    pub hubs: Vec<(String, Option<IpAddr>)>,
}

impl ProbeInputs {
    /// Returns the names of the ready hub pods that `report` does not show subscribed.
    pub fn unsubscribed<'a>(&'a self, report: &RedisReport) -> Vec<&'a str> {
        let RedisReport::Answers(subscribers) = report else {
            return self.hubs.iter().map(|(name, _)| name.as_str()).collect();
        };
        let seen = |name: &str, address: Option<IpAddr>| {
            subscribers.iter().any(|s| s.name == name || (address.is_some() && s.address == address))
        };
        self.hubs
            .iter()
            .filter(|(name, address)| !seen(name, *address))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// Asks Redis, and remembers its last answer about each cluster.
#[derive(Debug, Default)]
pub struct RedisProbe {
    /// The last answer about each cluster with the inputs and the time of asking, by the cluster's uid.
    answers: Mutex<HashMap<String, (ProbeInputs, RedisReport, Instant)>>,
}

impl RedisProbe {
    /// Returns the answer of Redis; from memory where nothing has changed since it last answered well.
    pub async fn ask(&self, uid: &str, inputs: &ProbeInputs, password: &Password) -> RedisReport {
        let mut failed_before = 0;
        if let Some((asked, report, at)) = self.lock().get(uid) {
            match report {
                RedisReport::Answers(_)
                    if asked == inputs && at.elapsed() < REUSE && inputs.unsubscribed(report).is_empty() =>
                {
                    return report.clone();
                }
                RedisReport::Unreachable { times, .. } => failed_before = *times,
                RedisReport::Answers(_) | RedisReport::PasswordRejected | RedisReport::NotAsked => {}
            }
        }
        let mut report = ask(inputs.address, password).await;
        if let RedisReport::Unreachable { times, .. } = &mut report {
            *times += failed_before;
        }
        self.lock().insert(uid.to_owned(), (inputs.clone(), report.clone(), Instant::now()));
        report
    }

    /// Drops the answer about a deleted cluster.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (ProbeInputs, RedisReport, Instant)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(address: IpAddr, password: &Password) -> RedisReport {
    match query(address, password).await {
        Ok(clients) => RedisReport::Answers(subscribers(&clients)),
        Err(error) if is_rejection(&error) => RedisReport::PasswordRejected,
        Err(error) => RedisReport::Unreachable { error: error.to_string(), times: 1 },
    }
}

async fn query(address: IpAddr, password: &Password) -> Result<String, RedisError> {
    let settings = RedisConnectionInfo::default()
        .set_password(password.reveal())
        .set_lib_name(OPERATOR, env!("CARGO_PKG_VERSION"));
    let info = ConnectionAddr::Tcp(address.to_string(), REDIS_PORT)
        .into_connection_info()?
        .set_redis_settings(settings);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    let mut connection: MultiplexedConnection =
        Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await?;
    let _: String = redis::cmd("PING").query_async(&mut connection).await?;
    redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("PUBSUB").query_async(&mut connection).await
}

fn is_rejection(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"))
}

/// Parses the answer of CLIENT LIST (<https://redis.io/docs/latest/commands/client-list/>): a client on each
/// line, `field=value` separated by spaces.
fn subscribers(clients: &str) -> Vec<Subscriber> {
    clients.lines().filter_map(subscriber).collect()
}

fn subscriber(line: &str) -> Option<Subscriber> {
    let field = |wanted: &str| {
        line.split(' ')
            .find_map(|field| field.split_once('=').filter(|(name, _)| *name == wanted))
            .map(|(_, v)| v)
    };
    let count = |name| field(name).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    if count("sub") + count("psub") + count("ssub") == 0 {
        return None;
    }
    let (host, _port) = field("addr")?.rsplit_once(':')?;
    Some(Subscriber {
        name: field("name").unwrap_or_default().to_owned(),
        address: host.trim_matches(['[', ']']).parse().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENTS: &str = "\
id=4 addr=10.1.2.3:5000 laddr=10.1.2.9:6379 fd=8 name=lobby-hub-a db=0 sub=2 psub=0 ssub=0 cmd=subscribe user=default\n\
id=5 addr=[fd00::7]:5001 laddr=[fd00::9]:6379 fd=9 name= db=0 sub=0 psub=1 ssub=0 cmd=psubscribe user=default\n\
id=6 addr=10.1.2.4:5002 laddr=10.1.2.9:6379 fd=10 name=idle db=0 sub=0 psub=0 ssub=0 cmd=ping user=default\n";

    fn inputs(hubs: &[(&str, Option<&str>)]) -> ProbeInputs {
        ProbeInputs {
            redis: ("uid".to_owned(), 0, true),
            address: "10.1.2.9".parse().unwrap(),
            revision: "r".to_owned(),
            hubs: hubs.iter().map(|(n, ip)| ((*n).to_owned(), ip.map(|ip| ip.parse().unwrap()))).collect(),
        }
    }

    #[test]
    fn only_clients_with_a_subscription_count() {
        let found = subscribers(CLIENTS);

        assert_eq!(
            found,
            [
                Subscriber { name: "lobby-hub-a".to_owned(), address: Some("10.1.2.3".parse().unwrap()) },
                Subscriber { name: String::new(), address: Some("fd00::7".parse().unwrap()) },
            ]
        );
    }

    #[test]
    fn a_hub_is_seen_by_its_name_or_by_its_address() {
        let report = RedisReport::Answers(subscribers(CLIENTS));

        let inputs = inputs(&[
            ("lobby-hub-a", None),
            ("lobby-hub-b", Some("fd00::7")),
            ("idle", Some("10.1.2.4")),
            ("lobby-hub-c", None),
        ]);

        assert_eq!(inputs.unsubscribed(&report), ["idle", "lobby-hub-c"]);
        assert_eq!(inputs.unsubscribed(&RedisReport::PasswordRejected).len(), 4);
    }
}
