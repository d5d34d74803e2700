//! The one folder of a submission in which the programs are. Students hand in a folder in a folder, a report beside it, or an
//! archive in a folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use judge::programs::PROGRAMS;

/// Where the programs of a submission are.
#[derive(Debug, PartialEq, Eq)]
pub enum Programs {
    Nowhere,
    In(PathBuf),
    /// In several folders, none of which is inside another.
    InSeveral(Vec<PathBuf>),
}

/// Finds the programs among these files. What is inside the folder with the programs does not count as another such folder: a
/// workspace may contain an older version of itself.
pub fn programs_folder<'a>(files: impl Iterator<Item = &'a Path>) -> Programs {
    let found: BTreeSet<PathBuf> = files.filter_map(folder_of_program).collect();
    let mut outermost: Vec<PathBuf> = Vec::new();
    // A folder comes before what is inside it.
    for folder in found {
        if !outermost.iter().any(|outer| folder.starts_with(outer)) {
            outermost.push(folder);
        }
    }
    match outermost.len() {
        0 => Programs::Nowhere,
        1 => Programs::In(outermost.remove(0)),
        _ => Programs::InSeveral(outermost),
    }
}

/// Is this a file from which a program is built, by its path in the workspace? It need not be Rust: `include_str!` may read it.
pub fn is_source(path: &Path) -> bool {
    let mut programs = PROGRAMS.iter();
    programs.any(|program| path.starts_with(Path::new(program).join("src")))
}

/// Is this a Rust source of a program, by its path in the workspace?
pub fn is_rust_source(path: &Path) -> bool {
    is_source(path) && path.extension().is_some_and(|extension| extension == "rs")
}

/// Is this an executable or a script of a program, by its path in the folder of programs?
pub fn is_executable_or_script(path: &Path) -> bool {
    PROGRAMS.iter().any(|name| {
        let script = format!("{name}.py");
        path == Path::new(name) || path == Path::new(&script)
    })
}

/// The folder to which a program belongs that consists of this file, or contains it.
fn folder_of_program(file: &Path) -> Option<PathBuf> {
    let mut outer: Vec<&Path> = file.ancestors().skip(1).collect();
    outer.reverse();
    let belongs_to = |folder: &&Path| {
        let inside = file.strip_prefix(folder);
        inside.is_ok_and(|path| is_rust_source(path) || is_executable_or_script(path))
    };
    outer.into_iter().find(belongs_to).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str]) -> Programs {
        programs_folder(files.iter().map(Path::new))
    }

    fn in_folder(folder: &str) -> Programs {
        Programs::In(PathBuf::from(folder))
    }

    #[test]
    fn sources_executables_and_scripts_are_found_in_any_folder() {
        assert_eq!(found(&["producer/src/main.rs"]), in_folder(""));
        assert_eq!(
            found(&["a/b/consumer_group_a/src/member.rs", "report.pdf"]),
            in_folder("a/b")
        );
        assert_eq!(found(&["bin/billing", "lib/all.jar"]), in_folder("bin"));
        assert_eq!(
            found(&[".DS_Store", "lab/consumer.py", "lab/producer.py"]),
            in_folder("lab")
        );
    }

    #[test]
    fn older_versions_inside_do_not_count() {
        let files = [
            "lab/producer/src/main.rs",
            "lab/solutions/producer/src/main.rs",
            "lab/old/producer.py",
        ];
        assert_eq!(found(&files), in_folder("lab"));
    }

    #[test]
    fn several_folders_are_named() {
        let files = ["task1/producer.py", "task2/consumer.py"];
        let folders = ["task1", "task2"].map(PathBuf::from).to_vec();
        assert_eq!(found(&files), Programs::InSeveral(folders));
    }

    #[test]
    fn other_names_are_no_programs() {
        let files = [
            "Producer.py",
            "src/main.rs",
            "producer/main.rs",
            "consumer.js",
        ];
        assert_eq!(found(&files), Programs::Nowhere);
    }
}
