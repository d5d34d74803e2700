//! A roster: the table of students that a learning platform exports. A gradebook that begins with the same columns can be imported
//! there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use csv::ReaderBuilder;

/// The columns by which Canvas and Moodle know a student. Canvas: "How do I import grades in the Gradebook?"; Moodle: "Grade import",
/// and the grading worksheet of an assignment.
const KNOWN: &[&str] = &[
    "Student",
    "ID",
    "SIS User ID",
    "SIS Login ID",
    "Integration ID",
    "Root Account",
    "Section",
    "Identifier",
    "Full name",
    "First name",
    "Last name",
    "Surname",
    "ID number",
    "Username",
    "Email address",
];

/// What Moodle writes before the number by which a worksheet and the names of downloaded submissions identify a student.
const PARTICIPANT: &str = "participant ";

/// The columns of a roster that identify students; all of its columns, if none of them is known.
#[derive(Clone, Debug)]
pub struct Roster {
    pub columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Roster {
    /// Reads a table with a header; its cells are separated by commas, semicolons or tabs.
    ///
    /// # Errors
    /// When the file cannot be read, or contains no students.
    pub fn read(file: &Path) -> Result<Self> {
        let read = || Self::parse(&fs::read_to_string(file)?);
        read().with_context(|| format!("the roster {} cannot be read", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        // Canvas begins its files with a byte order mark.
        let text = text.trim_start_matches('\u{feff}');
        let header = text.lines().next().unwrap_or_default();
        let count = |separator: &u8| header.bytes().filter(|byte| byte == separator).count();
        let separator = b",;\t".iter().max_by_key(|separator| count(separator));
        let mut table = ReaderBuilder::new()
            .delimiter(*separator.unwrap_or(&b','))
            .flexible(true)
            .from_reader(text.as_bytes());
        let all: Vec<String> = table.headers()?.iter().map(str::to_string).collect();
        let is_known = |at: &usize| KNOWN.contains(&all[*at].trim());
        let mut kept: Vec<usize> = (0..all.len()).filter(is_known).collect();
        if kept.is_empty() {
            kept = (0..all.len()).collect();
        }
        let mut rows = Vec::new();
        for row in table.records() {
            let row = row?;
            let cell = |at: &usize| row.get(*at).unwrap_or_default().to_string();
            rows.push(kept.iter().map(cell).collect());
        }
        ensure!(!rows.is_empty(), "it contains no students");
        let columns = kept.iter().map(|at| all[*at].clone()).collect();
        Ok(Self { columns, rows })
    }

    /// The cells of the student to whom a submission belongs: its name, or a part of its name between underscores, is a cell of only
    /// this student, or two cells next to each other, such as a first and a last name.
    pub fn student(&self, submission: &str) -> Option<&[String]> {
        let submission = submission.to_lowercase();
        let mut names: Vec<&str> = vec![&submission];
        names.extend(submission.split('_'));
        names.into_iter().find_map(|name| {
            let mut found = self.rows.iter().filter(|row| keys(row).contains(name));
            let row = found.next()?;
            found.next().is_none().then_some(row.as_slice())
        })
    }
}

/// By what a student may be called.
fn keys(row: &[String]) -> BTreeSet<String> {
    let cells: Vec<String> = row.iter().map(|cell| cell.trim().to_lowercase()).collect();
    let mut keys: BTreeSet<String> = cells.iter().cloned().collect();
    keys.extend(cells.windows(2).map(|pair| pair.join(" ")));
    let numbers = cells
        .iter()
        .filter_map(|cell| cell.strip_prefix(PARTICIPANT));
    keys.extend(numbers.map(str::to_string));
    keys.remove("");
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canvas() {
        let roster = "\u{feff}Student,ID,SIS User ID,SIS Login ID,Section,Quiz 1\n    Points Possible,,,,,10\n\
                      \"Doe, Jane\",4711,,jdoe,A,7\n\"Roe, Max\",4712,,mroe,A,4711\n";
        let roster = Roster::parse(roster).unwrap();
        assert_eq!(roster.columns.len(), 5);
        for submission in [
            "jdoe",
            "doejane_4711_98765_lab",
            "doejane_LATE_4711_98765_lab",
        ] {
            assert_eq!(roster.student(submission).unwrap()[0], "Doe, Jane");
        }
        assert!(roster.student("doejane_1_2_lab").is_none());
        // The section belongs to both.
        assert!(roster.student("a").is_none());
    }

    #[test]
    fn moodle() {
        let grades = "First name;Last name;ID number;Email address\nJane;Doe;17;jane@example.org\n";
        let grades = Roster::parse(grades).unwrap();
        let submission = "Jane Doe_203_assignsubmission_file";
        assert_eq!(grades.student(submission).unwrap()[2], "17");
        let worksheet = "Identifier,Full name,Grade\nParticipant 203,Jane Doe,\n";
        let worksheet = Roster::parse(worksheet).unwrap();
        assert_eq!(worksheet.columns, ["Identifier", "Full name"]);
        assert_eq!(worksheet.student(submission).unwrap()[0], "Participant 203");
    }

    #[test]
    fn any_other_table_is_kept_whole() {
        let roster = Roster::parse("login\tmatriculation\njdoe\t0815\n").unwrap();
        assert_eq!(roster.student("JDoe").unwrap(), ["jdoe", "0815"]);
        assert!(Roster::parse("login\n").is_err());
    }
}
