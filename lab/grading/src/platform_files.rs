//! Files among the submissions that are not submissions: learning platforms, macOS and Windows add them to what they pack.

use std::path::Path;

use crate::unpack::is_of_tools;

/// How the names of files end in which platforms write who has submitted what, such as Gradescope's `submission_metadata.yml`,
/// Sakai's `grades.csv` and Blackboard's `NAME_attempt_DATE.txt`. No program is such a file.
const ENDINGS: &[&str] = &[
    "csv", "html", "ini", "json", "txt", "xls", "xlsx", "xml", "yaml", "yml", "db", "ds_store",
];

/// What is in the name of a file or folder in which Moodle keeps text that a student has typed into a form.
const TYPED: &str = "_assignsubmission_onlinetext";

/// Is this certainly not a submission?
pub fn is_of_platform(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.contains(TYPED) {
        return true;
    }
    if path.is_dir() {
        return is_of_tools(&name);
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn files_of_platforms_are_told_from_submissions() {
        let folder = TempDir::new().unwrap();
        for name in [
            "__MACOSX",
            "Jane_7_assignsubmission_onlinetext_",
            "jane.doe.txt",
        ] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let is_of_platform = |name: &str| is_of_platform(&folder.path().join(name));
        for name in [
            "submission_metadata.yml",
            "grades.csv",
            "Lab_jdoe_attempt_2026-11-01.TXT",
            "index.html",
            ".DS_Store",
            "Thumbs.db",
            "__MACOSX",
            "Jane_7_assignsubmission_onlinetext_",
        ] {
            assert!(is_of_platform(name), "{name}");
        }
        // What a student may have submitted gets a verdict, even if it cannot be judged.
        for name in [
            "jane.zip",
            "jane.rar",
            "jane.pdf",
            "producer.py",
            "jane",
            "jane.doe.txt",
        ] {
            assert!(!is_of_platform(name), "{name}");
        }
    }
}
