//! One connection, from its login until it breaks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind,
    RedisConnectionInfo, RedisError, RedisResult, Value,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{BATCH, Change, Keeper, Publication, Queues, TIMEOUT};
use crate::backplane::channels::Channels;
use crate::backplane::link::LinkError;
use crate::backplane::{Inbound, PublishError};
use crate::canary;
use crate::protocol::room::RoomName;

/// A connection that is subscribed.
pub(super) struct Session {
    connection: MultiplexedConnection,
    lost: CancellationToken,
    pub(super) subscribed: HashSet<RoomName>,
}

impl Keeper {
    /// Connects, and subscribes to the canary and to every room with a member.
    pub(super) async fn connect(&self) -> Result<Session, LinkError> {
        let mut server = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name("chatcluster-hub", env!("CARGO_PKG_VERSION"));
        if let Some(password) = self.settings.password()? {
            server = server.set_password(password);
        }
        let lost = CancellationToken::new();
        let connected = self.open(server, lost.clone()).await;
        let mut connection = connected.map_err(|error| self.settings.connect_error(&error))?;

        let rooms: HashSet<_> = self.inbound.rooms.names().into_iter().collect();
        let mut wanted = vec![self.channels.canary().to_owned()];
        wanted.extend(rooms.iter().map(|room| self.channels.room(room.as_str())));
        for channels in wanted.chunks(BATCH) {
            connection.subscribe(channels).await.map_err(|error| self.settings.connect_error(&error))?;
        }
        Ok(Session { connection, lost, subscribed: rooms })
    }

    async fn open(
        &self,
        server: RedisConnectionInfo,
        lost: CancellationToken,
    ) -> RedisResult<MultiplexedConnection> {
        let address = ConnectionAddr::Tcp(self.settings.host.clone(), self.settings.port);
        let info = address.into_connection_info()?.set_redis_settings(server);
        let (inbound, channels) = (self.inbound.clone(), Arc::clone(&self.channels));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_push_sender(move |push| {
                on_push(push, &inbound, &channels, &lost);
                Ok::<(), std::convert::Infallible>(())
            });
        let mut connection =
            Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await?;
        let _: () = redis::cmd("CLIENT").arg("SETNAME").arg(&self.pod).query_async(&mut connection).await?;
        Ok(connection)
    }

    /// Publishes, follows the rooms and beats until the connection is lost, or with `Ok` until the hub ends.
    pub(super) async fn serve(&self, mut session: Session, queues: &mut Queues) -> Result<(), LinkError> {
        let (rooms, lost) = (session.connection.clone(), session.lost.clone());
        let error = tokio::select! {
            error = publish(session.connection.clone(), &self.channels, &mut queues.publications) => error,
            error = self.follow_rooms(rooms, &mut session.subscribed, &mut queues.changes) => error,
            error = self.beat(session.connection.clone()) => return Err(error),
            () = lost.cancelled() => return Err(self.settings.lost(&"it was closed")),
            () = self.stop.cancelled() => {
                let farewell = self.inbound.canary.farewell();
                let _ = self.send_beat(&mut session.connection, farewell).await;
                return Ok(());
            }
        };
        Err(self.settings.lost(&error))
    }

    /// Subscribes to rooms that have members now and unsubscribes from those that have none.
    async fn follow_rooms(
        &self,
        mut connection: MultiplexedConnection,
        subscribed: &mut HashSet<RoomName>,
        changes: &mut mpsc::UnboundedReceiver<Change>,
    ) -> RedisError {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            batch.clear();
            if changes.recv_many(&mut batch, BATCH).await == 0 {
                return std::future::pending().await;
            }
            // Each room once, as it is now: a room that came and went meanwhile needs nothing.
            let rooms: HashSet<_> = batch.iter().map(|change| &change.room).collect();
            let (mut join, mut leave) = (Vec::new(), Vec::new());
            for room in rooms {
                let wanted = self.inbound.rooms.has_members(room.as_str());
                if wanted && subscribed.insert(room.clone()) {
                    join.push(self.channels.room(room.as_str()));
                } else if !wanted && subscribed.remove(room) {
                    leave.push(self.channels.room(room.as_str()));
                }
            }
            if !join.is_empty()
                && let Err(error) = connection.subscribe(&join).await
            {
                return error;
            }
            if !leave.is_empty()
                && let Err(error) = connection.unsubscribe(&leave).await
            {
                return error;
            }
        }
    }

    /// Sends a beat each second, and gives up on a connection that does not bring them back.
    async fn beat(&self, mut connection: MultiplexedConnection) -> LinkError {
        let since = Instant::now();
        let mut ticks = tokio::time::interval(canary::INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let beat = self.inbound.canary.beat();
            if let Err(error) = self.send_beat(&mut connection, beat).await {
                return self.settings.lost(&error);
            }
            let now = Instant::now();
            let heard = self.inbound.canary.own_age(now).is_some_and(|age| age < canary::STALE);
            if !heard && now.duration_since(since) > canary::STALE {
                return self.settings.lost(&"it answers, but delivers nothing");
            }
        }
    }

    async fn send_beat(&self, connection: &mut MultiplexedConnection, beat: String) -> RedisResult<()> {
        redis::cmd("PUBLISH").arg(self.channels.canary()).arg(beat).query_async(connection).await
    }
}

/// Publishes what gathers, a batch at a time. While one batch waits for its answers the next one gathers, so the
/// busier it is, the fewer round trips a message costs.
async fn publish(
    mut connection: MultiplexedConnection,
    channels: &Channels,
    publications: &mut mpsc::Receiver<Publication>,
) -> RedisError {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        if publications.recv_many(&mut batch, BATCH).await == 0 {
            return std::future::pending().await;
        }
        let mut commands = redis::Pipeline::with_capacity(batch.len());
        for Publication { room, message, .. } in &batch {
            commands.cmd("PUBLISH").arg(channels.room(room.as_str())).arg(message);
        }
        // One answer for each, so that one bad one does not speak for the others.
        let answers: RedisResult<Vec<RedisResult<u64>>> =
            commands.ignore_errors().query_async(&mut connection).await;
        match answers {
            Ok(answers) => {
                for (Publication { receipt, .. }, answer) in batch.drain(..).zip(answers) {
                    receipt.report(match answer {
                        Ok(0) => Err(PublishError::Unheard),
                        Ok(_) => Ok(()),
                        Err(_) => Err(PublishError::Refused),
                    });
                }
            }
            // The receipts are dropped, and say that it is not known how it went.
            Err(error) => return error,
        }
    }
}

/// Runs in the connection's own task, so that a message needs no further hop to its members.
fn on_push(push: PushInfo, inbound: &Inbound, channels: &Channels, lost: &CancellationToken) {
    match push.kind {
        PushKind::Message => {
            if let Ok([Value::BulkString(channel), Value::BulkString(payload)]) =
                <[Value; 2]>::try_from(push.data)
            {
                inbound.hear(channels, &channel, payload);
            }
        }
        PushKind::Disconnection => lost.cancel(),
        _ => {}
    }
}
