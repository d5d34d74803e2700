//! Which records a program has been handed out, by what it asks for next.

use anyhow::Result;

use crate::bench::lane::Lane;
use crate::history::sentence::partitions_of;

/// How much programs have asked for so far: each partition in a fetch that the broker has answered counts as one.
///
/// # Errors
/// When the broker has gone.
pub fn fetches(lane: &Lane) -> Result<usize> {
    Ok(offsets(lane)?.len())
}

/// Has a program been handed out all records up to these ends of a topic's partitions? It has, when it asks for what comes
/// after them. Fetches before `since` do not count, nor may there be any of another topic after it.
///
/// # Errors
/// When the broker has gone.
pub fn handed_out(lane: &Lane, since: usize, ends: &[i64]) -> Result<bool> {
    let mut next = vec![0; ends.len()];
    for (partition, offset) in offsets(lane)?.into_iter().skip(since) {
        if let Some(next) = next.get_mut(partition) {
            *next = offset.max(*next);
        }
    }
    // Compared partition by partition.
    Ok(next.iter().zip(ends).all(|(next, end)| next >= end))
}

/// Where programs have fetched from so far: partitions and offsets.
fn offsets(lane: &Lane) -> Result<Vec<(usize, i64)>> {
    let mut offsets = Vec::new();
    for request in lane.requests_of_programs("FETCH")? {
        for partition in partitions_of(&request["request"]["topics"], "partitions") {
            let index = partition["partition"].as_u64().unwrap_or(u64::MAX);
            let offset = partition["fetchOffset"].as_i64().unwrap_or_default();
            offsets.push((usize::try_from(index)?, offset));
        }
    }
    Ok(offsets)
}
