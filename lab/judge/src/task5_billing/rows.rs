//! Reading the rows of the billing database from outside. The program wrote the file, so nothing in it is trusted.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use common::Payment;
use rusqlite::OptionalExtension;
use rusqlite::types::ValueRef;

use crate::bench::database::Database;
use crate::data::money::to_cents;
use crate::task5_billing::charges::{Charge, Charges};

/// The most rows that are read. No check publishes as many payments.
const MOST_ROWS: usize = 100_000;

/// The charges at this moment. If the database cannot be read, there are no rows, and `problem` says why.
pub fn charges(database: &Database) -> Charges {
    match read(database) {
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

fn read(database: &Database) -> Result<Vec<Charge>> {
    let Some(connection) = database.open()? else {
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

/// Whether another table disagrees with `charges` about which of these payments are done. If so, the program writes in
/// two transactions what belongs together, and it is between the two now.
pub fn is_between(database: &Database, payments: &[Payment]) -> bool {
    let charged = charges(database);
    let known: BTreeSet<&str> = payments.iter().map(|one| one.event_id.as_str()).collect();
    let others = event_ids_elsewhere(database, &known).unwrap_or_default();
    let charged: BTreeSet<String> = known
        .iter()
        .filter(|id| charged.has(id))
        .map(ToString::to_string)
        .collect();
    others.iter().any(|ids| *ids != charged)
}

/// Which of the known ids each table except `charges` contains. Tables that contain none of them are left out.
fn event_ids_elsewhere(
    database: &Database,
    known: &BTreeSet<&str>,
) -> Result<Vec<BTreeSet<String>>> {
    let Some(connection) = database.open()? else {
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
    use std::fs::{self, File};
    use std::time::Duration;

    use rusqlite::Connection;

    use super::*;
    use crate::bench::database::LARGEST;
    use crate::data::payments::random_payments;

    const ONE: &str = "CREATE TABLE charges (extra, amount, event_id TEXT, user_id TEXT);
                       INSERT INTO charges VALUES (x'00', 12.5, 'a', 'ann');";

    /// A database that these statements made, and the connection that still has it open.
    fn made_by(statements: &str) -> Result<(Database, Connection)> {
        let database = Database::new()?;
        let connection = Connection::open(database.path())?;
        connection.execute_batch(statements)?;
        Ok((database, connection))
    }

    fn problem(database: &Database) -> String {
        let charges = charges(database);
        assert!(charges.rows.is_empty(), "{charges}");
        charges.problem.unwrap_or_default()
    }

    #[test]
    fn reads_the_rows_in_the_table() -> Result<()> {
        assert_eq!(charges(&Database::new()?), Charges::default());
        assert_eq!(
            charges(&made_by("CREATE TABLE t (x)")?.0),
            Charges::default()
        );
        for mode in ["delete", "wal"] {
            let statements = format!("PRAGMA journal_mode = {mode}; {ONE}");
            let (database, _open) = made_by(&statements)?;
            assert_eq!(charges(&database).to_string(), "1 charge, $12.50");
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
            let charges = charges(&made_by(statements)?.0);
            let row = Charge {
                event_id: "a".to_string(),
                user_id: "ann".to_string(),
                cents: Some(1_200),
            };
            assert_eq!(charges.rows, [row], "{statements}: {charges}");
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
        assert!(problem(&database).contains("larger than"));
        Ok(())
    }

    #[test]
    fn is_read_while_somebody_writes() -> Result<()> {
        for mode in ["delete", "wal"] {
            let (database, connection) = made_by(&format!("PRAGMA journal_mode = {mode}; {ONE}"))?;
            connection.execute_batch("BEGIN IMMEDIATE; DELETE FROM charges")?;
            assert_eq!(charges(&database).rows.len(), 1, "{mode}");
            assert!(database.lock(Duration::ZERO)?.is_none(), "{mode}");
        }
        Ok(())
    }

    #[test]
    fn sees_two_transactions() -> Result<()> {
        let payments = random_payments(2);
        let id = |at: usize| payments[at].event_id.clone();
        let one = ONE.replace("charges", "Charges");
        let (database, connection) = made_by(&format!("{one} CREATE TABLE seen (event_id)"))?;
        assert!(!is_between(&database, &payments));
        connection.execute("INSERT INTO seen VALUES (?1)", [id(0)])?;
        assert!(is_between(&database, &payments));
        connection.execute("INSERT INTO charges (event_id) VALUES (?1)", [id(0)])?;
        assert!(!is_between(&database, &payments));
        connection.execute("INSERT INTO charges (event_id) VALUES (?1)", [id(1)])?;
        assert!(is_between(&database, &payments));
        Ok(())
    }
}
