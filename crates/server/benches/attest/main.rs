//! Server CPU of a re-attestation and of an enrolment, beside the floor: the same cryptography alone, and an
//! HTTP echo of the same size, all in this run. Ratios are what counts; microseconds differ by machine.
//!
//! The service runs as it is (router, frame, JSON access log, `SQLite`) on a thread of its own; a client on
//! another thread keeps 8 connections busy. CPU time is the kernel's account of every thread but the client's.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may fail loudly and prints its result"
)]

mod client;
mod cpu;
mod floor;
mod log;
#[path = "../../tests/device/world.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod world;

use std::net::SocketAddr;
use std::sync::mpsc;

use axum::Router;
use axum::routing::post;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::AttestationRequest;
use serde::{Deserialize, Serialize};

use client::Client;
use world::World;

const ROUNDS: usize = 7;
const ECHOES: usize = 8_000;
const ATTESTATIONS: usize = 4_000;
const ENROLMENTS: usize = 400;

/// Microseconds of CPU per operation, one entry per round.
#[derive(Default)]
struct Figures {
    echo_small: Vec<f64>,
    echo_large: Vec<f64>,
    attest_floor: Vec<f64>,
    enrol_floor: Vec<f64>,
    attest: Vec<f64>,
    enrol: Vec<f64>,
    enrol_store: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Echo {
    payload: String,
}

fn main() {
    log::capture();
    let (ready, served) = mpsc::channel();
    std::thread::spawn(move || serve(&ready));
    let mut bench: Bench = served.recv().unwrap();
    let mut figures = Figures::default();
    // The first round warms caches and is thrown away.
    for round in 0..=ROUNDS {
        let measured = bench.round();
        if round > 0 {
            figures.add(&measured);
        }
    }
    figures.report();
}

/// What the client needs to know of the service.
struct Bench {
    client: Client,
    small: Vec<u8>,
    large: Vec<u8>,
    attestation: Vec<u8>,
    enrolments: std::vec::IntoIter<Vec<u8>>,
    material: floor::Material,
}

fn serve(ready: &mpsc::Sender<Bench>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        let echo = Router::new().route("/echo", post(echo));
        let app = world.router.clone().merge(echo);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        ready.send(prepare(&world, address).await).ok();
        axum::serve(listener, app).await.unwrap();
    });
}

async fn echo(axum::Json(body): axum::Json<Echo>) -> axum::Json<Echo> {
    axum::Json(body)
}

async fn prepare(world: &World, address: SocketAddr) -> Bench {
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    let (mut payload, _) = world.asking(&phone).await;
    payload.secrets.clear();
    let request: AttestationRequest = world.signed(&phone, &payload);
    let material = floor::Material::of(world, &phone, &request);
    let attestation = serde_json::to_vec(&request).unwrap();
    let mut enrolments = Vec::new();
    // One phone with many keys: its upper chain is known after the first, as with phones of one model.
    for _ in 0..ENROLMENTS * (ROUNDS + 1) {
        let request = world.enrolment(&mut phone).await;
        enrolments.push(client::post(
            "/v1/acme/enrolments",
            &serde_json::to_vec(&request).unwrap(),
        ));
    }
    let large = enrolments.first().map_or(0, Vec::len);
    let echo = |size: usize| {
        let payload = Base64Url(vec![7; size * 3 / 4]).to_string();
        client::post("/echo", &serde_json::to_vec(&Echo { payload }).unwrap())
    };
    Bench {
        client: Client::new(address, cpu::this_thread()),
        small: echo(attestation.len()),
        large: echo(large),
        attestation: client::post("/v1/acme/attestations", &attestation),
        enrolments: enrolments.into_iter(),
        material,
    }
}

impl Bench {
    fn round(&mut self) -> [f64; 7] {
        let echo_small = self.client.send(&self.small, ECHOES).serving;
        let attest_floor = self.material.attestations(ATTESTATIONS);
        let attest = self.client.send(&self.attestation, ATTESTATIONS).serving;
        let echo_large = self.client.send(&self.large, ECHOES).serving;
        let enrol_floor = self.material.enrolments(ENROLMENTS);
        let batch: Vec<_> = self.enrolments.by_ref().take(ENROLMENTS).collect();
        let enrol = self.client.send_each(&batch);
        [
            echo_small,
            echo_large,
            attest_floor,
            enrol_floor,
            attest,
            enrol.serving,
            enrol.others,
        ]
    }
}

impl Figures {
    fn add(&mut self, round: &[f64; 7]) {
        let [
            echo_small,
            echo_large,
            attest_floor,
            enrol_floor,
            attest,
            enrol,
            store,
        ] = *round;
        self.echo_small.push(echo_small);
        self.echo_large.push(echo_large);
        self.attest_floor.push(attest_floor);
        self.enrol_floor.push(enrol_floor);
        self.attest.push(attest);
        self.enrol.push(enrol);
        self.enrol_store.push(store);
    }

    fn report(&self) {
        println!("server CPU per operation, median of {ROUNDS} rounds (µs)\n");
        line(
            "re-attest",
            &self.attest,
            &self.attest_floor,
            &self.echo_small,
        );
        line(
            "enrolment",
            &self.enrol,
            &self.enrol_floor,
            &self.echo_large,
        );
        println!(
            "{:<10} {:>7.1}   making an enrolment durable, on the store's threads",
            "",
            median(&self.enrol_store)
        );
        println!("\nratio = measured / (cryptography alone + HTTP echo of the same size)");
        println!("to reach: re-attest 1.2 (at most 1.5), enrolment 1.5");
    }
}

fn line(name: &str, measured: &[f64], floor: &[f64], echo: &[f64]) {
    let (measured, floor, echo) = (median(measured), median(floor), median(echo));
    let ratio = measured / (floor + echo);
    println!(
        "{name:<10} {measured:>7.1}   cryptography {floor:>6.1}   echo {echo:>5.1}   ratio {ratio:.2}"
    );
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
