//! `cargo lab partitions`: shows why events are not spread evenly, and what changes with one more partition.

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use cluster::{Partitioner, table};

/// The number of users in the lab, and the number of events that its producer publishes.
const USERS: u32 = 20;
const EVENTS: f64 = 100.0;

/// The length of the longest bar, in characters.
const BAR: usize = 36;

/// Where a client's producer puts a key.
#[derive(Clone, Copy)]
pub struct Layout {
    partitioner: Partitioner,
    /// The name of its hash function.
    hash: &'static str,
    /// When producers use it, after "By HASH,".
    when: &'static str,
    /// The names that `--client` takes.
    clients: &'static [&'static str],
}

const LAYOUTS: [Layout; 5] = [
    Layout {
        partitioner: Partitioner::Crc32,
        hash: "CRC32",
        when: "the default of librdkafka (this lab, the slides' Python)",
        clients: &[
            "librdkafka",
            "rdkafka",
            "confluent-kafka-python",
            "confluent-kafka-go",
            "confluent-kafka-rust",
        ],
    },
    Layout {
        partitioner: Partitioner::Murmur2,
        hash: "murmur2",
        when: "the default of Java, franz-go, aiokafka, kafka-python and kafkajs",
        clients: &["java", "franz-go", "aiokafka", "kafka-python", "kafkajs"],
    },
    Layout {
        partitioner: Partitioner::Murmur2Unsigned,
        hash: "murmur2 (unsigned)",
        when: "the default of @platformatic/kafka",
        clients: &["@platformatic/kafka"],
    },
    Layout {
        partitioner: Partitioner::Fnv1a,
        hash: "FNV-1a",
        when: "the default of sarama, and kafka-go's `Hash`",
        clients: &["sarama", "kafka-go"],
    },
    Layout {
        partitioner: Partitioner::Fnv1aReference,
        hash: "FNV-1a (reference)",
        when: "which sarama and kafka-go use if you ask for it",
        clients: &["sarama-reference", "kafka-go-reference"],
    },
];

/// Takes the name of a client.
pub fn client() -> impl TypedValueParser<Value = Layout> {
    let names = LAYOUTS.iter().flat_map(|layout| layout.clients);
    PossibleValuesParser::new(names).try_map(|name| {
        let mut layouts = LAYOUTS.into_iter();
        let found = layouts.find(|layout| layout.clients.contains(&name.as_str()));
        found.ok_or("this client has no layout")
    })
}

/// Prints where the keys go in a topic with this number of partitions: with these layouts, or else with librdkafka's and
/// Java's.
pub fn partitions(keys: Vec<String>, partitions: u32, layouts: &[Layout]) -> ExitCode {
    let keys = if keys.is_empty() {
        (1..=USERS).map(|number| format!("user_{number}")).collect()
    } else {
        keys
    };
    let layouts = if layouts.is_empty() {
        &LAYOUTS[..2]
    } else {
        layouts
    };
    println!(
        "A record goes to partition hash(key) mod {partitions}. So all events of a user go to one\n\
         partition, in order. Nothing guarantees that the partitions are equally full.\n"
    );
    println!("{}", places(&keys, partitions, layouts));
    for layout in layouts {
        println!("\nBy {}, {}:", layout.hash, layout.when);
        print!("{}", shares(layout.partitioner, &keys, partitions));
    }
    println!("\n{}", one_more(&keys, partitions, layouts));
    ExitCode::SUCCESS
}

/// A table of the partition of each key, and of its partition if the topic had one more.
fn places(keys: &[String], partitions: u32, layouts: &[Layout]) -> String {
    let of = |count: u32| format!("of {count}");
    let (now, then) = (of(partitions), of(partitions + 1));
    let mut header = vec!["key"];
    header.extend(layouts.iter().flat_map(|layout| [layout.hash, &now, &then]));
    let rows = keys.iter().map(|key| {
        let cells = layouts.iter().flat_map(|layout| {
            let partitioner = layout.partitioner;
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
    let numbers: Vec<usize> = (1..header.len()).collect();
    table(&header, &numbers, rows)
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
fn one_more(keys: &[String], partitions: u32, layouts: &[Layout]) -> String {
    let moving = layouts.iter().map(|layout| {
        let moves = |key: &&String| {
            let place = |count| layout.partitioner.partition(key.as_bytes(), count);
            place(partitions) != place(partitions + 1)
        };
        (keys.iter().filter(moves).count(), layout.hash)
    });
    let moving: Vec<String> = moving
        .enumerate()
        .map(|(nth, (count, hash))| match nth {
            0 => format!(
                "{count} of {} keys go to another partition (→) by {hash}",
                keys.len()
            ),
            _ => format!("{count} by {hash}"),
        })
        .collect();
    format!(
        "With {} partitions, {}.\n\
         Records that were published before stay where they are. So the events of such a\n\
         user are in two partitions, which two consumers may read, and their order is\n\
         lost. Choose the number of partitions before the first event.",
        partitions + 1,
        moving.join(",\nand "),
    )
}
