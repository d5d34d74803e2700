//! A submission's page: its code next to the starter and the solution.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use judge::Report;
use judge::programs::{PROGRAMS, workspace};
use pages::{Review, Versions, review_page};
use walkdir::WalkDir;

use crate::intake::{Intake, Kind};

/// Files that are longer than this, in bytes, are not shown: nobody would read them.
const MOST_SHOWN: usize = 256 * 1024;

/// The page, as HTML. `class` is the link to the page of the whole class, if there is one.
///
/// # Errors
/// When the folder of a starter cannot be read.
pub fn review(report: &Report, intake: &Intake, class: Option<&str>) -> Result<String> {
    let files = match intake.kind {
        Kind::Workspace => sources(intake)?,
        Kind::Programs => scripts(intake),
    };
    let left_out = intake.left_out();
    let remarks: Vec<String> = left_out
        .iter()
        .map(|what| format!("Not taken from the submission: {what}."))
        .collect();
    Ok(review_page(&Review {
        report,
        files: &files,
        remarks: &remarks,
        class,
    }))
}

/// The source files of each program: those of the starter, and those that the submission adds.
fn sources(intake: &Intake) -> Result<Vec<Versions>> {
    let mut files = Vec::new();
    for program in PROGRAMS {
        let source = Path::new(program).join("src");
        let is_shown = |path: &PathBuf| {
            let text = intake.text(path);
            text.is_some_and(|text| text.len() <= MOST_SHOWN)
        };
        let mut paths: BTreeSet<PathBuf> = intake.paths_in(&source).filter(is_shown).collect();
        for entry in WalkDir::new(workspace().join(&source)) {
            let entry = entry?;
            if entry.file_type().is_file() {
                paths.insert(entry.path().strip_prefix(workspace())?.to_path_buf());
            }
        }
        for path in paths {
            let read = |root: &Path| fs::read_to_string(root.join(&path)).ok();
            let starter = read(workspace());
            let solution = read(&workspace().join("solutions"));
            files.push(Versions {
                path: path.display().to_string(),
                // If a program has no holes, its starter is the solution.
                solution: solution.or_else(|| starter.clone()),
                starter,
                submission: intake.text(&path),
            });
        }
    }
    Ok(files)
}

/// The programs of a folder that are text, in the order of the programs.
fn scripts(intake: &Intake) -> Vec<Versions> {
    let of_program = |program: &&str| {
        let names = [program.to_string(), format!("{program}.py")];
        names.map(|name| (name.clone(), intake.text(&intake.folder.join(name))))
    };
    let texts = PROGRAMS.iter().flat_map(of_program);
    let shown = texts.filter_map(|(path, text)| Some((path, text?)));
    shown
        .filter(|(_, text)| text.len() <= MOST_SHOWN)
        .map(|(path, text)| Versions {
            path,
            submission: Some(text),
            ..Versions::default()
        })
        .collect()
}
