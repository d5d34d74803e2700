//! What a program may ask of the kernel, by a filter of system calls (seccomp), where Landlock has no say.
//!
//! - Sockets: those of TCP. Landlock says to which ports they may lead, and knows nothing of others, such as Docker's Unix
//!   socket, through which one becomes root; nor of a connection that is made by sending (TCP Fast Open), or of listening
//!   without an address.
//! - Memory that belongs to no process, and so is not counted, and outlives them all.
//! - A process group of its own: a program is known, and killed, by the one that it gets.

use std::path::Path;

use anyhow::{Context, Result};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// There where the kernel filters system calls.
const AVAILABLE: &str = "/proc/sys/kernel/seccomp/actions_avail";

const NO_PERMISSION: u32 = nix::libc::EACCES.unsigned_abs();

/// The arguments of `socket`.
const FAMILY: u8 = 0;
const KIND: u8 = 1;
const PROTOCOL: u8 = 2;

/// A kind of socket is in the lowest bits; others are flags.
const KINDS: u64 = 0xf;

/// What the kernel will enforce; `None` where it can't. It is made before the program is started, for it takes memory.
///
/// # Errors
/// On a processor that the filter is not written for.
pub fn filter() -> Result<Option<BpfProgram>> {
    if !is_available() {
        return Ok(None);
    }
    let calls = refused_calls()?;
    let processor = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(NO_PERMISSION);
    let filter = SeccompFilter::new(
        calls.into_iter().collect(),
        SeccompAction::Allow,
        refuse,
        processor,
    )?;
    Ok(Some(filter.try_into()?))
}

/// From now on this process, and all that it starts, is bound by the filter.
///
/// # Errors
/// When the kernel refuses.
pub fn restrict(filter: &BpfProgram) -> Result<()> {
    seccompiler::apply_filter(filter).context("system calls can't be filtered")
}

/// What is not enforced here.
pub fn gaps() -> Option<&'static str> {
    (!is_available()).then_some(
        "this kernel filters no system calls: programs may listen, send datagrams (UDP), talk to Unix sockets, such as Docker's, and \
         keep shared memory",
    )
}

fn is_available() -> bool {
    Path::new(AVAILABLE).exists()
}

/// System calls, and when each of them is refused: where one of its rules holds, or always.
fn refused_calls() -> Result<Vec<(i64, Vec<SeccompRule>)>> {
    use nix::libc::{
        AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_TCP, MSG_FASTOPEN, SOCK_STREAM, SYS_io_uring_setup,
        SYS_listen, SYS_memfd_create, SYS_mq_open, SYS_msgget, SYS_semget, SYS_sendmmsg,
        SYS_sendmsg, SYS_sendto, SYS_setpgid, SYS_setsid, SYS_shmget, SYS_socket,
    };
    // MPTCP is a stream, too, and passes Landlock by.
    let mut sockets = vec![
        neither(FAMILY, AF_INET, AF_INET6)?,
        neither(PROTOCOL, IPPROTO_IP, IPPROTO_TCP)?,
    ];
    for kind in (0..=KINDS).filter(|kind| *kind != u64::from(SOCK_STREAM.unsigned_abs())) {
        let is_kind = condition(KIND, SeccompCmpOp::MaskedEq(KINDS), kind)?;
        sockets.push(SeccompRule::new(vec![is_kind])?);
    }
    let mut calls = vec![(SYS_socket, sockets)];
    // Which argument of each holds the flags.
    for (call, flags) in [(SYS_sendto, 3), (SYS_sendmsg, 2), (SYS_sendmmsg, 3)] {
        let fast = u64::from(MSG_FASTOPEN.unsigned_abs());
        let is_fast = condition(flags, SeccompCmpOp::MaskedEq(fast), fast)?;
        calls.push((call, vec![SeccompRule::new(vec![is_fast])?]));
    }
    let always = [
        SYS_listen,
        // It makes sockets, and asks no filter.
        SYS_io_uring_setup,
        SYS_memfd_create,
        SYS_mq_open,
        SYS_msgget,
        SYS_semget,
        SYS_setpgid,
        SYS_setsid,
        SYS_shmget,
    ];
    calls.extend(always.map(|call| (call, Vec::new())));
    if cfg!(target_arch = "x86_64") {
        /// The same calls by the numbers of "x32", which some kernels know.
        const X32: i64 = 0x4000_0000;
        let again: Vec<_> = calls
            .iter()
            .map(|(call, rules)| (call | X32, rules.clone()))
            .collect();
        calls.extend(again);
    }
    Ok(calls)
}

fn neither(argument: u8, one: i32, other: i32) -> Result<SeccompRule> {
    let is_not = |value: i32| condition(argument, SeccompCmpOp::Ne, value.unsigned_abs().into());
    Ok(SeccompRule::new(vec![is_not(one)?, is_not(other)?])?)
}

fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition> {
    Ok(SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        operator,
        value,
    )?)
}
