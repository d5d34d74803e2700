//! The user that a confined program runs as.

use std::fs;
use std::os::unix::fs::lchown;
use std::path::Path;

use anyhow::Result;
use nix::unistd::{Uid, geteuid};

/// The first of the user ids for programs, and how many there are. They belong to no real user.
const FIRST_NOBODY: u32 = 61_000;
const NOBODIES: u32 = 4_000;

/// The user that the program runs as, if we are root; otherwise `None`. Each program gets a user of its own, so it can signal
/// only itself, and its processes can be counted.
pub fn nobody() -> Option<Uid> {
    let number = FIRST_NOBODY + std::process::id() % NOBODIES;
    geteuid().is_root().then(|| Uid::from_raw(number))
}

/// Makes `to` the owner of a folder and of everything in it. The run before had a different user. Does not follow links.
///
/// # Errors
/// If the folder cannot be read, or an owner cannot be changed.
pub fn give(folder: &Path, to: Uid) -> Result<()> {
    lchown(folder, Some(to.as_raw()), Some(to.as_raw()))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give(&entry.path(), to)?;
        } else {
            lchown(entry.path(), Some(to.as_raw()), Some(to.as_raw()))?;
        }
    }
    Ok(())
}

/// Makes this process run as `user`, with no way back.
///
/// If Landlock decides which files may be read (`closes_files`), the process keeps one privilege of root, if it has it: to
/// read the files of every user. It needs this because an interpreter may be installed in some user's home folder.
///
/// # Errors
/// If the system refuses.
#[cfg(target_os = "linux")]
pub fn become_nobody(user: Uid, closes_files: bool) -> Result<()> {
    use caps::{CapSet, Capability, CapsHashSet};
    use nix::unistd::{Gid, setgroups, setresgid, setresuid};

    let permitted = caps::read(None, CapSet::Permitted)?;
    let reading = [
        Capability::CAP_DAC_READ_SEARCH,
        Capability::CAP_DAC_OVERRIDE,
    ]
    .into_iter()
    .find(|capability| closes_files && permitted.contains(capability));
    caps::securebits::set_keepcaps(true)?;
    let group = Gid::from_raw(user.as_raw());
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    let kept = CapsHashSet::from_iter(reading);
    // The privilege must work already now, because starting the program reads its file.
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    caps::set(None, CapSet::Inheritable, &kept)?;
    for capability in kept {
        caps::raise(None, CapSet::Ambient, capability)?;
    }
    Ok(())
}

/// Makes this process run as `user`, with no way back. It keeps no privilege.
///
/// # Errors
/// If the system refuses.
#[cfg(not(target_os = "linux"))]
pub fn become_nobody(user: Uid, _: bool) -> Result<()> {
    nix::unistd::setuid(user)?;
    Ok(())
}

/// The restriction that our own user cannot enforce, if there is one.
pub fn gaps() -> Option<&'static str> {
    (!geteuid().is_root()).then_some(
        "this command does not run as root: all programs run as your user and share its limit on processes",
    )
}
