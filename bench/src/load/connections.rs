//! Measures connections by themselves: how fast they are made, and what they cost while nothing happens.

use super::driver::{Driver, Listening};
use super::figures::{Measured, figures};
use super::meter::Meter;
use super::options::Options;
use anyhow::Result;
use serde::Serialize;
use std::time::Duration;

/// Connections made before the measured ones, so that threads have started and pools are filled.
const FIRST: usize = 100;
/// The longest wait for all connections to join.
const PATIENCE: Duration = Duration::from_mins(3);

#[derive(Serialize)]
struct Connecting {
    connections_per_s: f64,
    /// The time from connect(2) to joined.
    connect_p50_ms: f64,
    connect_p99_ms: f64,
    server_cpu_us_per_connection: f64,
    generator_cpu_us_per_connection: f64,
    cores_busy: f64,
    room_subscriptions: u64,
}

pub(super) fn connect(driver: &mut Driver, meter: &mut Meter, options: &Options) -> Result<Measured> {
    driver.connect(FIRST.min(options.connections), options.width, PATIENCE)?;
    let warm = driver.members.len();
    let before = meter.read()?;
    driver.connect(options.connections, options.width, PATIENCE)?;
    let used = before.until(&meter.read()?);

    let mut took: Vec<u64> = driver.members[warm..].iter().filter_map(|m| m.took).collect();
    took.sort_unstable();
    let count = took.len() as f64;
    let at = |share: f64| took[(share * (count - 1.0)) as usize] as f64 / 1e6;
    let connecting = Connecting {
        connections_per_s: count / used.seconds,
        connect_p50_ms: at(0.5),
        connect_p99_ms: at(0.99),
        server_cpu_us_per_connection: used.servers * 1e6 / count,
        generator_cpu_us_per_connection: used.own * 1e6 / count,
        cores_busy: used.busy(),
        room_subscriptions: subscriptions(meter, options)?,
    };
    Ok((used, figures(connecting)?))
}

#[derive(Serialize)]
struct Idle {
    /// The memory of all nodes with only the first connections.
    rss_first_mib: f64,
    rss_mib: f64,
    rss_kib_per_connection: f64,
    /// In percent of one core, pings included.
    cpu_percent_per_1000_connections: f64,
    seconds: f64,
    redis_commands_per_s: f64,
    room_subscriptions: u64,
}

pub(super) fn idle(driver: &mut Driver, meter: &mut Meter, options: &Options) -> Result<Measured> {
    driver.connect(FIRST.min(options.connections), options.width, PATIENCE)?;
    driver.listen(Duration::from_secs_f64(options.warm_up), &mut Listening)?;
    let first = meter.resident();
    driver.connect(options.connections, options.width, PATIENCE)?;
    // A pause, in which memory that only connecting needed is given back.
    driver.listen(Duration::from_secs_f64(options.warm_up * 2.0), &mut Listening)?;
    let resident = meter.resident();
    let before = meter.read()?;
    driver.listen(Duration::from_secs_f64(options.seconds), &mut Listening)?;
    let used = before.until(&meter.read()?);

    let all = driver.members.len() as f64;
    let idle = Idle {
        rss_first_mib: first / 1024.0,
        rss_mib: resident / 1024.0,
        rss_kib_per_connection: (resident - first) / options.connections as f64,
        cpu_percent_per_1000_connections: used.servers / used.seconds * 100.0 / all * 1000.0,
        seconds: used.seconds,
        redis_commands_per_s: used.commands.values().sum::<u64>() as f64 / used.seconds,
        room_subscriptions: subscriptions(meter, options)?,
    };
    Ok((used, figures(idle)?))
}

/// The number of subscriptions that hubs have on Redis to channels of the room.
pub(super) fn subscriptions(meter: &mut Meter, options: &Options) -> Result<u64> {
    let Some(redis) = &mut meter.redis else { return Ok(0) };
    Ok(redis.subscriptions(&options.room)?.values().sum())
}
