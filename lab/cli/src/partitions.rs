//! `cargo lab partitions`: why events are not spread evenly, and what one more partition does.

use std::process::ExitCode;

use cluster::{Partitioner, table};

/// So many users has the lab, and so many events does its producer publish.
const USERS: u32 = 20;
const EVENTS: f64 = 100.0;

/// How long the longest bar is.
const BAR: usize = 36;

/// What to call a partitioner's hash, and whose it is.
const PARTITIONERS: [(Partitioner, &str, &str); 2] = [
    (
        Partitioner::Crc32,
        "CRC32",
        "librdkafka (this lab, the slides' Python)",
    ),
    (Partitioner::Murmur2, "murmur2", "Java"),
];

pub fn partitions(keys: Vec<String>, partitions: u32) -> ExitCode {
    let keys = if keys.is_empty() {
        (1..=USERS).map(|number| format!("user_{number}")).collect()
    } else {
        keys
    };
    println!(
        "A record goes to partition hash(key) mod {partitions}: all events of a user to one\n\
         partition, in order. That they are many here and few there, nobody prevents.\n"
    );
    println!("{}", places(&keys, partitions));
    for (partitioner, hash, client) in PARTITIONERS {
        println!("\nBy {hash}, the default of {client}:");
        print!("{}", shares(partitioner, &keys, partitions));
    }
    println!("\n{}", one_more(&keys, partitions));
    ExitCode::SUCCESS
}

/// Where each key goes, and where it would go with one more partition.
fn places(keys: &[String], partitions: u32) -> String {
    let of = |count: u32| format!("of {count}");
    let (now, then) = (of(partitions), of(partitions + 1));
    let header = ["key", "CRC32", &now, &then, "murmur2", &now, &then];
    let rows = keys.iter().map(|key| {
        let cells = PARTITIONERS.iter().flat_map(|(partitioner, ..)| {
            let place = |count| partitioner.partition(key.as_bytes(), count);
            let (now, then) = (place(partitions), place(partitions + 1));
            let moved = if now == then { "" } else { "→ " };
            [
                partitioner.hash(key.as_bytes()).to_string(),
                now.to_string(),
                format!("{moved}{then}"),
            ]
        });
        std::iter::once(key.clone())
            .chain(cells)
            .collect::<Vec<_>>()
    });
    table(&header, &[1, 2, 3, 4, 5, 6], rows)
}

/// How many keys each partition gets, as bars, and how many events that makes if every key has as many.
fn shares(partitioner: Partitioner, keys: &[String], partitions: u32) -> String {
    let counts: Vec<usize> = (0..partitions)
        .map(|partition| {
            let here =
                |key: &&String| partitioner.partition(key.as_bytes(), partitions) == partition;
            keys.iter().filter(here).count()
        })
        .collect();
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let lines = counts.iter().enumerate().map(|(partition, count)| {
        let bar = "█".repeat(count * BAR / most);
        // A command line holds far fewer keys than a float counts.
        #[allow(clippy::cast_precision_loss)]
        let events = EVENTS * *count as f64 / keys.len() as f64;
        format!("  {partition:>3}  {bar:BAR$}  {count:>2} keys, {events:>3.0} of 100 events\n")
    });
    lines.collect()
}

/// What becomes of the keys when the topic gets one more partition.
fn one_more(keys: &[String], partitions: u32) -> String {
    let all = keys.len();
    let moved = PARTITIONERS.map(|(partitioner, hash, _)| {
        let moves = |key: &&String| {
            let place = |count| partitioner.partition(key.as_bytes(), count);
            place(partitions) != place(partitions + 1)
        };
        let count = keys.iter().filter(moves).count();
        format!("{count} by {hash}")
    });
    format!(
        "One partition more, {}: of {all} keys, {} go elsewhere (→).\n\
         What was published stays where it is. So such a user's events are in two\n\
         partitions, which two consumers may read: their order is lost. Choose the\n\
         number of partitions before the first event.",
        partitions + 1,
        moved.join(", "),
    )
}
