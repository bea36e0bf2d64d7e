//! One connection to Redis, from its login until it breaks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind,
    RedisConnectionInfo, RedisError, RedisResult, Value,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::keeper::{BATCH, ConnectionKeeper, Queues, TIMEOUT, millis};
use super::role;
use super::scripts::{self, Scripts};
use crate::backplane::channels::Channels;
use crate::backplane::dispatcher::Dispatcher;
use crate::backplane::link::LinkError;
use crate::peers;
use crate::protocol::stored_message::StoredMessage;
use crate::rooms::Room;
use crate::rooms::timeline::HistoryPage;
use crate::topics::{SubscriptionChange, Topic};

/// The most histories that are read in one batch: each may have many messages.
const READ_BATCH: usize = 16;

/// The time between two searches for members on hubs that never sent a heartbeat: a foreign sender wrote of
/// them.
const SWEEP: Duration = Duration::from_secs(30);

/// A connection that is subscribed to the topics of this hub.
pub(super) struct SubscribedConnection {
    connection: MultiplexedConnection,
    scripts: Scripts,
    lost: CancellationToken,
    topics: HashSet<Topic>,
}

impl ConnectionKeeper {
    /// Connects, subscribes to heartbeats and to all topics with subscribers here, and catches up with every
    /// room.
    pub(super) async fn connect(&self) -> Result<SubscribedConnection, LinkError> {
        let mut server = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name("chatcluster-hub", env!("CARGO_PKG_VERSION"));
        if let Some(password) = self.settings.password()? {
            server = server.set_password(password);
        }
        let lost = CancellationToken::new();
        let opened = self.open(server, lost.clone()).await;
        let mut connection = opened.map_err(|error| self.settings.connect_error(&error))?;
        match role::is_replica(&mut connection).await {
            Ok(false) => {}
            Ok(true) => return Err(self.settings.replica()),
            Err(error) => return Err(self.settings.connect_error(&error)),
        }
        self.resume(connection, lost).await.map_err(|error| self.settings.connect_error(&error))
    }

    async fn open(
        &self,
        server: RedisConnectionInfo,
        lost: CancellationToken,
    ) -> RedisResult<MultiplexedConnection> {
        let address = ConnectionAddr::Tcp(self.settings.host.clone(), self.settings.port);
        let info = address.into_connection_info()?.set_redis_settings(server);
        let (dispatcher, channels) = (self.dispatcher.clone(), Arc::clone(&self.channels));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_push_sender(move |push| {
                on_push(&push, &dispatcher, &channels, &lost);
                Ok::<(), std::convert::Infallible>(())
            });
        let mut connection =
            Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await?;
        let _: () =
            redis::cmd("CLIENT").arg("SETNAME").arg(&self.identity.pod).query_async(&mut connection).await?;
        Ok(connection)
    }

    /// Resumes the subscriptions before anything is sent on this connection, so that a Redis that came back
    /// with an older state is detected by a hub that knows the newer one.
    async fn resume(
        &self,
        mut connection: MultiplexedConnection,
        lost: CancellationToken,
    ) -> RedisResult<SubscribedConnection> {
        let scripts = Scripts::load(&mut connection).await?;
        let now = Instant::now();
        self.dispatcher.peers.resume(now);
        self.dispatcher.rooms.resume(now);
        let rooms = self.dispatcher.rooms.all();
        let topics = self.dispatcher.subscribed_topics();
        let mut channels = vec![self.channels.heartbeats().to_owned()];
        channels.extend(topics.iter().map(|topic| self.channels.for_topic(topic)));
        for channels in channels.chunks(BATCH) {
            connection.subscribe(channels).await?;
        }
        self.request_member_lists(&mut connection, &rooms).await?;
        self.catch_up(&mut connection, &scripts, rooms).await?;
        Ok(SubscribedConnection { connection, scripts, lost, topics: topics.into_iter().collect() })
    }

    /// Serves until the connection is lost, or returns `Ok` when the hub ends.
    pub(super) async fn serve(
        &self,
        mut subscribed: SubscribedConnection,
        queues: &mut Queues,
    ) -> Result<(), LinkError> {
        let connection = subscribed.connection.clone();
        let (scripts, lost) = (subscribed.scripts.clone(), subscribed.lost.clone());
        let error = tokio::select! {
            error = self.run_commands(connection.clone(), scripts, &mut queues.commands) => return Err(error),
            error = self.apply_changes(&mut subscribed, &mut queues.changes) => error,
            error = self.extend_histories(connection.clone()) => error,
            error = self.send_heartbeats(connection.clone()) => return Err(error),
            () = lost.cancelled() => return Err(self.settings.lost(&"it was closed")),
            () = self.stop.cancelled() => {
                let last_heartbeat = self.dispatcher.peers.last_heartbeat();
                let _ = self.publish_heartbeat(&mut connection.clone(), last_heartbeat).await;
                return Ok(());
            }
        };
        Err(self.settings.lost(&error))
    }

    /// Subscribes to topics that have subscribers now, unsubscribes from those without, and lets rooms catch
    /// up.
    async fn apply_changes(
        &self,
        subscribed: &mut SubscribedConnection,
        changes: &mut mpsc::UnboundedReceiver<SubscriptionChange>,
    ) -> RedisError {
        let mut batch = Vec::with_capacity(BATCH);
        // Changes during the setup of this connection were dropped, so all topics are reevaluated.
        let mut all = subscribed.topics.clone();
        all.extend(self.dispatcher.subscribed_topics());
        if let Err(error) = self.reevaluate(subscribed, all.iter().collect()).await {
            return error;
        }
        loop {
            batch.clear();
            if changes.recv_many(&mut batch, BATCH).await == 0 {
                return std::future::pending().await;
            }
            // Each topic is handled once, in its present state: one that was subscribed and unsubscribed
            // meanwhile needs nothing.
            let topics: HashSet<_> = batch.iter().map(|change| &change.topic).collect();
            if let Err(error) = self.reevaluate(subscribed, topics).await {
                return error;
            }
        }
    }

    async fn reevaluate(
        &self,
        subscribed: &mut SubscribedConnection,
        topics: HashSet<&Topic>,
    ) -> RedisResult<()> {
        let (mut join, mut leave, mut new, mut behind) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for topic in topics {
            let is_subscribed = self.dispatcher.has_subscribers(topic);
            let room = match topic {
                Topic::Room(name) if is_subscribed => self.dispatcher.rooms.find(name.as_str()),
                _ => None,
            };
            // A room also counts as new if it replaced one of the same name, because its members on other
            // hubs are unknown.
            new.extend(room.clone().filter(|room| !room.is_sync_requested()));
            if is_subscribed && subscribed.topics.insert(topic.clone()) {
                join.push(self.channels.for_topic(topic));
            } else if !is_subscribed && subscribed.topics.remove(topic) {
                leave.push(self.channels.for_topic(topic));
            }
            behind.extend(room.filter(|room| room.is_behind()));
        }
        if !join.is_empty() {
            subscribed.connection.subscribe(&join).await?;
        }
        if !leave.is_empty() {
            subscribed.connection.unsubscribe(&leave).await?;
        }
        self.request_member_lists(&mut subscribed.connection, &new).await?;
        self.catch_up(&mut subscribed.connection, &subscribed.scripts, behind).await
    }

    /// Asks the other hubs to publish their members of these rooms. All subscribers of a room's channel will
    /// answer but this hub, which is one of them.
    async fn request_member_lists(
        &self,
        connection: &mut MultiplexedConnection,
        rooms: &[Arc<Room>],
    ) -> RedisResult<()> {
        for rooms in rooms.chunks(BATCH) {
            let mut commands = redis::Pipeline::with_capacity(rooms.len());
            for room in rooms {
                commands
                    .cmd("PUBLISH")
                    .arg(self.channels.room(room.name().as_str()))
                    .arg(room.sync_request());
            }
            let subscribers: Vec<RedisResult<usize>> =
                commands.ignore_errors().query_async(connection).await?;
            for (room, subscribers) in rooms.iter().zip(subscribers) {
                room.sync_requested(subscribers.unwrap_or_default().saturating_sub(1));
            }
        }
        Ok(())
    }

    /// Reads the messages that these rooms have missed.
    async fn catch_up(
        &self,
        connection: &mut MultiplexedConnection,
        scripts: &Scripts,
        mut rooms: Vec<Arc<Room>>,
    ) -> RedisResult<()> {
        let began = Instant::now();
        while !rooms.is_empty() {
            let mut again = Vec::new();
            for rooms in rooms.chunks(READ_BATCH) {
                for (room, answer) in rooms.iter().zip(self.read_histories(connection, scripts, rooms).await?)
                {
                    let (last, messages) = match answer {
                        Ok(answer) => scripts::read(&answer).map(|(last, messages)| {
                            let read = |(position, body): (_, &str)| {
                                StoredMessage::read_body(position, body, &self.identity.instance)
                                    .map(Arc::new)
                            };
                            (last, messages.into_iter().filter_map(read).collect())
                        }),
                        Err(error) if scripts::is_unknown(&error) => {
                            Scripts::load(connection).await?;
                            again.push(Arc::clone(room));
                            continue;
                        }
                        // A full Redis refuses to restart a history; or the key holds no stream.
                        Err(error) => {
                            tracing::warn!(room = %room.name(), code = error.code(), "cannot read a history");
                            None
                        }
                    }
                    .unwrap_or_default();
                    if self.dispatcher.rooms.caught_up(room, HistoryPage { last, messages }) {
                        again.push(Arc::clone(room));
                    }
                    self.dispatcher.metrics.catch_up_seconds.observe(began.elapsed().as_secs_f64());
                }
            }
            rooms = again;
        }
        Ok(())
    }

    async fn read_histories(
        &self,
        connection: &mut MultiplexedConnection,
        scripts: &Scripts,
        rooms: &[Arc<Room>],
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        let mut commands = redis::Pipeline::with_capacity(rooms.len());
        for room in rooms {
            let mut command = scripts::call(&scripts.read, &[&self.channels.history(room.name())]);
            command.arg(self.history.messages).arg(millis(self.history.lifetime));
            if let Some(last) = room.last() {
                command.arg(last.epoch).arg(last.number);
            }
            commands.add_command(command);
        }
        commands.ignore_errors().query_async(connection).await
    }

    /// Extends the lifetime of the histories of rooms that have members.
    async fn extend_histories(&self, mut connection: MultiplexedConnection) -> RedisError {
        let mut ticks = tokio::time::interval((self.history.lifetime / 4).max(Duration::from_millis(100)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for rooms in self.dispatcher.rooms.all().chunks(BATCH) {
                let mut commands = redis::Pipeline::with_capacity(rooms.len());
                for room in rooms {
                    let key = self.channels.history(room.name());
                    commands.cmd("PEXPIRE").arg(key).arg(millis(self.history.lifetime));
                }
                // A Redis that takes no writes is reported when a client sends a message.
                let answers: RedisResult<Vec<RedisResult<Value>>> =
                    commands.ignore_errors().query_async(&mut connection).await;
                if let Err(error) = answers {
                    return error;
                }
            }
        }
    }

    /// Publishes a heartbeat each second. Gives the connection up if the heartbeats do not come back, or if
    /// the Redis has become a replica.
    async fn send_heartbeats(&self, mut connection: MultiplexedConnection) -> LinkError {
        let since = Instant::now();
        let mut swept = since;
        let mut ticks = tokio::time::interval(peers::INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let heartbeat = self.dispatcher.peers.heartbeat(self.dispatcher.metrics.connections.get());
            if let Err(error) = self.publish_heartbeat(&mut connection, heartbeat).await {
                return self.settings.lost(&error);
            }
            match role::is_replica(&mut connection).await {
                Ok(false) => {}
                Ok(true) => return self.settings.replica(),
                Err(error) => return self.settings.lost(&error),
            }
            let now = Instant::now();
            for instance in self.dispatcher.peers.newly_silent(now) {
                tracing::warn!(instance, "a hub has fallen silent");
                self.dispatcher.forget_hub(&instance);
            }
            if now.duration_since(swept) > SWEEP {
                swept = now;
                self.dispatcher.retain_hubs(&self.dispatcher.peers.instances(), now);
            }
            let is_delivering =
                self.dispatcher.peers.own_heartbeat_age(now).is_some_and(|age| age < peers::STALE);
            if !is_delivering && now.duration_since(since) > peers::STALE {
                return self.settings.lost(&"it answers, but delivers nothing");
            }
        }
    }

    async fn publish_heartbeat(
        &self,
        connection: &mut MultiplexedConnection,
        heartbeat: String,
    ) -> RedisResult<()> {
        redis::cmd("PUBLISH").arg(self.channels.heartbeats()).arg(heartbeat).query_async(connection).await
    }
}

/// Dispatches a push message. This runs in the connection's own task, so that a message needs no further hop
/// to its members.
fn on_push(push: &PushInfo, dispatcher: &Dispatcher, channels: &Channels, lost: &CancellationToken) {
    match push.kind {
        PushKind::Message => {
            if let [Value::BulkString(channel), Value::BulkString(payload)] = push.data.as_slice() {
                dispatcher.dispatch(channels, channel, payload);
            }
        }
        PushKind::Disconnection => lost.cancel(),
        _ => {}
    }
}
