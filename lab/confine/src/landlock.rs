//! Files and network, by Landlock: the kernel itself denies what is not allowed, without any privilege.

use std::path::PathBuf;
use std::thread;

use anyhow::{Result, anyhow};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, NetPort, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope, path_beneath_rules,
};

use crate::Confinement;

/// The newest that is asked for; what the kernel does not know yet is left out.
const NEWEST: ABI = ABI::V7;

/// What programs and interpreters need of the system, read-only.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/resolv.conf",
    "/etc/ssl",
    "/etc/timezone",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys",
    "/proc/version",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
];

/// Of itself a process may read all, also what it writes to its own.
const OWN_PROCESS: &str = "/proc/self";

const SINK: &str = "/dev/null";

/// What the kernel will enforce: reading, writing plain files to the program's own folders, connecting to its ports.
///
/// # Errors
/// When the kernel refuses to prepare it.
pub fn rules(confinement: &Confinement, own: &[PathBuf]) -> Result<RulesetCreated> {
    let read = AccessFs::from_read(NEWEST);
    let all = AccessFs::from_all(NEWEST);
    // What a program leaves behind is opened by others: no pipe may keep them waiting, no link may lead them elsewhere.
    let plain =
        all & !(AccessFs::MakeFifo | AccessFs::MakeSym | AccessFs::MakeChar | AccessFs::MakeBlock);
    let system = SYSTEM.iter().map(PathBuf::from);
    let readable = system.chain(confinement.readable.iter().cloned());
    let writable = confinement
        .writable
        .iter()
        .cloned()
        .chain(own.iter().cloned())
        .chain([PathBuf::from(SINK)]);
    let ports = confinement.ports.iter();
    Ok(Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(writable, plain))?
        .add_rules(ports.map(|port| {
            Ok::<_, landlock::RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))
        }))?)
}

/// From now on this process, and all that it starts, is bound by the rules.
///
/// # Errors
/// When the kernel refuses.
pub fn restrict(rules: RulesetCreated) -> Result<()> {
    let own = path_beneath_rules([OWN_PROCESS], AccessFs::from_read(NEWEST));
    rules.add_rules(own)?.restrict_self()?;
    Ok(())
}

/// Will files be closed to a confined program?
pub fn is_available() -> bool {
    matches!(status(), Ok(LandlockStatus::Available { .. }))
}

/// What this kernel does not enforce.
pub fn gaps() -> Vec<&'static str> {
    let mut gaps = Vec::new();
    let abi = match status() {
        Ok(LandlockStatus::Available { effective_abi, .. }) => effective_abi,
        _ => {
            return vec![
                "this kernel has no Landlock: programs may read what their user may read, and connect to anything",
            ];
        }
    };
    if abi < ABI::V4 {
        gaps.push("this kernel's Landlock knows no network: programs may connect to anything");
    }
    if abi < ABI::V6 {
        gaps.push(
            "this kernel's Landlock knows no signals: programs may signal others of their user",
        );
    }
    gaps
}

/// Rules bind a thread; this one is made for that and ends at once.
fn status() -> Result<LandlockStatus> {
    let probe = thread::spawn(|| -> Result<LandlockStatus> {
        let rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessNet::BindTcp)?
            .create()?;
        Ok(rules.restrict_self()?.landlock)
    });
    probe.join().map_err(|_| anyhow!("the probe panicked"))?
}
