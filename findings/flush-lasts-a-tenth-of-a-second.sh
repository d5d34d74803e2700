#!/usr/bin/env bash
# Versions: Kafka 4.4.0, Rust crate rdkafka 0.39.0 (librdkafka is part of it).
# Guess before looking: `flush` of one record returns a few milliseconds after the broker has acknowledged it, whatever
#   its timeout is.
# Seen: with a `BaseProducer`, `flush` returns 0.1 s after it was called, although the callback for the record comes
#   within milliseconds. So does `commit_transaction`, which flushes first. `flush` calls `poll` with the rest of its
#   timeout, but at most 0.1 s, and `poll` goes on until its time is over, also when it has seen a delivery. A loop of
#   `poll` with a timeout of 1 ms until `in_flight_count` is 0, before the flush, avoids it.
# Why it matters: a program that flushes after each record, or has a transaction for each, makes at most ten a second.
. "$(dirname "$0")/lib/kafka.sh"
command -v cargo >/dev/null || broken "cargo is missing"
kafka_node
tool topics --create --topic clicks --partitions 1 >/dev/null
mkdir -p "$work/flush/src"
cat >"$work/flush/Cargo.toml" <<'TOML'
[package]
name = "flush"
version = "0.1.0"
edition = "2024"
[dependencies]
rdkafka = { version = "=0.39.0", default-features = false, features = ["libz"] }
[workspace]
TOML
cat >"$work/flush/src/main.rs" <<'RUST'
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

static DELIVERED: Mutex<Option<Instant>> = Mutex::new(None);

struct Watch;
impl ClientContext for Watch {}
impl ProducerContext for Watch {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok());
        *DELIVERED.lock().unwrap() = Some(Instant::now());
    }
}

/// The middle one of 21 times in milliseconds, until the callback and until `finish` has returned.
fn middle(producer: &BaseProducer<Watch>, finish: impl Fn(&BaseProducer<Watch>)) -> (u128, u128) {
    let (mut callback, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..21 {
        let start = Instant::now();
        producer.send(BaseRecord::to("clicks").key("k").payload("v")).unwrap();
        finish(producer);
        whole.push(start.elapsed().as_millis());
        let delivered = DELIVERED.lock().unwrap().unwrap();
        callback.push((delivered - start).as_millis());
    }
    callback.sort();
    whole.sort();
    (callback[10], whole[10])
}

fn main() {
    let producer: BaseProducer<Watch> = ClientConfig::new()
        .set("bootstrap.servers", std::env::args().nth(1).unwrap())
        .create_with_context(Watch)
        .unwrap();
    let long = Duration::from_secs(10);
    let flush = |producer: &BaseProducer<Watch>| producer.flush(long).unwrap();
    middle(&producer, flush);
    let (callback, whole) = middle(&producer, flush);
    println!("{} {}", if callback < 50 { "soon" } else { "late" }, if whole < 50 { "soon" } else { "late" });
    let (callback, whole) = middle(&producer, |producer| {
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::from_millis(1));
        }
        producer.flush(long).unwrap();
    });
    println!("{} {}", if callback < 50 { "soon" } else { "late" }, if whole < 50 { "soon" } else { "late" });
    eprintln!("{callback} {whole}");
}
RUST
(cd "$work/flush" && nice cargo build --quiet >cargo.log 2>&1) || broken "cargo: $(tail -3 "$work/flush/cargo.log")"
"$work/flush/target/debug/flush" "$BOOTSTRAP" >"$work/out" 2>"$work/err" || broken "$(tail -3 "$work/err")"
see 'after flush: the callback, the return' 'soon late' "$(sed -n 1p "$work/out")"
see 'after polls and flush: the callback, the return' 'soon soon' "$(sed -n 2p "$work/out")"
verdict
