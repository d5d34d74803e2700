//! Which records programs have received, judged by the offsets that they ask for next.

use anyhow::Result;

use crate::bench::lane::Lane;
use crate::history::logged::Logged;

/// How much programs have fetched so far. Each partition in a fetch that the broker has answered counts as one.
///
/// # Errors
/// When the broker no longer runs.
pub fn fetches(lane: &Lane) -> Result<usize> {
    Ok(offsets(lane)?.len())
}

/// Have programs received all records before these ends of a topic's partitions? They have when they ask for the records that
/// come after. The first `since` of the [`fetches`] do not count. All later ones must be of this topic.
///
/// # Errors
/// When the broker no longer runs.
pub fn handed_out(lane: &Lane, since: usize, ends: &[i64]) -> Result<bool> {
    let mut next = vec![0; ends.len()];
    for (partition, offset) in offsets(lane)?.into_iter().skip(since) {
        if let Some(next) = next.get_mut(partition) {
            *next = offset.max(*next);
        }
    }
    // Comparing the vectors themselves would be wrong: that compares only the first pair that differs.
    Ok(next.iter().zip(ends).all(|(next, end)| next >= end))
}

/// How many bytes of records the broker has sent to programs so far, of all topics.
///
/// # Errors
/// When the broker no longer runs.
pub fn bytes_received(lane: &Lane) -> Result<u64> {
    let requests = lane.requests_of_programs("FETCH")?;
    let bytes = requests.iter().map(Logged::bytes_of_records);
    Ok(bytes.fold(0, u64::saturating_add))
}

/// The partitions and offsets that programs have fetched from so far.
fn offsets(lane: &Lane) -> Result<Vec<(usize, i64)>> {
    let mut offsets = Vec::new();
    for request in lane.requests_of_programs("FETCH")? {
        for fetched in request.fetched() {
            offsets.push((usize::try_from(fetched.partition)?, fetched.offset));
        }
    }
    Ok(offsets)
}
