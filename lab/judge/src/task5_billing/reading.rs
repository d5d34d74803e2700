//! Reads the billing database in a process of its own. The program wrote the file, so nothing in it is trusted, not even that
//! it does no harm to the process that reads it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use confine::helper;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::bench::database::{FILE_NAME, READER};
use crate::data::money::to_cents;
use crate::task5_billing::charges::Charge;

/// The most rows that are read. No check publishes as many payments.
const MOST_ROWS: usize = 100_000;

/// The largest row that is read, in bytes.
const LARGEST_ROW: i32 = 1 << 20;

/// How many bytes of text all rows together may have.
const MOST_TEXT: usize = 8 << 20;

/// The largest file that a confined program may write, in bytes.
const LARGEST: u64 = 64 << 20;

/// The longest time that a query may take, whatever the database contains.
const READ_LIMIT: Duration = Duration::from_secs(3);

/// How long an answer may take, in seconds: that is two queries, and more for a busy machine.
const ANSWER_SECONDS: u32 = 10;

/// How long a query waits while the program is writing.
const BUSY_LIMIT: Duration = Duration::from_secs(1);

/// What the grader wants to know about a database.
#[derive(Debug, Serialize, Deserialize)]
pub enum Question {
    /// The rows of the table `charges`: a list of [`Charge`].
    Charges,
    /// Whether another table disagrees with `charges` about which of these payments are done: a `bool`. If so, the program
    /// writes in two transactions what belongs together, and it is between the two now.
    IsBetween(BTreeSet<String>),
}

/// If this process was started to read a billing database, does that and does not return.
pub fn read_database_if_asked() {
    let mut words = env::args_os().skip(1);
    if words.next().is_some_and(|word| word == READER) {
        let folder = PathBuf::from(words.next().unwrap_or_default());
        helper::serve(ANSWER_SECONDS, |question| answer(&folder, question));
    }
}

/// The answer as JSON: `{"Ok": …}`, or `{"Err": "why the database cannot be read"}`. It is empty if there is no such question.
fn answer(folder: &Path, question: &str) -> String {
    match serde_json::from_str(question) {
        Ok(Question::Charges) => encoded(charges(folder)),
        Ok(Question::IsBetween(ids)) => encoded(is_between(folder, &ids)),
        Err(_) => String::new(),
    }
}

fn encoded<T: Serialize>(read: Result<T>) -> String {
    let read = read.map_err(|error| match error.downcast_ref() {
        Some(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == ErrorCode::TooBig => {
            format!("a row is larger than {} MB", LARGEST_ROW >> 20)
        }
        _ => format!("{error:#}"),
    });
    serde_json::to_string(&read).unwrap_or_default()
}

/// The rows of the table `charges`. There are none if there is no such table.
fn charges(folder: &Path) -> Result<Vec<Charge>> {
    let Some(connection) = open(folder)? else {
        return Ok(Vec::new());
    };
    // To SQLite, names in upper and lower case are the same.
    let kind = connection
        .query_row(
            "SELECT type FROM sqlite_master WHERE name = 'charges' COLLATE NOCASE AND type IN ('table', 'view')",
            [],
            |row| row.get::<_, String>(0),
        )
        .optional()?;
    match kind.as_deref() {
        None => return Ok(Vec::new()),
        Some("table") => {}
        Some(_) => bail!("charges is a view, but must be a table"),
    }
    let mut select = connection.prepare("SELECT event_id, user_id, amount FROM charges")?;
    let mut found = select.query([])?;
    let mut rows = Vec::new();
    let mut read = 0;
    while let Some(row) = found.next()? {
        if rows.len() >= MOST_ROWS {
            bail!("the table charges holds more than {MOST_ROWS} rows");
        }
        let charge = Charge {
            event_id: text(row.get_ref(0)?),
            user_id: text(row.get_ref(1)?),
            cents: cents(row.get_ref(2)?),
        };
        read += charge.event_id.len() + charge.user_id.len();
        if read > MOST_TEXT {
            bail!("the table charges holds more than {} MB", MOST_TEXT >> 20);
        }
        rows.push(charge);
    }
    Ok(rows)
}

/// The answer to [`Question::IsBetween`].
fn is_between(folder: &Path, ids: &BTreeSet<String>) -> Result<bool> {
    let rows = charges(folder)?;
    let charged = rows.iter().map(|row| &row.event_id);
    let charged: BTreeSet<&String> = charged.filter(|id| ids.contains(*id)).collect();
    let others = ids_elsewhere(folder, ids)?;
    Ok(others
        .iter()
        .any(|others| !others.iter().eq(charged.iter().copied())))
}

/// Which of these ids each table except `charges` contains. Tables that contain none of them are left out.
fn ids_elsewhere(folder: &Path, ids: &BTreeSet<String>) -> Result<Vec<BTreeSet<String>>> {
    let Some(connection) = open(folder)? else {
        return Ok(Vec::new());
    };
    let mut select = connection.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'charges' COLLATE NOCASE LIMIT 10",
    )?;
    let names = select.query_map([], |row| row.get::<_, String>(0))?;
    let mut elsewhere = Vec::new();
    for name in names {
        let name = name?.replace('"', "\"\"");
        let mut select = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let columns = select.column_count();
        let mut rows = select.query([])?;
        let mut known = BTreeSet::new();
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                let text = text(row.get_ref(column)?);
                if ids.contains(&text) {
                    known.insert(text);
                }
            }
        }
        if !known.is_empty() {
            elsewhere.push(known);
        }
    }
    Ok(elsewhere)
}

/// Opens the database for reading; `None` if there is no database yet. A query on the connection fails after 3 s.
fn open(folder: &Path) -> Result<Option<Connection>> {
    if !is_there(folder)? {
        return Ok(None);
    }
    // Read-only, because a journal that a program left behind may name any file, and SQLite deletes the named file when it
    // rolls back this journal.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(folder.join(FILE_NAME), flags)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_ROW)?;
    let end = Instant::now() + READ_LIMIT;
    connection.progress_handler(10_000, Some(move || Instant::now() > end))?;
    Ok(Some(connection))
}

/// Is there a database file? Anything except plain files is an error: opening it could block, or lead to a file
/// elsewhere.
fn is_there(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            // SQLite deletes its journal at the end of every transaction, so it may be gone by now.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        let name = entry.file_name();
        if !metadata.is_file() {
            bail!("{} is not a plain file", name.display());
        }
        if metadata.len() > LARGEST {
            bail!("{} is larger than {} MB", name.display(), LARGEST >> 20);
        }
    }
    Ok(folder.join(FILE_NAME).exists())
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

/// The amount in cents. SQLite may store it as an integer, as a real number, or as text, in which spaces do not matter.
fn cents(value: ValueRef<'_>) -> Option<i64> {
    let dollars: f64 = text(value).trim().parse().ok()?;
    to_cents(dollars)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::bench::database::Database;

    const ONE: &str = "CREATE TABLE charges (extra, amount, event_id TEXT, user_id TEXT);
                       INSERT INTO charges VALUES (x'00', 12.5, 'a', 'ann');";

    /// A database that these statements made, and the connection that still has it open.
    fn made_by(statements: &str) -> Result<(Database, Connection)> {
        let database = Database::new()?;
        let connection = Connection::open(database.path())?;
        connection.execute_batch(statements)?;
        Ok((database, connection))
    }

    fn rows(database: &Database) -> Result<Vec<Charge>> {
        charges(database.folder())
    }

    fn problem(database: &Database) -> String {
        let answer = encoded(rows(database));
        assert!(answer.starts_with(r#"{"Err":"#), "{answer}");
        answer
    }

    fn one(event_id: &str, cents: i64) -> Charge {
        Charge {
            event_id: event_id.to_string(),
            user_id: "ann".to_string(),
            cents: Some(cents),
        }
    }

    #[test]
    fn reads_the_rows_in_the_table() -> Result<()> {
        assert!(rows(&Database::new()?)?.is_empty());
        assert!(rows(&made_by("CREATE TABLE t (x)")?.0)?.is_empty());
        for mode in ["delete", "wal"] {
            let statements = format!("PRAGMA journal_mode = {mode}; {ONE}");
            let (database, _open) = made_by(&statements)?;
            assert_eq!(rows(&database)?, [one("a", 1_250)]);
        }
        Ok(())
    }

    #[test]
    fn what_is_the_same_to_sqlite_is_the_same() -> Result<()> {
        let columns = "event_id TEXT, user_id TEXT, amount";
        for statements in [
            "CREATE TABLE Charges (EVENT_ID, User_Id, AMOUNT); INSERT INTO CHARGES VALUES ('a', 'ann', 12);",
            r#"CREATE TABLE "CHARGES" ("Amount" NUMERIC, "user_id", "event_id"); INSERT INTO charges VALUES ('12.00', 'ann', 'a');"#,
            &format!("CREATE TABLE charges ({columns} TEXT); INSERT INTO charges VALUES ('a', 'ann', 12.0);"),
            &format!("CREATE TABLE charges ({columns} TEXT); INSERT INTO charges VALUES ('a', 'ann', ' 12.00 ');"),
            &format!("CREATE TABLE charges ({columns} INTEGER); INSERT INTO charges VALUES ('a', 'ann', '12');"),
            &format!("CREATE TABLE charges ({columns} BLOB); INSERT INTO charges VALUES ('a', x'616e6e', x'31322e30');"),
            &format!("PRAGMA encoding = 'UTF-16'; CREATE TABLE charges ({columns}); INSERT INTO charges VALUES ('a', 'ann', '12');"),
            &format!("CREATE TABLE charges (at DEFAULT 7, {columns} REAL, PRIMARY KEY (event_id)) WITHOUT ROWID;
                      INSERT INTO charges (event_id, user_id, amount) VALUES ('a', 'ann', 12);"),
        ] {
            let rows = rows(&made_by(statements)?.0)?;
            assert_eq!(rows, [one("a", 1_200)], "{statements}");
        }
        Ok(())
    }

    #[test]
    fn trusts_nothing() -> Result<()> {
        let (database, _) = made_by("CREATE TABLE charges (event_id, amount)")?;
        assert!(problem(&database).contains("user_id"));

        let (database, _) =
            made_by("CREATE VIEW charges AS SELECT 1 event_id, 2 user_id, 3 amount")?;
        assert!(problem(&database).contains("is a view"));

        let database = Database::new()?;
        fs::write(
            database.path(),
            "not a database, but long enough to be one. ".repeat(100),
        )?;
        assert!(problem(&database).contains("file is not a database"));

        let (elsewhere, _) = made_by(ONE)?;
        let database = Database::new()?;
        std::os::unix::fs::symlink(elsewhere.path(), database.path())?;
        assert!(problem(&database).contains("is not a plain file"));
        assert!(database.lock(Duration::ZERO)?.is_none());

        let database = Database::new()?;
        nix::unistd::mkfifo(&database.path(), nix::sys::stat::Mode::S_IRWXU)?;
        assert!(problem(&database).contains("is not a plain file"));

        let database = Database::new()?;
        File::create(database.path())?.set_len(LARGEST + 1)?;
        assert!(problem(&database).contains("billing.db is larger than 64 MB"));

        let (database, _) = made_by(&format!(
            "{ONE} INSERT INTO charges (event_id) VALUES (zeroblob(30000000))"
        ))?;
        assert!(problem(&database).contains("a row is larger than 1 MB"));

        let (database, _) = made_by(&format!(
            "{ONE} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
             INSERT INTO charges (event_id) SELECT zeroblob(500000) FROM n"
        ))?;
        assert!(problem(&database).contains("charges holds more than 8 MB"));
        Ok(())
    }

    #[test]
    fn is_read_while_somebody_writes() -> Result<()> {
        for mode in ["delete", "wal"] {
            let (database, connection) = made_by(&format!("PRAGMA journal_mode = {mode}; {ONE}"))?;
            connection.execute_batch("BEGIN IMMEDIATE; DELETE FROM charges")?;
            assert_eq!(rows(&database)?.len(), 1, "{mode}");
            assert!(database.lock(Duration::ZERO)?.is_none(), "{mode}");
        }
        Ok(())
    }

    #[test]
    fn sees_two_transactions() -> Result<()> {
        let is_between = |database: &Database| {
            let ids = ["one", "two"].map(ToString::to_string);
            is_between(database.folder(), &BTreeSet::from(ids))
        };
        let one = ONE.replace("charges", "Charges");
        let (database, connection) = made_by(&format!("{one} CREATE TABLE seen (event_id)"))?;
        assert!(!is_between(&database)?);
        connection.execute("INSERT INTO seen VALUES ('one')", [])?;
        assert!(is_between(&database)?);
        connection.execute("INSERT INTO charges (event_id) VALUES ('one')", [])?;
        assert!(!is_between(&database)?);
        connection.execute("INSERT INTO charges (event_id) VALUES ('two')", [])?;
        assert!(is_between(&database)?);
        Ok(())
    }
}
