//! The billing database of a lane: an SQLite file that a program writes and that the lab reads from outside. The lab
//! trusts nothing in it, and it never writes to it. It only locks it. Another process reads it with SQLite: a file that has
//! become too short can end a process that has mapped it into its memory.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use broker::wait;
use confine::helper::{Helper, Reply};
use nix::libc;
use tempfile::TempDir;

/// The environment variable that gives a program the path of the database.
pub const BILLING_DB: &str = "BILLING_DB";

/// The first argument of a process that reads a database. The second one is the folder of the database.
pub const READER: &str = "--read-a-billing-database";

/// The name of the database in its folder.
pub const FILE_NAME: &str = "billing.db";

/// The byte of the file that a writer locks first. It is far behind any data (SQLite: File Locking, `RESERVED_BYTE`).
const RESERVED_BYTE: libc::off_t = 0x4000_0001;

/// The same in the shared-memory file of a database with a write-ahead log (SQLite: WAL-mode File Format,
/// `WAL_WRITE_LOCK`).
const WAL_WRITE_LOCK: libc::off_t = 120;

/// A folder for the database. The program creates the database in it.
#[derive(Debug)]
pub struct Database {
    _made: TempDir,
    folder: PathBuf,
    reader: RefCell<Helper>,
}

/// The write-ahead log of a database at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// In bytes.
    pub length: u64,
    /// How many bytes each further page takes.
    pub frame: u64,
}

/// A lock on the database: nobody can write to it until this is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing the files unlocks them")] Vec<File>);

impl Database {
    /// Makes an empty folder for a database.
    ///
    /// # Errors
    /// When the folder cannot be made, or if the path of this executable is unknown.
    pub fn new() -> Result<Self> {
        let made = tempfile::tempdir()?;
        // With `SQLITE_OPEN_NOFOLLOW`, SQLite refuses a path that has a link in any part.
        let folder = fs::canonicalize(made.path())?;
        let words = vec![READER.into(), folder.clone().into()];
        Ok(Self {
            _made: made,
            reader: RefCell::new(Helper::new(words)?),
            folder,
        })
    }

    /// The folder of the database. SQLite also puts its journal there.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of the database, for [`BILLING_DB`].
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// Deletes everything in the folder.
    ///
    /// # Errors
    /// When something in it cannot be deleted.
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

    /// Waits until a transaction has been written, but no longer than `limit`.
    ///
    /// # Errors
    /// On Ctrl-C.
    pub fn wait_for_a_write(&self, limit: Duration) -> Result<()> {
        let before = self.writes();
        wait::closely(limit, || Ok((self.writes() != before).then_some(()))).map(drop)
    }

    /// Two counters of which one changes with every transaction: that of the header (SQLite: Database File Format, 1.3), and
    /// that of the index of a write-ahead log (SQLite: WAL-mode File Format, 2.2). The length of the log says nothing once SQLite
    /// writes it again from its beginning.
    fn writes(&self) -> [Option<[u8; 4]>; 2] {
        const IN_HEADER: u64 = 24;
        const IN_INDEX: u64 = 8;
        let counter = |path: PathBuf, at| {
            let mut four = [0; 4];
            open_in_place(&path)
                .ok()?
                .read_exact_at(&mut four, at)
                .ok()?;
            Some(four)
        };
        [
            counter(self.path(), IN_HEADER),
            counter(self.shared_memory(), IN_INDEX),
        ]
    }

    /// Asks the process that reads the database. [`Helper::ask`] says what a question is, and what comes of it.
    ///
    /// # Errors
    /// If that process fails for a reason that is not in the database.
    pub fn ask(&self, question: &str) -> Result<Reply> {
        self.reader.borrow_mut().ask(question, wait::check_stop)
    }

    /// Locks the database, so that every writer has to wait. Reading is still possible. Returns `None` if there is no
    /// database yet, or if a program itself keeps the lock for longer than `limit`.
    ///
    /// SQLite locks bytes of a file, and any process can do this without SQLite.
    ///
    /// # Errors
    /// When the system refuses, or on Ctrl-C.
    pub fn lock(&self, limit: Duration) -> Result<Option<Lock>> {
        let mut opened = Vec::new();
        let taken = wait::closely(limit, || {
            if opened.is_empty() || self.has_log() != (opened.len() == 2) {
                match self.open_to_lock() {
                    Ok(files) => opened = files,
                    // A folder, for example, cannot be locked, and there is no use in trying again.
                    Err(_) => return Ok(Some(None)),
                }
            }
            for (at, (file, byte)) in opened.iter().enumerate() {
                if !lock_byte(file, *byte)? {
                    for (file, byte) in &opened[..at] {
                        set_lock(file, *byte, libc::F_UNLCK)?;
                    }
                    return Ok(None);
                }
            }
            let locked = std::mem::take(&mut opened);
            let files: Vec<File> = locked.into_iter().map(|(file, _)| file).collect();
            Ok((!files.is_empty()).then_some(Some(Lock(files))))
        })?;
        Ok(taken.flatten())
    }

    /// Whether the database has a write-ahead log. Then reading it never waits for a program that writes.
    pub fn has_log(&self) -> bool {
        self.shared_memory().exists()
    }

    /// The write-ahead log; `None` if there is none, or if it is empty. A page is stored behind a header of 24 bytes (SQLite:
    /// Database File Format, 4.1).
    pub fn log(&self) -> Option<Log> {
        const PAGE_SIZE: u64 = 8;
        const FRAME_HEADER: u64 = 24;
        let path = self.folder.join("billing.db-wal");
        let mut four = [0; 4];
        let file = open_in_place(&path).ok()?;
        file.read_exact_at(&mut four, PAGE_SIZE).ok()?;
        Some(Log {
            length: file.metadata().ok()?.len(),
            frame: u64::from(u32::from_be_bytes(four)) + FRAME_HEADER,
        })
    }

    fn shared_memory(&self) -> PathBuf {
        self.folder.join("billing.db-shm")
    }

    /// The files in which a writer locks a byte, and these bytes. None while there is no database yet.
    fn open_to_lock(&self) -> std::io::Result<Vec<(File, libc::off_t)>> {
        let mut files = Vec::new();
        for (path, byte) in [
            (self.path(), RESERVED_BYTE),
            (self.shared_memory(), WAL_WRITE_LOCK),
        ] {
            if self.path().exists() && path.exists() {
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
                    .open(&path)?;
                files.push((file, byte));
            }
        }
        Ok(files)
    }
}

/// Opens a file to read it, but no link to another one, and without waiting for anybody.
fn open_in_place(path: &Path) -> std::io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Locks one byte for writing, unless somebody else has locked it. The lock belongs to the open file, not to the
/// process: a process loses its own lock when it closes the same file anywhere else, as [`Database::wait_for_a_write`] does.
fn lock_byte(file: &File, at: libc::off_t) -> Result<bool> {
    set_lock(file, at, libc::F_WRLCK)
}

/// Sets or removes the lock of one byte. Returns `false` if somebody else has locked it.
fn set_lock(file: &File, at: libc::off_t, kind: libc::c_int) -> Result<bool> {
    // SAFETY: a `flock` may consist of zeros only.
    let mut wanted: libc::flock = unsafe { std::mem::zeroed() };
    wanted.l_type = libc::c_short::try_from(kind)?;
    wanted.l_whence = libc::c_short::try_from(libc::SEEK_SET)?;
    wanted.l_start = at;
    wanted.l_len = 1;
    // SAFETY: the descriptor is open, and the kernel only reads from `wanted`.
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
    use rusqlite::{Connection, OpenFlags};

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
            // Reading does not unlock it, in this process or another.
            database.wait_for_a_write(Duration::ZERO)?;
            let count = "SELECT count(*) FROM charges";
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
            let reader = Connection::open_with_flags(database.path(), flags)?;
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

    #[test]
    fn every_write_is_seen() -> Result<()> {
        for mode in ["delete", "wal"] {
            let database = Database::new()?;
            let connection = Connection::open(database.path())?;
            // The log is copied into the database, and begins anew, after each few pages.
            connection.execute_batch(&format!(
                "PRAGMA journal_mode = {mode}; PRAGMA wal_autocheckpoint = 4; CREATE TABLE charges (event_id);"
            ))?;
            for number in 0..50 {
                let before = database.writes();
                connection.execute("INSERT INTO charges VALUES (?1)", [number])?;
                assert_ne!(database.writes(), before, "{mode}, {number}");
            }
        }
        Ok(())
    }
}
