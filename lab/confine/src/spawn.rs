//! Starting an executable that was written a moment ago.

use std::io::{ErrorKind, Result};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long an executable may stay open for writing.
const BUSY_LIMIT: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(10);

/// Starts a command, also if its executable is still open for writing (`ETXTBSY`). We have closed it after writing. But a process
/// that another thread began to start before that keeps a copy of every open file until it becomes its program.
///
/// # Errors
/// Those of [`Command::spawn`]. If the executable stays open for writing, this takes 10 s.
pub fn spawn(command: &mut Command) -> Result<Child> {
    let start = Instant::now();
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == ErrorKind::ExecutableFileBusy
                    && start.elapsed() < BUSY_LIMIT =>
            {
                sleep(PAUSE);
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;

    #[test]
    fn waits_until_the_executable_is_closed() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let executable = folder.path().join("true");
        fs::copy("/bin/true", &executable)?;
        fs::set_permissions(&executable, fs::Permissions::from_mode(0o755))?;
        let open = File::options().append(true).open(&executable)?;
        let closes = thread::spawn(move || {
            sleep(20 * PAUSE);
            drop(open);
        });
        let status = spawn(&mut Command::new(&executable))?.wait()?;
        assert!(status.success());
        assert!(closes.join().is_ok());
        Ok(())
    }
}
