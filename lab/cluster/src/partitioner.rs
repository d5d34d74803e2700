//! Which partition a record goes to because of its key.

/// How a producer chooses a partition by the key. Records without a key are spread in other ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// librdkafka's default, `partitioner=consistent_random`: zlib's CRC32 of the key.
    Crc32,
    /// The default of the Java client: murmur2 of the key. In librdkafka, this is `partitioner=murmur2_random`.
    Murmur2,
    /// The default of @platformatic/kafka: murmur2 of the key, with all 32 bits.
    Murmur2Unsigned,
    /// The default of sarama, and kafka-go's `Hash`: FNV-1a of the key.
    Fnv1a,
    /// sarama's `NewReferenceHashPartitioner`, and kafka-go's `ReferenceHash`: FNV-1a of the key, without the sign bit.
    Fnv1aReference,
}

impl Partitioner {
    /// The hash of a key.
    pub fn hash(self, key: &[u8]) -> u32 {
        match self {
            Self::Crc32 => crc32fast::hash(key),
            // Kafka's `Utils.toPositive` clears the sign bit.
            Self::Murmur2 => murmur2(key) & 0x7fff_ffff,
            Self::Murmur2Unsigned => murmur2(key),
            // Go keeps the sign in a remainder, and sarama drops it afterwards. Dropped before, it has the same effect.
            Self::Fnv1a => fnv1a(key).cast_signed().unsigned_abs(),
            Self::Fnv1aReference => fnv1a(key) & 0x7fff_ffff,
        }
    }

    /// The partition of a key, if the topic has this many partitions.
    pub fn partition(self, key: &[u8], partitions: u32) -> u32 {
        self.hash(key) % partitions
    }
}

/// `org.apache.kafka.common.utils.Utils.murmur2`: Austin Appleby's `MurmurHash2` with Kafka's seed. Java computes with signed
/// numbers, but gets the same bits.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let (words, rest) = data.as_chunks::<4>();
    // A key is far shorter than 4 GiB.
    #[allow(clippy::cast_possible_truncation)]
    let mut hash = SEED ^ data.len() as u32;
    for word in words {
        let mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (mixed ^ (mixed >> R)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let last = rest
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// FNV-1a with 32 bits: `hash/fnv` in Go's standard library.
fn fnv1a(data: &[u8]) -> u32 {
    const OFFSET_BASIS: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    data.iter().fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `UtilsTest.testMurmur2` in Kafka's sources.
    #[test]
    fn murmur2_is_kafkas() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    /// From `golden32a` in the tests of Go's `hash/fnv`.
    #[test]
    fn fnv1a_is_gos() {
        for (key, hash) in [
            ("", 0x811c_9dc5),
            ("a", 0xe40c_292c),
            ("ab", 0x4d25_05ca),
            ("abc", 0x1a47_e90b),
        ] {
            assert_eq!(fnv1a(key.as_bytes()), hash, "{key}");
        }
    }

    /// The check value that catalogs of CRCs give.
    #[test]
    fn crc32_is_zlibs() {
        assert_eq!(Partitioner::Crc32.hash(b"123456789"), 0xcbf4_3926);
    }
}
