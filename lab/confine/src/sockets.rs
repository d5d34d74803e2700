//! Restricts what Landlock cannot restrict, with a filter of system calls (seccomp). The filter refuses:
//!
//! - All sockets except TCP sockets. Landlock restricts the ports that a TCP socket may connect to, but no other sockets. One
//!   of those is Docker's Unix socket, through which a program could become root. Landlock also does not restrict a connection
//!   made by sending (TCP Fast Open), or listening without an address.
//! - Memory that belongs to no process. It would not be counted, and it would stay after the last process has ended.
//! - A process group or a session of its own. The program is known, and killed, by the process group that it is given.

use std::path::Path;

use anyhow::{Context, Result};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// A file that exists if the kernel can filter system calls.
const AVAILABLE: &str = "/proc/sys/kernel/seccomp/actions_avail";

const NO_PERMISSION: u32 = nix::libc::EACCES.unsigned_abs();

/// The positions of the arguments of `socket`.
const FAMILY: u8 = 0;
const KIND: u8 = 1;
const PROTOCOL: u8 = 2;

/// The bits of `KIND` that hold the kind of socket. The other bits are flags.
const KINDS: u64 = 0xf;

/// A filter that the kernel will enforce.
pub type Filter = BpfProgram;

/// Makes the filter; `None` if the kernel cannot filter system calls. Making it takes memory, so it must be made before the
/// program's process is forked.
///
/// # Errors
/// If there is no filter for this kind of processor.
pub fn filter() -> Result<Option<Filter>> {
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

/// Puts the filter in force for this process and for every process that it starts.
///
/// # Errors
/// If the kernel refuses.
pub fn restrict(filter: &Filter) -> Result<()> {
    seccompiler::apply_filter(filter).context("the kernel refused the filter of system calls")
}

/// What this kernel does not enforce, if it cannot filter system calls.
pub fn gaps() -> Option<&'static str> {
    (!is_available()).then_some(
        "this kernel cannot filter system calls: programs can listen on ports, send datagrams (UDP), connect to Unix sockets \
         such as Docker's, and keep shared memory",
    )
}

fn is_available() -> bool {
    Path::new(AVAILABLE).exists()
}

/// The system calls to refuse, each with its rules. A call is refused if one of its rules matches. A call without rules is
/// always refused.
fn refused_calls() -> Result<Vec<(i64, Vec<SeccompRule>)>> {
    use nix::libc::{
        AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_TCP, MSG_FASTOPEN, SOCK_STREAM, SYS_io_uring_setup,
        SYS_listen, SYS_memfd_create, SYS_mq_open, SYS_msgget, SYS_semget, SYS_sendmmsg,
        SYS_sendmsg, SYS_sendto, SYS_setpgid, SYS_setsid, SYS_shmget, SYS_socket,
    };
    // MPTCP also is a stream, and Landlock does not restrict it. So the protocol must be TCP.
    let mut sockets = vec![
        neither(FAMILY, AF_INET, AF_INET6)?,
        neither(PROTOCOL, IPPROTO_IP, IPPROTO_TCP)?,
    ];
    for kind in (0..=KINDS).filter(|kind| *kind != u64::from(SOCK_STREAM.unsigned_abs())) {
        let is_kind = condition(KIND, SeccompCmpOp::MaskedEq(KINDS), kind)?;
        sockets.push(SeccompRule::new(vec![is_kind])?);
    }
    let mut calls = vec![(SYS_socket, sockets)];
    // The number is the position of the call's flags.
    for (call, flags) in [(SYS_sendto, 3), (SYS_sendmsg, 2), (SYS_sendmmsg, 3)] {
        let fast = u64::from(MSG_FASTOPEN.unsigned_abs());
        let is_fast = condition(flags, SeccompCmpOp::MaskedEq(fast), fast)?;
        calls.push((call, vec![SeccompRule::new(vec![is_fast])?]));
    }
    let always = [
        SYS_listen,
        // It can make sockets without a system call that could be filtered.
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
        /// Some kernels know the same calls by the numbers of the "x32" ABI, too.
        const X32: i64 = 0x4000_0000;
        let of_x32: Vec<_> = calls
            .iter()
            .map(|(call, rules)| (call | X32, rules.clone()))
            .collect();
        calls.extend(of_x32);
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
