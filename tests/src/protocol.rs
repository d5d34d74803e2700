//! The two places where no client library helps, and Kafka's protocol is spoken by hand.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::kafka::OBSERVER;

/// How long the broker may take to answer.
const LIMIT: Duration = Duration::from_secs(15);

/// Sends LeaveGroup, version 1, in another member's name; clients offer no call for that. The single broker is the
/// coordinator of every group.
///
/// # Errors
/// When the broker does not answer.
pub fn leave_group(bootstrap: &str, group: &str, member: &str) -> Result<()> {
    const LEAVE_GROUP: i16 = 13;
    let mut request = header(LEAVE_GROUP, 1)?;
    text(&mut request, group)?;
    text(&mut request, member)?;
    send(bootstrap, &request)
}

/// The same for a member of a group by the protocol of KIP-848: ConsumerGroupHeartbeat, version 0, whose epoch says goodbye.
///
/// # Errors
/// As there.
pub fn leave_consumer_group(bootstrap: &str, group: &str, member: &str) -> Result<()> {
    const CONSUMER_GROUP_HEARTBEAT: i16 = 68;
    const LEAVE_EPOCH: i32 = -1;
    const NO_TAGS: u8 = 0;
    const NULL: u8 = 0;
    let mut request = header(CONSUMER_GROUP_HEARTBEAT, 0)?;
    request.push(NO_TAGS);
    compact_text(&mut request, group)?;
    compact_text(&mut request, member)?;
    request.extend(LEAVE_EPOCH.to_be_bytes());
    // Instance and rack.
    request.extend([NULL, NULL]);
    // No rebalance timeout; no topics, assignor or partitions.
    request.extend((-1_i32).to_be_bytes());
    request.extend([NULL, NULL, NULL, NO_TAGS]);
    send(bootstrap, &request)
}

fn header(api_key: i16, version: i16) -> Result<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(api_key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(0_i32.to_be_bytes());
    text(&mut request, OBSERVER)?;
    Ok(request)
}

fn text(to: &mut Vec<u8>, text: &str) -> Result<()> {
    to.extend(i16::try_from(text.len())?.to_be_bytes());
    to.extend(text.as_bytes());
    Ok(())
}

/// As newer versions write it: the length and one, which is a single byte for short texts.
fn compact_text(to: &mut Vec<u8>, text: &str) -> Result<()> {
    let length = u8::try_from(text.len() + 1)?;
    ensure!(length < 0x80, "{text} is too long");
    to.push(length);
    to.extend(text.as_bytes());
    Ok(())
}

/// Sends a request and waits for the answer, whatever it says.
fn send(bootstrap: &str, request: &[u8]) -> Result<()> {
    let mut broker = TcpStream::connect(bootstrap)?;
    broker.set_read_timeout(Some(LIMIT))?;
    broker.write_all(&i32::try_from(request.len())?.to_be_bytes())?;
    broker.write_all(request)?;
    let mut length = [0; 4];
    broker.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    broker.read_exact(&mut answer)?;
    Ok(())
}

/// What an assignment of the consumer protocol says: a version, then for each topic its name and its partitions, all
/// big-endian. (`ConsumerProtocolAssignment` in Kafka's sources.) An empty one is no assignment yet.
pub fn assigned(mut bytes: &[u8]) -> Option<BTreeMap<String, Vec<i32>>> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
        let (head, tail) = bytes.split_at_checked(count)?;
        *bytes = tail;
        Some(head)
    }
    fn int(bytes: &mut &[u8]) -> Option<i32> {
        Some(i32::from_be_bytes(take(bytes, 4)?.try_into().ok()?))
    }
    fn short(bytes: &mut &[u8]) -> Option<i16> {
        Some(i16::from_be_bytes(take(bytes, 2)?.try_into().ok()?))
    }

    let mut found: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    if bytes.is_empty() {
        return Some(found);
    }
    let _version = short(&mut bytes)?;
    for _ in 0..int(&mut bytes)? {
        let length = usize::try_from(short(&mut bytes)?).ok()?;
        let name = String::from_utf8_lossy(take(&mut bytes, length)?).into_owned();
        let partitions = found.entry(name).or_default();
        for _ in 0..int(&mut bytes)? {
            partitions.push(int(&mut bytes)?);
        }
        partitions.sort_unstable();
    }
    Some(found)
}
