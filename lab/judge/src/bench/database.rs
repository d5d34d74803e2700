//! The billing database of a lane: an SQLite file that a program writes, and that we look at from outside. It is the
//! program's, so nothing that it holds is trusted, and we write nothing to it; we only lock it.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use broker::wait;
use nix::libc;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// Where a program is told which file the database is.
pub const BILLING_DB: &str = "BILLING_DB";

/// As much as a confined program may write to a file, in bytes.
pub const LARGEST: u64 = 64 << 20;

/// How long we may take to read it, whatever it holds; and how long we wait where the program is just writing.
const READ_LIMIT: Duration = Duration::from_secs(3);
const BUSY_LIMIT: Duration = Duration::from_secs(1);

/// The byte that a writer locks first, in a file that lies far behind any data (SQLite: File Locking, `RESERVED_BYTE`).
const RESERVED_BYTE: libc::off_t = 0x4000_0001;

/// The same in the shared memory file of a database with a write-ahead log (SQLite: WAL-mode File Format, `WAL_WRITE_LOCK`).
const WAL_WRITE_LOCK: libc::off_t = 120;

/// A folder with the database, or with nothing yet.
#[derive(Debug)]
pub struct Database {
    _made: TempDir,
    folder: PathBuf,
}

/// Nobody can write to the database until this is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing the files unlocks them")] Vec<File>);

impl Database {
    /// A folder for a new one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self> {
        let made = tempfile::tempdir()?;
        // No part of the path may be a link when it is opened.
        let folder = fs::canonicalize(made.path())?;
        Ok(Self {
            _made: made,
            folder,
        })
    }

    /// The folder that it lies in. SQLite has its journal beside it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `BILLING_DB` is to be.
    pub fn path(&self) -> PathBuf {
        self.folder.join("billing.db")
    }

    /// Forgets it.
    ///
    /// # Errors
    /// When what lies there cannot be removed.
    pub fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Waits until a transaction has been written, but not longer than `limit`.
    ///
    /// # Errors
    /// On Ctrl-C.
    pub fn wait_for_a_write(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let before = self.writes();
        while self.writes() == before && Instant::now() < end {
            wait::check_interrupt()?;
            std::thread::yield_now();
        }
        Ok(())
    }

    /// What changes with every transaction: the counter in the header (SQLite: Database File Format, 1.3), or the length of
    /// the write-ahead log.
    fn writes(&self) -> (Option<[u8; 4]>, Option<u64>) {
        const COUNTER: u64 = 24;
        let counter = || {
            let mut four = [0; 4];
            let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(flags)
                .open(self.path());
            file.ok()?.read_exact_at(&mut four, COUNTER).ok()?;
            Some(four)
        };
        let log = fs::symlink_metadata(self.folder.join("billing.db-wal"));
        (counter(), log.ok().map(|log| log.len()))
    }

    /// Opens the database for reading; `None` while there is no database yet. A query on it ends after 3 s.
    ///
    /// # Errors
    /// When what lies there is no plain file, is too large, or is no SQLite database.
    pub fn open(&self) -> Result<Option<Connection>> {
        if !self.is_there()? {
            return Ok(None);
        }
        // Read-only, also because a journal left behind may name any file, and SQLite deletes that file when it rolls the
        // journal back.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(self.path(), flags)?;
        connection.busy_timeout(BUSY_LIMIT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        let end = Instant::now() + READ_LIMIT;
        connection.progress_handler(10_000, Some(move || Instant::now() > end))?;
        Ok(Some(connection))
    }

    /// Is there a file? Opening something else could block, or lead to a file elsewhere.
    fn is_there(&self) -> Result<bool> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                // SQLite removes its journal whenever it has written.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            let name = entry.file_name();
            if !metadata.is_file() {
                bail!("{} is no file", name.display());
            }
            if metadata.len() > LARGEST {
                bail!("{} has more than {} MB", name.display(), LARGEST >> 20);
            }
        }
        Ok(self.path().exists())
    }

    /// Locks it, so that whoever writes has to wait; reading goes on. `None` where a program holds it itself for longer than
    /// `limit`, or there is no database yet.
    ///
    /// SQLite locks files, so another owner of such a lock need not be SQLite.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn lock(&self, limit: Duration) -> Result<Option<Lock>> {
        let end = Instant::now() + limit;
        let shared_memory = self.folder.join("billing.db-shm");
        loop {
            let mut locked = Vec::new();
            let mut all = self.path().exists();
            for (path, byte) in [
                (self.path(), RESERVED_BYTE),
                (shared_memory.clone(), WAL_WRITE_LOCK),
            ] {
                if all && path.exists() {
                    let file = OpenOptions::new()
                        .read(true)
                        .write(true)
                        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
                        .open(&path);
                    // Where a folder lies, say, nothing can be locked.
                    let Ok(file) = file else { return Ok(None) };
                    all = lock_byte(&file, byte)?;
                    locked.push(file);
                }
            }
            if all {
                return Ok(Some(Lock(locked)));
            }
            if Instant::now() > end {
                return Ok(None);
            }
            // No sleep: the moment between two transactions is short.
            std::thread::yield_now();
        }
    }
}

/// Locks one byte for writing, if nobody else has. The lock belongs to the open file, not to our process: SQLite, which we
/// read with, would let go of it.
fn lock_byte(file: &File, at: libc::off_t) -> Result<bool> {
    // SAFETY: all of it may be zero.
    let mut wanted: libc::flock = unsafe { std::mem::zeroed() };
    wanted.l_type = libc::c_short::try_from(libc::F_WRLCK)?;
    wanted.l_whence = libc::c_short::try_from(libc::SEEK_SET)?;
    wanted.l_start = at;
    wanted.l_len = 1;
    // SAFETY: the descriptor is open, and the kernel only reads what is wanted.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const wanted) };
    if answer == 0 {
        return Ok(true);
    }
    let error = std::io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn nobody_writes_while_it_is_locked() -> Result<()> {
        for mode in ["delete", "wal"] {
            let database = Database::new()?;
            let connection = Connection::open(database.path())?;
            connection.execute_batch(&format!(
                "PRAGMA journal_mode = {mode}; CREATE TABLE charges (event_id); INSERT INTO charges VALUES ('a');"
            ))?;
            connection.busy_timeout(Duration::from_millis(50))?;
            let lock = database.lock(Duration::ZERO)?;
            assert!(lock.is_some(), "{mode}");
            // Reading does not unlock it.
            let count = "SELECT count(*) FROM charges";
            let reader = database.open()?.context("no database")?;
            let rows: i64 = reader.query_row(count, [], |row| row.get(0))?;
            drop(reader);
            assert_eq!(rows, 1, "{mode}");
            assert!(
                connection.execute("DELETE FROM charges", []).is_err(),
                "{mode}"
            );
            drop(lock);
            connection.execute("DELETE FROM charges", [])?;
        }
        Ok(())
    }
}
