//! Messages to everyone in a room: as fast as they come back, or on a schedule.

use super::connections::subscriptions;
use super::driver::{Counts, Driver, Load};
use super::figures::{Measured, figures, rounded};
use super::histogram::Histogram;
use super::meter::{Meter, Used};
use super::options::{Mode, Options};
use super::text::Stamp;
use super::track::{Track, Verdict};
use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The wait for late duplicates.
const AFTERWARDS: Duration = Duration::from_millis(200);

struct Traffic<'a> {
    options: &'a Options,
    text: Vec<u8>,
    payload: Vec<u8>,
    /// The place of the text in records.
    place: usize,
    /// By publisher and number: how many members do not have the message yet.
    left: Vec<Vec<u32>>,
    /// By member, then publisher.
    tracks: Vec<Track>,
    /// Publishers that are to send a message now.
    turns: Vec<usize>,
    on_way: usize,
    /// Deliveries of the whole run, duplicates aside.
    unique: u64,
    duplicated: u64,
    out_of_order: u64,
    phase: Phase,
}

/// Figures since the start of the warm-up, or of the measurement.
struct Phase {
    latency: Histogram,
    /// The delay of the generator itself, behind its schedule.
    lateness: Histogram,
    published: u64,
    delivered: u64,
    /// The number of the next message of the schedule.
    next: u64,
    /// The time for which the driver's timer is set.
    alarm: u64,
    start: u64,
    end: u64,
    last: u64,
}

impl Phase {
    fn new(start: u64, length: f64) -> Self {
        Self {
            latency: Histogram::new(),
            lateness: Histogram::new(),
            published: 0,
            delivered: 0,
            next: 0,
            alarm: 0,
            start,
            end: start + (length * 1e9) as u64,
            last: start,
        }
    }
}

impl Load for Traffic<'_> {
    fn record(&mut self, member: usize, record: &[u8], at: u64) {
        let Some(stamp) = Stamp::read(record, &mut self.place) else { return };
        let said =
            self.left.get_mut(stamp.publisher).and_then(|numbers| numbers.get_mut(stamp.number as usize));
        let Some(left) = said else {
            self.duplicated += 1; // a message that was never sent here
            return;
        };
        match self.tracks[member * self.options.publishers + stamp.publisher].see(stamp.number) {
            Verdict::InOrder => {}
            Verdict::OutOfOrder => self.out_of_order += 1,
            Verdict::Duplicate => {
                self.duplicated += 1;
                return;
            }
        }
        self.unique += 1;
        self.phase.delivered += 1;
        self.phase.last = at;
        self.phase.latency.add(at.saturating_sub(stamp.at));
        *left -= 1;
        if *left == 0 {
            self.on_way -= 1;
            if self.options.mode == Mode::Broadcast && at < self.phase.end {
                self.turns.push(stamp.publisher);
            }
        }
    }

    fn between(&mut self, driver: &mut Driver) -> Result<()> {
        if self.options.mode == Mode::Rate {
            self.keep_schedule(driver)?;
        }
        while let Some(publisher) = self.turns.pop() {
            self.publish(driver, publisher, driver.now());
        }
        Ok(())
    }
}

impl<'a> Traffic<'a> {
    fn new(options: &'a Options) -> Self {
        let tracks = options.connections * options.publishers;
        Self {
            options,
            text: vec![0; options.text_bytes.into()],
            payload: Vec::new(),
            place: 0,
            left: vec![Vec::new(); options.publishers],
            tracks: std::iter::repeat_with(Track::default).take(tracks).collect(),
            turns: Vec::new(),
            on_way: 0,
            unique: 0,
            duplicated: 0,
            out_of_order: 0,
            phase: Phase::new(0, 0.0),
        }
    }

    fn publish(&mut self, driver: &mut Driver, publisher: usize, at: u64) {
        let numbers = &mut self.left[publisher];
        let number = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        numbers.push(u32::try_from(self.options.connections).unwrap_or(u32::MAX));
        Stamp { publisher, number, at }.write(&mut self.text);
        self.on_way += 1;
        self.phase.published += 1;
        driver.say(publisher, &self.text, &mut self.payload);
    }

    /// The time at which the next message of the schedule is due.
    fn due(&self) -> u64 {
        self.phase.start + (self.phase.next as f64 * 1e9 / self.options.rate) as u64
    }

    /// Publishes the messages that are due. Latency counts from the time at which a message was due, so that
    /// it includes a delay of the generator.
    fn keep_schedule(&mut self, driver: &mut Driver) -> Result<()> {
        loop {
            let (due, now) = (self.due(), driver.now());
            if due >= self.phase.end {
                return Ok(());
            }
            if due > now {
                if self.phase.alarm != due {
                    self.phase.alarm = due;
                    driver.wake_in(Duration::from_nanos(due - now))?;
                }
                return Ok(());
            }
            let publisher = usize::try_from(self.phase.next).unwrap_or_default() % self.options.publishers;
            self.publish(driver, publisher, due);
            self.phase.lateness.add(now - due);
            self.phase.next += 1;
        }
    }

    /// Publishes for a while, then waits until everyone has everything. Returns false if something is lost.
    fn run_phase(&mut self, driver: &mut Driver, length: f64) -> Result<bool> {
        self.phase = Phase::new(driver.now(), length);
        if self.options.mode == Mode::Broadcast {
            // Each publisher always has the same number of messages in flight.
            self.turns.extend((0..self.options.window).map(|i| i % self.options.publishers));
        }
        loop {
            self.between(driver)?;
            let now = driver.now();
            let said = match self.options.mode {
                // The whole schedule is sent, even if the generator itself was held up beyond its end.
                Mode::Rate => self.due() >= self.phase.end,
                _ => now >= self.phase.end,
            };
            if said && self.on_way == 0 {
                return Ok(true);
            }
            if self.on_way > 0 && now.saturating_sub(self.phase.last) as f64 > self.options.patience * 1e9 {
                return Ok(false);
            }
            driver.poll(Duration::from_millis(100), self)?;
        }
    }

    fn lost(&self) -> u64 {
        let said: usize = self.left.iter().map(Vec::len).sum();
        (said * self.options.connections) as u64 - self.unique
    }
}

/// Figures of a run; the counts that have to be 0 include the warm-up.
#[derive(Serialize)]
struct Flow {
    publishers: usize,
    text_bytes: u16,
    seconds: f64,
    published: u64,
    delivered: u64,
    lost: u64,
    duplicated: u64,
    out_of_order: u64,
    deliveries_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    most_ms: f64,
    server_cpu_us_per_delivery: f64,
    redis_cpu_us_per_message: f64,
    generator_cpu_us_per_delivery: f64,
    generator_cpu_percent: f64,
    cores_busy: f64,
    deliveries_per_frame: f64,
    deliveries_per_read: f64,
    bytes_per_delivery: f64,
    segments_per_delivery: f64,
    redis_commands_per_message: f64,
    redis_commands: Map<String, Value>,
    room_subscriptions: u64,
}

pub(super) fn run(driver: &mut Driver, meter: &mut Meter, options: &Options) -> Result<Measured> {
    if options.mode == Mode::Rate {
        // At a fixed rate there is time to spare, so the generator gets priority, as if it had a machine of
        // its own. Under full load it takes its turn, or it would preempt the servers at every frame. Without
        // the right to raise its priority, the figure for lateness shows it.
        let _ = rustix::process::nice(-10);
    }
    driver.connect(options.connections, options.width, Duration::from_mins(1))?;
    let mut traffic = Traffic::new(options);
    let mut complete = traffic.run_phase(driver, options.warm_up)?;
    driver.counts = Counts::default();
    let before = meter.read()?;
    complete = complete && traffic.run_phase(driver, options.seconds)?;
    let used = before.until(&meter.read()?);
    let counts = driver.counts;
    if complete {
        driver.listen(AFTERWARDS, &mut traffic)?;
    }

    let room_subscriptions = subscriptions(meter, options)?;
    let mut all = figures(flow(&traffic, &used, counts, room_subscriptions))?;
    match options.mode {
        Mode::Rate => {
            all.insert("rate".into(), options.rate.into());
            all.insert("late_p99_ms".into(), json!(rounded(traffic.phase.lateness.at(0.99))));
        }
        _ => drop(all.insert("window".into(), options.window.into())),
    }
    Ok((used, all))
}

fn flow(traffic: &Traffic, used: &Used, counts: Counts, room_subscriptions: u64) -> Flow {
    let (options, phase) = (traffic.options, &traffic.phase);
    let delivered = phase.delivered.max(1) as f64;
    let messages = phase.published.max(1) as f64;
    let took = (phase.last - phase.start) as f64 / 1e9;
    Flow {
        publishers: options.publishers,
        text_bytes: options.text_bytes,
        seconds: took,
        published: phase.published,
        delivered: phase.delivered,
        lost: traffic.lost(),
        duplicated: traffic.duplicated,
        out_of_order: traffic.out_of_order,
        deliveries_per_s: phase.delivered as f64 / took.max(1e-9),
        p50_ms: phase.latency.at(0.5),
        p99_ms: phase.latency.at(0.99),
        p999_ms: phase.latency.at(0.999),
        most_ms: phase.latency.most(),
        server_cpu_us_per_delivery: used.servers * 1e6 / delivered,
        redis_cpu_us_per_message: used.redis * 1e6 / messages,
        generator_cpu_us_per_delivery: used.own * 1e6 / delivered,
        generator_cpu_percent: used.own / used.seconds * 100.0,
        cores_busy: used.busy(),
        deliveries_per_frame: delivered / counts.messages.max(1) as f64,
        deliveries_per_read: delivered / counts.reads.max(1) as f64,
        bytes_per_delivery: counts.bytes as f64 / delivered,
        segments_per_delivery: used.segments as f64 / delivered,
        redis_commands_per_message: used.commands.values().sum::<u64>() as f64 / messages,
        redis_commands: used.commands.iter().map(|(name, count)| (name.clone(), (*count).into())).collect(),
        room_subscriptions,
    }
}
