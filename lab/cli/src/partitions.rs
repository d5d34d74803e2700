//! `cargo lab partitions`: shows why events are not spread evenly, and what changes with one more partition.

use std::process::ExitCode;

use cluster::{Partitioner, table};

/// The number of users in the lab, and the number of events that its producer publishes.
const USERS: u32 = 20;
const EVENTS: f64 = 100.0;

/// The length of the longest bar, in characters.
const BAR: usize = 36;

/// Each partitioner, the name of its hash function, and the clients that use it by default.
const PARTITIONERS: [(Partitioner, &str, &str); 2] = [
    (
        Partitioner::Crc32,
        "CRC32",
        "librdkafka (this lab, the slides' Python)",
    ),
    (Partitioner::Murmur2, "murmur2", "Java"),
];

/// Prints where the keys go in a topic with this number of partitions.
pub fn partitions(keys: Vec<String>, partitions: u32) -> ExitCode {
    let keys = if keys.is_empty() {
        (1..=USERS).map(|number| format!("user_{number}")).collect()
    } else {
        keys
    };
    println!(
        "A record goes to partition hash(key) mod {partitions}. So all events of a user go to one\n\
         partition, in order. Nothing guarantees that the partitions are equally full.\n"
    );
    println!("{}", places(&keys, partitions));
    for (partitioner, hash, client) in PARTITIONERS {
        println!("\nBy {hash}, the default of {client}:");
        print!("{}", shares(partitioner, &keys, partitions));
    }
    println!("\n{}", one_more(&keys, partitions));
    ExitCode::SUCCESS
}

/// A table of the partition of each key, and of its partition if the topic had one more.
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

/// A bar for each partition: the number of its keys, and its number of events if all keys have the same number of events.
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
        // A float is exact for any number of keys that fits on a command line.
        #[allow(clippy::cast_precision_loss)]
        let events = EVENTS * *count as f64 / keys.len() as f64;
        let noun = if *count == 1 { "key, " } else { "keys," };
        format!("  {partition:>3}  {bar:BAR$}  {count:>2} {noun} {events:>3.0} of 100 events\n")
    });
    lines.collect()
}

/// How many keys go to another partition if the topic gets one more partition, and what follows from that.
fn one_more(keys: &[String], partitions: u32) -> String {
    let [by_crc32, by_murmur2] = PARTITIONERS.map(|(partitioner, ..)| {
        let moves = |key: &&String| {
            let place = |count| partitioner.partition(key.as_bytes(), count);
            place(partitions) != place(partitions + 1)
        };
        keys.iter().filter(moves).count()
    });
    format!(
        "With {} partitions, {by_crc32} of {} keys go to another partition (→) by CRC32,\n\
         and {by_murmur2} by murmur2. Records that were published before stay where they are.\n\
         So the events of such a user are in two partitions, which two consumers may\n\
         read, and their order is lost. Choose the number of partitions before the first\n\
         event.",
        partitions + 1,
        keys.len(),
    )
}
