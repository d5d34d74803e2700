//! Restricts files and network with Landlock: the kernel denies everything that is not allowed. This takes no privileges.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Result, anyhow};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, NetPort, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope, path_beneath_rules,
};

use crate::Confinement;

/// The newest version of Landlock that we use. If the kernel is older, it enforces what it knows.
const NEWEST: ABI = ABI::V7;

/// System files and folders that programs and interpreters need. They are read-only.
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

/// What the kernel says about a process. A process may read this about itself.
const OWN_PROCESS: &str = "/proc/self";

/// Every program may write here.
const SINK: &str = "/dev/null";

/// Rules that the kernel will enforce.
pub type Rules = RulesetCreated;

/// Makes the rules for a program: what it may read, where it may write plain files (its folders `own` are among them), and
/// which ports it may connect to.
///
/// # Errors
/// If the kernel refuses to make them.
pub fn rules(confinement: &Confinement, own: &[PathBuf]) -> Result<Rules> {
    let read = AccessFs::from_read(NEWEST);
    let all = AccessFs::from_all(NEWEST);
    // Others open the files that a program leaves. A pipe could keep them waiting, and a link could lead them elsewhere.
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

/// Whether [`rules`] let a program read this file, whose path leads through no links.
pub fn opens(confinement: &Confinement, own: &[PathBuf], file: &Path) -> bool {
    let system = SYSTEM.iter().map(PathBuf::from);
    let given = [&confinement.readable, &confinement.writable, own].into_iter();
    let mut open = system.chain(given.flatten().cloned());
    open.any(|path| path.canonicalize().is_ok_and(|path| file.starts_with(path)))
}

/// Puts the rules in force for this process and for every process that it starts.
///
/// # Errors
/// If the kernel refuses.
pub fn restrict(rules: Rules) -> Result<()> {
    let own = path_beneath_rules([OWN_PROCESS], AccessFs::from_read(NEWEST));
    rules.add_rules(own)?.restrict_self()?;
    Ok(())
}

/// Whether Landlock can close files to a confined program.
pub fn is_available() -> bool {
    matches!(status(), Ok(LandlockStatus::Available { .. }))
}

/// The restrictions that this kernel does not enforce.
pub fn gaps() -> Vec<&'static str> {
    let mut gaps = Vec::new();
    let abi = match status() {
        Ok(LandlockStatus::Available { effective_abi, .. }) => effective_abi,
        _ => {
            return vec![
                "this kernel has no Landlock: programs can read everything that their user can read, and connect to any address",
            ];
        }
    };
    if abi < ABI::V4 {
        gaps.push("this kernel's Landlock cannot restrict the network: programs can connect to any address");
    }
    if abi < ABI::V6 {
        gaps.push(
            "this kernel's Landlock cannot restrict signals: programs can send signals to other processes of their user",
        );
    }
    gaps
}

/// Asks the kernel, by restricting a thread. Rules apply to one thread only, so the thread is started just for this.
fn status() -> Result<LandlockStatus> {
    let probe = thread::spawn(|| -> Result<LandlockStatus> {
        let rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessNet::BindTcp)?
            .create()?;
        Ok(rules.restrict_self()?.landlock)
    });
    probe
        .join()
        .map_err(|_| anyhow!("the thread that tests Landlock panicked"))?
}
