//! The billing database of a lane: an SQLite file that a program writes, and that we look at from outside. It is the
//! program's, so nothing that it holds is trusted, and we write nothing to it; we only lock it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use broker::wait;
use common::Payment;
use nix::libc;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::charges::{Charge, Charges};

/// Where a program is told which file the database is.
pub const BILLING_DB: &str = "BILLING_DB";

/// As much as a confined program may write to a file, in bytes.
const LARGEST: u64 = 64 << 20;

/// More charges than any check publishes payments.
const MOST_ROWS: usize = 100_000;

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

    /// What is charged at this moment. Where that cannot be told, it says why, and no charges: the file is the program's.
    pub fn charges(&self) -> Charges {
        match self.read() {
            Ok(rows) => Charges {
                rows,
                problem: None,
            },
            Err(problem) => Charges {
                rows: Vec::new(),
                problem: Some(format!("{problem:#}")),
            },
        }
    }

    fn read(&self) -> Result<Vec<Charge>> {
        if !self.is_there()? {
            return Ok(Vec::new());
        }
        let connection = self.open()?;
        let kind = connection.query_row(
            "SELECT count(*) FROM sqlite_master WHERE name = 'charges' AND type = 'table'",
            [],
            |row| row.get::<_, i64>(0),
        )?;
        if kind == 0 {
            return Ok(Vec::new());
        }
        let mut select = connection.prepare("SELECT event_id, user_id, amount FROM charges")?;
        let mut found = select.query([])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            if rows.len() >= MOST_ROWS {
                bail!("the table charges holds more than {MOST_ROWS} rows");
            }
            rows.push(Charge {
                event_id: text(row.get_ref(0)?),
                user_id: text(row.get_ref(1)?),
                cents: cents(row.get_ref(2)?),
            });
        }
        Ok(rows)
    }

    /// Has some other table another idea of which of these payments are done than `charges` has? Then what belongs together
    /// was written in two transactions, and the program is between them.
    pub fn is_between(&self, payments: &[Payment]) -> bool {
        let charged = self.charges();
        let known: BTreeSet<&str> = payments.iter().map(|one| one.event_id.as_str()).collect();
        let others = self.event_ids_elsewhere(&known).unwrap_or_default();
        let charged: BTreeSet<String> = known
            .iter()
            .filter(|id| charged.has(id))
            .map(ToString::to_string)
            .collect();
        others.iter().any(|ids| *ids != charged)
    }

    /// Of these ids, those that each table but `charges` holds, where it holds any.
    fn event_ids_elsewhere(&self, known: &BTreeSet<&str>) -> Result<Vec<BTreeSet<String>>> {
        if !self.is_there()? {
            return Ok(Vec::new());
        }
        let connection = self.open()?;
        let mut select = connection.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'charges' LIMIT 10",
        )?;
        let names = select.query_map([], |row| row.get::<_, String>(0))?;
        let mut elsewhere = Vec::new();
        for name in names {
            let name = name?.replace('"', "\"\"");
            let mut select = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
            let columns = select.column_count();
            let mut rows = select.query([])?;
            let mut ids = BTreeSet::new();
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    let text = text(row.get_ref(column)?);
                    if known.contains(text.as_str()) {
                        ids.insert(text);
                    }
                }
            }
            if !ids.is_empty() {
                elsewhere.push(ids);
            }
        }
        Ok(elsewhere)
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

    /// Is there a file? What is no plain file may block whoever opens it, or lead elsewhere.
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

    fn open(&self) -> Result<Connection> {
        // Read-only, also because a journal left behind may name any file, which whoever rolls it back would delete.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(self.path(), flags)?;
        connection.busy_timeout(BUSY_LIMIT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        let end = Instant::now() + READ_LIMIT;
        connection.progress_handler(10_000, Some(move || Instant::now() > end))?;
        Ok(connection)
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

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Null => String::new(),
    }
}

/// Cents, of what may be a number in any of SQLite's ways to keep one.
fn cents(value: ValueRef<'_>) -> Option<i64> {
    let dollars: f64 = text(value).parse().ok()?;
    to_cents(dollars)
}

/// Dollars in cents; `None` where they are more than anybody pays.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what does not fit is left out"
)]
pub fn to_cents(dollars: f64) -> Option<i64> {
    let cents = (dollars * 100.0).round();
    (cents.abs() < 1e15).then_some(cents as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "CREATE TABLE charges (extra, amount, event_id TEXT, user_id TEXT);
                       INSERT INTO charges VALUES (x'00', 12.5, 'a', 'ann');";

    /// A database made by these statements, and the connection that still has it open.
    fn made_by(statements: &str) -> Result<(Database, Connection)> {
        let database = Database::new()?;
        let connection = Connection::open(database.path())?;
        connection.execute_batch(statements)?;
        Ok((database, connection))
    }

    fn problem(database: &Database) -> String {
        let charges = database.charges();
        assert!(charges.rows.is_empty(), "{charges}");
        charges.problem.unwrap_or_default()
    }

    #[test]
    fn reads_what_is_there() -> Result<()> {
        assert_eq!(Database::new()?.charges(), Charges::default());
        assert_eq!(
            made_by("CREATE TABLE t (x)")?.0.charges(),
            Charges::default()
        );
        for mode in ["delete", "wal"] {
            let statements = format!("PRAGMA journal_mode = {mode}; {ONE}");
            let (database, _open) = made_by(&statements)?;
            assert_eq!(database.charges().to_string(), "1 charges, $12.50");
        }
        Ok(())
    }

    #[test]
    fn trusts_nothing() -> Result<()> {
        let (database, _) = made_by("CREATE TABLE charges (event_id, amount)")?;
        assert!(problem(&database).contains("user_id"));

        let (database, _) =
            made_by("CREATE VIEW charges AS SELECT 1 event_id, 2 user_id, 3 amount")?;
        assert_eq!(database.charges(), Charges::default());

        let database = Database::new()?;
        fs::write(
            database.path(),
            "no database, but long enough to be one. ".repeat(100),
        )?;
        assert!(problem(&database).contains("not a database"));

        let (elsewhere, _) = made_by(ONE)?;
        let database = Database::new()?;
        std::os::unix::fs::symlink(elsewhere.path(), database.path())?;
        assert!(problem(&database).contains("is no file"));
        assert!(database.lock(Duration::ZERO)?.is_none());

        let database = Database::new()?;
        nix::unistd::mkfifo(&database.path(), nix::sys::stat::Mode::S_IRWXU)?;
        assert!(problem(&database).contains("is no file"));

        let database = Database::new()?;
        File::create(database.path())?.set_len(LARGEST + 1)?;
        assert!(problem(&database).contains("more than"));
        Ok(())
    }

    #[test]
    fn is_read_while_somebody_writes() -> Result<()> {
        for mode in ["delete", "wal"] {
            let (database, connection) = made_by(&format!("PRAGMA journal_mode = {mode}; {ONE}"))?;
            connection.execute_batch("BEGIN IMMEDIATE; DELETE FROM charges")?;
            assert_eq!(database.charges().rows.len(), 1, "{mode}");
            assert!(database.lock(Duration::ZERO)?.is_none(), "{mode}");
        }
        Ok(())
    }

    #[test]
    fn nobody_writes_while_it_is_locked() -> Result<()> {
        for mode in ["delete", "wal"] {
            let (database, connection) = made_by(&format!("PRAGMA journal_mode = {mode}; {ONE}"))?;
            connection.busy_timeout(Duration::from_millis(50))?;
            let lock = database.lock(Duration::ZERO)?;
            assert!(lock.is_some(), "{mode}");
            // Reading does not unlock it.
            assert_eq!(database.charges().rows.len(), 1, "{mode}");
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
    fn sees_two_transactions() -> Result<()> {
        let payments = crate::random_payments(2);
        let id = |at: usize| payments[at].event_id.clone();
        let (database, connection) = made_by(&format!("{ONE} CREATE TABLE seen (event_id)"))?;
        assert!(!database.is_between(&payments));
        connection.execute("INSERT INTO seen VALUES (?1)", [id(0)])?;
        assert!(database.is_between(&payments));
        connection.execute("INSERT INTO charges (event_id) VALUES (?1)", [id(0)])?;
        assert!(!database.is_between(&payments));
        connection.execute("INSERT INTO charges (event_id) VALUES (?1)", [id(1)])?;
        assert!(database.is_between(&payments));
        Ok(())
    }
}
