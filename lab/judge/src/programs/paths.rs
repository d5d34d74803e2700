//! Paths as a student knows them: within the submission, or within a library. The rest of a path says where this machine keeps
//! things.

use std::path::PathBuf;

/// What separates the folder of libraries from the path within a library, and how many folders follow that mean nothing.
const LIBRARIES: &[(&str, usize)] = &[
    // /home/jane/.cargo/registry/src/index-1949cf8c6b5b557f/rdkafka-0.39.0/src/config.rs
    ("/registry/src/", 1),
    // …/lib/rustlib/src/rust/library/core/src/result.rs
    ("/rustlib/src/rust/", 0),
    // /rustc/2f8d81f9dbac/library/core/src/result.rs
    ("/rustc/", 1),
];

/// What comes before a path in a message of the Rust compiler.
const ARROWS: [&str; 2] = ["--> ", "::: "];

/// The text with shorter paths. Paths in one of these folders are relative to it.
pub fn shortened(text: &str, folders: &[PathBuf]) -> String {
    let mut text = text.to_string();
    for folder in folders {
        text = text.replace(&format!("{}/", folder.display()), "");
    }
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

fn line(line: &str) -> String {
    let mut line = line.to_string();
    for (library, meaningless) in LIBRARIES {
        let mut from = 0;
        while let Some(at) = line[from..].find(library).map(|at| at + from) {
            let start = start_of_path(&line, at);
            let end = after_folders(&line, at + library.len(), *meaningless);
            line.replace_range(start..end, "");
            from = start;
        }
    }
    match after_arrow(&line) {
        Some(at) => format!("{}{}", &line[..at], without_detours(&line[at..])),
        None => line,
    }
}

/// Where the path begins that goes on at `at`.
fn start_of_path(line: &str, at: usize) -> usize {
    let is_outside = |c: char| c.is_whitespace() || "\"'`(<=".contains(c);
    let by_characters = || line[..at].rfind(is_outside).map_or(0, |before| before + 1);
    // A path after an arrow may contain spaces.
    after_arrow(line)
        .filter(|start| *start <= at)
        .unwrap_or_else(by_characters)
}

/// Where the path after an arrow begins, if the line consists of them.
fn after_arrow(line: &str) -> Option<usize> {
    let indent = line.len() - line.trim_start().len();
    let arrow = ARROWS
        .iter()
        .find(|arrow| line[indent..].starts_with(**arrow))?;
    Some(indent + arrow.len())
}

/// Where the path goes on after this many more folders.
fn after_folders(line: &str, at: usize, folders: usize) -> usize {
    let slashes = line[at..]
        .match_indices('/')
        .map(|(slash, _)| at + slash + 1);
    slashes.take(folders).last().unwrap_or(at)
}

/// `consumer_group_b/src/../../consumer_group_a/src/member.rs` is `consumer_group_a/src/member.rs`.
fn without_detours(path: &str) -> String {
    let mut folders: Vec<&str> = Vec::new();
    for folder in path.split('/') {
        let is_detour = folder == ".." && folders.last().is_some_and(|last| *last != "..");
        if is_detour {
            folders.pop();
        } else {
            folders.push(folder);
        }
    }
    folders.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortens_paths_in_libraries_and_in_the_submission() {
        let folders = [
            "/cache/scratch/.tmp1/workspace".into(),
            "/cache/scratch/.tmp1".into(),
        ];
        for (long, short) in [
            (
                "   --> /home/jane doe/.cargo/registry/src/index.example-19f4/rdkafka-0.39.0/src/config.rs:276:12",
                "   --> rdkafka-0.39.0/src/config.rs:276:12",
            ),
            (
                "   ::: /opt/rust/lib/rustlib/src/rust/library/core/src/result.rs:5:1",
                "   ::: library/core/src/result.rs:5:1",
            ),
            (
                "panicked at /rustc/2f8d81f9/library/core/src/result.rs:5:1, called by `/rustc/2f8d81f9/library/std/a.rs`",
                "panicked at library/core/src/result.rs:5:1, called by `library/std/a.rs`",
            ),
            (
                "  --> consumer_group_b/src/../../consumer_group_a/src/member.rs:7:2",
                "  --> consumer_group_a/src/member.rs:7:2",
            ),
            (
                "File \"/cache/scratch/.tmp1/producer.py\", line 1; /cache/scratch/.tmp1/workspace/a.rs",
                "File \"producer.py\", line 1; a.rs",
            ),
            (
                "include_bytes!(\"../../../target\")",
                "include_bytes!(\"../../../target\")",
            ),
        ] {
            assert_eq!(shortened(long, &folders), short);
        }
    }
}
