//! Who a confined program is.

use std::fs;
use std::os::unix::fs::lchown;
use std::path::Path;

use anyhow::Result;
use nix::unistd::{Uid, geteuid};

/// User ids that belong to nobody, as many as there are.
const FIRST_NOBODY: u32 = 61_000;
const NOBODIES: u32 = 4_000;

/// The user to become: root gives every program one of its own, so that it can signal nobody else and its processes can be
/// counted. Anybody else stays who they are.
pub fn nobody() -> Option<Uid> {
    let number = FIRST_NOBODY + std::process::id() % NOBODIES;
    geteuid().is_root().then(|| Uid::from_raw(number))
}

/// Makes over a folder and all that is in it: whoever ran before was somebody else. Links are not followed.
///
/// # Errors
/// When it cannot be.
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

/// Becomes this user for good. Where Landlock says what may be read (`is_shut_in`), one privilege is kept if there is one to
/// keep: to read what others may not, because an interpreter may be installed in somebody's home.
///
/// # Errors
/// When the system refuses.
#[cfg(target_os = "linux")]
pub fn become_nobody(user: Uid, is_shut_in: bool) -> Result<()> {
    use caps::{CapSet, Capability, CapsHashSet};
    use nix::unistd::{Gid, setgroups, setresgid, setresuid};

    let permitted = caps::read(None, CapSet::Permitted)?;
    let reading = [
        Capability::CAP_DAC_READ_SEARCH,
        Capability::CAP_DAC_OVERRIDE,
    ]
    .into_iter()
    .find(|capability| is_shut_in && permitted.contains(capability));
    caps::securebits::set_keepcaps(true)?;
    let group = Gid::from_raw(user.as_raw());
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    let kept = CapsHashSet::from_iter(reading);
    // What is kept works at once, for the program has yet to be found.
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    caps::set(None, CapSet::Inheritable, &kept)?;
    for capability in kept {
        caps::raise(None, CapSet::Ambient, capability)?;
    }
    Ok(())
}

/// As on Linux, without the privilege.
///
/// # Errors
/// When the system refuses.
#[cfg(not(target_os = "linux"))]
pub fn become_nobody(user: Uid, _: bool) -> Result<()> {
    nix::unistd::setuid(user)?;
    Ok(())
}

/// What is not enforced for who we are.
pub fn gaps() -> Option<&'static str> {
    (!geteuid().is_root()).then_some(
        "we are not root: programs run as the same user, and share its limit of processes",
    )
}
