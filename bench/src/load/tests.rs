//! The generator against the null server, on loopback: a run without faults, and every kind of fault.

use super::options::{Mode, Options, Protocol};
use super::{Outcome, run};
use crate::floor::{self, Fault};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Two addresses with free ports.
fn free() -> [SocketAddr; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// Two nodes, which live as long as the test's process.
fn servers(batch: usize, fault: Option<Fault>) -> Vec<SocketAddr> {
    let [a, b] = free();
    for (listen, peer) in [(a, b), (b, a)] {
        thread::spawn(move || floor::run(&floor::Options { listen, peer, batch, fault }));
        let patience = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(listen).is_err() {
            assert!(Instant::now() < patience, "the null server does not listen");
            thread::yield_now();
        }
    }
    vec![a, b]
}

fn load(mode: Mode, nodes: Vec<SocketAddr>) -> Outcome {
    run(&options(mode, nodes)).expect("the run ends well")
}

fn options(mode: Mode, nodes: Vec<SocketAddr>) -> Options {
    Options {
        mode,
        protocol: Protocol::Raw,
        nodes,
        pids: Vec::new(),
        redis_port: None,
        redis_pid: None,
        redis_password_file: None,
        room: "bench".into(),
        connections: 10,
        publishers: 2,
        window: 8,
        rate: 500.0,
        text_bytes: 118,
        seconds: 0.5,
        warm_up: 0.0,
        patience: 2.0,
        width: 4,
    }
}

fn counts(outcome: &Outcome) -> [u64; 3] {
    ["lost", "duplicated", "out_of_order"].map(|name| outcome.figures[name].as_u64().unwrap())
}

#[test]
fn everyone_gets_everything_at_any_batch() {
    for (mode, batch) in [(Mode::Broadcast, 1), (Mode::Broadcast, 16), (Mode::Rate, 1)] {
        let outcome = load(mode, servers(batch, None));

        assert_eq!(counts(&outcome), [0, 0, 0]);
        assert_eq!(outcome.closed, 0);
        let [published, delivered] = ["published", "delivered"].map(|f| outcome.figures[f].as_u64().unwrap());
        assert!(published > 0);
        assert_eq!(delivered, published * 10);
    }
}

#[test]
fn the_schedule_is_kept_whatever_comes_back() {
    let outcome = load(Mode::Rate, servers(1, Some(Fault::OutOfOrder)));

    assert_eq!(outcome.figures["published"], 250);
}

#[test]
fn a_message_is_said_when_it_is_due_and_not_at_some_later_tick() {
    let options = Options { rate: 2.0, seconds: 2.0, ..options(Mode::Rate, servers(1, None)) };

    let outcome = run(&options).unwrap();

    assert_eq!(outcome.figures["published"], 4);
    let late = outcome.figures["late_p99_ms"].as_f64().unwrap();
    assert!(late < 50.0, "{late} ms");
}

#[test]
fn a_fault_is_noticed_and_taken_for_no_other() {
    for (fault, index) in [(Fault::Lost, 0), (Fault::Duplicated, 1), (Fault::OutOfOrder, 2)] {
        let outcome = load(Mode::Rate, servers(1, Some(fault)));

        let mut counts = counts(&outcome);
        let noticed = std::mem::take(&mut counts[index]);
        assert!(noticed > 0, "{fault:?}: {:?}", outcome.figures);
        // A delivery that is held back when the load ends is lost, too.
        if fault == Fault::OutOfOrder {
            counts[0] = 0;
        }
        assert_eq!(counts, [0, 0, 0], "{fault:?}");
    }
}

#[test]
fn connections_are_counted_as_they_join() {
    let outcome = load(Mode::Connect, servers(1, None));

    assert_eq!((outcome.connections, outcome.closed), (10, 0));
    assert!(outcome.figures["connections_per_s"].as_f64().unwrap() > 0.0);
}
