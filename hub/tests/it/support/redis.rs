//! A Redis server with a password, on loopback.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::{Folder, until, within};

pub(crate) struct Redis {
    folder: Folder,
    port: u16,
    password: String,
    /// Further lines of the configuration.
    more: &'static str,
    process: Option<Child>,
}

impl Redis {
    /// Starts a server, and waits until it answers.
    pub(crate) async fn start(password: &str) -> Self {
        let mut redis = Self::reserve(password);
        redis.start_again().await;
        redis
    }

    /// Starts a server that keeps everything that it confirmed when it starts again. With `appendfsync
    /// everysec` it would answer up to two seconds before it writes, whenever its disk is slow.
    pub(crate) async fn durable(password: &str) -> Self {
        let mut redis = Self { more: "appendonly yes\nappendfsync always\n", ..Self::reserve(password) };
        redis.start_again().await;
        redis
    }

    /// A server that has not started: its port is chosen, and nothing listens there.
    pub(crate) fn reserve(password: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("the port has a number").port();
        Self { folder: Folder::new(), port, password: password.into(), more: "", process: None }
    }

    pub(crate) async fn start_again(&mut self) {
        assert!(self.process.is_none(), "Redis runs already");
        let mut process = Command::new(program(self.folder.path()))
            .arg("-") // the configuration comes on standard input, so that no argument shows the password
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server starts");
        let configuration = format!(
            "bind 127.0.0.1\nport {}\nrequirepass {}\nsave \"\"\n{}",
            self.port, self.password, self.more
        );
        let mut input = process.stdin.take().expect("its input is a pipe");
        input.write_all(configuration.as_bytes()).await.expect("Redis reads its configuration");
        drop(input);
        self.process = Some(process);
        until("Redis answers", async || self.ask(&["PING"]).await.ok()).await;
    }

    /// Kills the process, as a failing node would.
    pub(crate) async fn kill(&mut self) {
        let mut process = self.process.take().expect("Redis runs");
        within("Redis ends", process.kill()).await.expect("Redis can be killed");
    }

    pub(crate) fn change_password(&mut self, password: &str) {
        password.clone_into(&mut self.password);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().and_then(Child::id).expect("Redis runs")
    }

    /// The answer of Redis to a command, sent with the password.
    pub(crate) async fn ask(&self, command: &[&str]) -> redis::RedisResult<redis::Value> {
        use redis::IntoConnectionInfo;
        let address = redis::ConnectionAddr::Tcp("127.0.0.1".into(), self.port);
        let login = redis::RedisConnectionInfo::default().set_password(&self.password);
        let info = address.into_connection_info()?.set_redis_settings(login);
        let mut connection = redis::Client::open(info)?.get_multiplexed_async_connection().await?;
        let (name, arguments) = command.split_first().expect("a command has a name");
        redis::cmd(name).arg(arguments).query_async(&mut connection).await
    }

    /// The channels that have subscribers, sorted.
    pub(crate) async fn channels(&self) -> Vec<String> {
        let channels = self.ask(&["PUBSUB", "CHANNELS"]).await.expect("Redis answers");
        let mut channels: Vec<String> = redis::from_redis_value(channels).expect("a list of names");
        channels.sort();
        channels
    }
}

/// `redis-server`, or the same program under the name that Debian's redis-tools gives it.
fn program(folder: &Path) -> PathBuf {
    let find = |name: &str| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
    };
    if let Some(server) = find("redis-server") {
        return server;
    }
    let Some(checker) = find("redis-check-rdb") else {
        panic!("these tests need redis-server in PATH, or redis-check-rdb (Debian: redis-tools)");
    };
    let link = folder.join("redis-server");
    if !link.exists() {
        std::os::unix::fs::symlink(checker, &link).expect("a link can be made");
    }
    link
}
