//! The runs of a bench, in their order, with the arguments of the load generator. Pure.

use super::options::{Hub, Mode, Protocol};
use clap::ValueEnum;

/// The servers that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Hub(Protocol),
    /// The null server, with one frame in each write(2)
    Floor,
    /// The null server, with up to 16 frames in each write(2)
    FloorBatch,
}

impl System {
    /// All of them, in the order of a table's columns.
    pub(super) const ALL: [Self; 5] = [
        Self::Hub(Protocol::Json),
        Self::Hub(Protocol::Messagepack),
        Self::Hub(Protocol::Mixed),
        Self::Floor,
        Self::FloorBatch,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hub(Protocol::Json) => "hub json",
            Self::Hub(Protocol::Messagepack) => "hub messagepack",
            Self::Hub(Protocol::Mixed) => "hub mixed",
            Self::Floor => "floor",
            Self::FloorBatch => "floor-batch",
        }
    }

    fn protocol(self) -> &'static str {
        match self {
            Self::Hub(Protocol::Json) => "json",
            Self::Hub(Protocol::Messagepack) => "messagepack",
            Self::Hub(Protocol::Mixed) => "mixed",
            Self::Floor | Self::FloorBatch => "raw",
        }
    }
}

/// The length of the null server's texts: its frames have 120 bytes, two of which are their head.
const FLOOR_TEXT: usize = 118;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) round: usize,
    pub(super) mode: Mode,
    pub(super) system: System,
}

impl Run {
    /// The arguments of the load generator.
    pub(super) fn arguments(&self, options: &Hub) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut give = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        let floor = !matches!(self.system, System::Hub(_));
        give("mode", self.mode.name().into());
        give("protocol", self.system.protocol().into());
        give("connections", connections(options, self.mode).to_string());
        give("text-bytes", if floor { FLOOR_TEXT } else { options.text_bytes }.to_string());
        match self.mode {
            Mode::Broadcast => {
                give("window", options.window.to_string());
                give("seconds", options.seconds.to_string());
            }
            Mode::Rate => {
                give("rate", options.rate.to_string());
                give("seconds", options.seconds.to_string());
            }
            Mode::Connect => {}
            Mode::Idle => give("seconds", options.idle_seconds.to_string()),
        }
        arguments
    }
}

fn connections(options: &Hub, mode: Mode) -> usize {
    match mode {
        Mode::Broadcast => options.connections,
        Mode::Rate => options.rate_connections,
        Mode::Connect => options.connect_connections,
        Mode::Idle => options.idle_connections,
    }
}

/// The most connections that one process has at a time.
pub(super) fn most_connections(options: &Hub) -> usize {
    options.modes.iter().map(|&mode| connections(options, mode)).max().unwrap_or_default()
}

/// The runs in their order. Systems take turns, so that changes over time affect all of them.
pub(super) fn runs(options: &Hub) -> Vec<Run> {
    let mut runs = Vec::new();
    for round in 1..=options.rounds {
        for mode in Mode::ALL.into_iter().filter(|mode| options.modes.contains(mode)) {
            if mode == Mode::Idle && round > 1 {
                continue;
            }
            for system in System::ALL.into_iter().filter(|system| takes_part(options, mode, *system)) {
                runs.push(Run { round, mode, system });
            }
        }
    }
    runs
}

fn takes_part(options: &Hub, mode: Mode, system: System) -> bool {
    match system {
        System::Hub(protocol) => options.protocols.contains(&protocol),
        // The null server's connections use memory of the kernel only, which nothing here measures.
        System::Floor => !options.no_floor && mode != Mode::Idle,
        System::FloorBatch => !options.no_floor && matches!(mode, Mode::Broadcast | Mode::Rate),
    }
}

/// Small runs for counts: every mode and protocol, in seconds.
pub(super) fn small(options: &Hub) -> Hub {
    Hub {
        modes: options.modes.clone(),
        protocols: Protocol::value_variants().to_vec(),
        rounds: 1,
        seconds: 1.0,
        connections: 40,
        window: 8,
        rate_connections: 60,
        rate: 50.0,
        connect_connections: 100,
        idle_connections: 100,
        idle_seconds: 1.0,
        text_bytes: options.text_bytes,
        no_floor: false,
        append_only: options.append_only,
        max_other: options.max_other,
        command: None,
        json: options.json.clone(),
        document: false,
        check: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        hub: Hub,
    }

    fn options(arguments: &[&str]) -> Hub {
        Only::parse_from([&["bench"], arguments].concat()).hub
    }

    #[test]
    fn systems_take_turns_and_idle_runs_once() {
        let options = options(&["--rounds", "2", "--modes", "idle,broadcast", "--protocols", "mixed"]);

        let order: Vec<_> = runs(&options).into_iter().map(|r| (r.round, r.mode, r.system.name())).collect();

        let round = |round| ["hub mixed", "floor", "floor-batch"].map(|name| (round, Mode::Broadcast, name));
        assert_eq!(order[..3], round(1));
        assert_eq!(order[3], (1, Mode::Idle, "hub mixed"));
        assert_eq!(order[4..], round(2));
    }

    #[test]
    fn descriptors_are_counted_for_the_modes_that_run() {
        assert_eq!(most_connections(&options(&[])), 8000);
        assert_eq!(most_connections(&options(&["--modes", "broadcast,connect"])), 2000);
    }

    #[test]
    fn the_null_server_gets_texts_that_fill_its_frames() {
        let run = Run { round: 1, mode: Mode::Rate, system: System::Floor };
        let arguments = run.arguments(&options(&["--rate", "20"])).join(" ");

        assert_eq!(
            arguments,
            "--mode rate --protocol raw --connections 1000 --text-bytes 118 --rate 20 --seconds 6"
        );
    }
}
