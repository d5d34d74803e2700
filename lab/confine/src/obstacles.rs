//! What keeps a program from starting on this machine although nothing is wrong with it. Seen before it starts, because the
//! system itself says no more than "Permission denied", and `env` says that to the program's standard error.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::own_executable;

/// The variable in which the person who grades names more files and folders that programs may read, as in `PATH`.
pub const READABLE: &str = "KAFKA_LAB_READABLE";

/// The kernel reads no more of a script's first line, in bytes.
const START: u64 = 256;

/// How executables for macOS and for Windows begin. A Java class begins as the last one of macOS does.
const FOREIGN: [&[u8]; 4] = [
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"MZ",
];

/// Where an ELF file says what kind of machine it is for: the width of its words and the order of their bytes, and the processor.
const KIND_OF_MACHINE: [Range<usize>; 2] = [4..6, 18..20];

/// A script's interpreter may be a script itself. The kernel gives up after this many.
const SCRIPTS: usize = 4;

/// Says what keeps this command from starting, and what to do about it. `is_open` says whether the program may read a file;
/// `is_outsider` says whether it runs as a user who can enter a folder only if everybody can.
pub fn obstacle(
    command: &Command,
    is_open: impl Fn(&Path) -> bool,
    is_outsider: bool,
) -> Option<String> {
    let program = Path::new(command.get_program());
    let closed = || {
        let files = command.get_args().map(Path::new).chain([program]);
        files
            .filter(|file| file.is_absolute())
            .find_map(closed_folder)
    };
    if is_outsider && let Some(folder) = closed() {
        return Some(format!(
            "programs run as a user of their own, and that user cannot enter {}. Set KAFKA_LAB_CACHE to a folder that every \
             user may enter",
            folder.display()
        ));
    }
    if is_foreign(&start_of(program)) {
        return Some(
            "it is an executable for another kind of machine. Grade it on such a machine, or ask for its sources".to_string(),
        );
    }
    let mut script = program.to_path_buf();
    for _ in 0..SCRIPTS {
        let needed = interpreters(&script);
        for name in &needed {
            let Some(path) = find(name) else {
                return Some(format!(
                    "it is a script for {}, which this machine does not have. Install that, and grade it again",
                    name.display()
                ));
            };
            if !is_open(&path) {
                return Some(format!(
                    "it is a script for {}, which confined programs may not read. Set {READABLE} to the folder in which this is \
                     installed, and grade it again",
                    path.display()
                ));
            }
        }
        script = needed.last().and_then(|name| find(name))?;
    }
    None
}

/// The first folder on the way to a file that not everybody can enter.
fn closed_folder(file: &Path) -> Option<PathBuf> {
    let mut folders: Vec<&Path> = file.ancestors().skip(1).collect();
    folders.reverse();
    let is_closed = |folder: &&Path| {
        let metadata = folder.metadata();
        metadata.is_ok_and(|metadata| metadata.permissions().mode() & 0o001 == 0)
    };
    folders.into_iter().find(is_closed).map(Path::to_path_buf)
}

/// Whether a file that begins like this is an executable, but not for this system. The C library would take it for a shell script.
fn is_foreign(start: &[u8]) -> bool {
    if !cfg!(target_os = "linux") {
        return false;
    }
    let own = own_executable().map(|own| start_of(&own));
    let is_other = |own: &[u8]| {
        let mut kinds = KIND_OF_MACHINE.into_iter();
        kinds.any(|bytes| start.get(bytes.clone()) != own.get(bytes))
    };
    FOREIGN.iter().any(|foreign| start.starts_with(foreign))
        || start.starts_with(b"\x7fELF") && own.is_ok_and(|own| is_other(&own))
}

/// The first bytes of a file; none if it cannot be read.
fn start_of(file: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    // What was read before an error is the beginning, too.
    let _ = File::open(file).and_then(|file| file.take(START).read_to_end(&mut start));
    start
}

/// What the first line of a script names: its interpreter and, if that is `env`, the command that `env` looks for.
fn interpreters(script: &Path) -> Vec<PathBuf> {
    let start = start_of(script);
    let Some(line) = start.strip_prefix(b"#!") else {
        return Vec::new();
    };
    let line = line.split(|byte| *byte == b'\n').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let Some(interpreter) = words.next() else {
        return Vec::new();
    };
    let mut needed = vec![PathBuf::from(interpreter)];
    if Path::new(interpreter).file_name() == Some(OsStr::new("env")) {
        let command = words.find(|word| !word.starts_with('-') && !word.contains('='));
        needed.extend(command.map(PathBuf::from));
    }
    needed
}

/// The file that a name stands for: the name itself if it is a path, or else what is found in `PATH`.
fn find(name: &Path) -> Option<PathBuf> {
    let is_path = name.components().count() > 1 || name.is_absolute();
    let found = if is_path {
        name.is_file().then(|| name.to_path_buf())
    } else {
        let path = std::env::var_os("PATH")?;
        let files = std::env::split_paths(&path).map(|folder| folder.join(name));
        files.into_iter().find(|file| file.is_file())
    };
    found?.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of_script(line: &str, is_open: impl Fn(&Path) -> bool) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("producer");
        fs::write(&script, format!("{line}\n")).unwrap();
        obstacle(&Command::new(&script), is_open, false)
    }

    #[test]
    fn an_interpreter_that_programs_may_not_read_is_named() {
        let shell = Path::new("/bin/sh").canonicalize().unwrap();
        for line in ["#!/bin/sh", "#! /usr/bin/env sh", "#!/usr/bin/env -S sh -e"] {
            assert_eq!(of_script(line, |_| true), None);
            let said = of_script(line, |path| path != shell).unwrap();
            assert!(
                said.contains(&shell.display().to_string()) && said.contains(READABLE),
                "{said}"
            );
        }
    }

    #[test]
    fn an_interpreter_that_is_not_installed_is_named() {
        for line in ["#!/opt/none/python9", "#!/usr/bin/env python9"] {
            let said = of_script(line, |_| true).unwrap();
            assert!(
                said.contains("python9") && said.contains("Install"),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_no_script_needs_no_interpreter() {
        for line in ["", "#!", "print(1)"] {
            assert_eq!(of_script(line, |_| false), None);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_executable_for_another_machine_is_foreign() {
        let own = start_of(&own_executable().unwrap());
        assert!(!is_foreign(&own));
        assert!(!is_foreign(b"#!/bin/sh"));
        let mut other = own;
        other[18] ^= 1;
        for start in [&other[..], b"\xcf\xfa\xed\xfe\x07", b"MZ\x90"] {
            assert!(is_foreign(start), "{start:?}");
        }
    }

    #[test]
    fn a_closed_folder_is_named_if_the_user_is_an_outsider() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        for (mode, is_closed) in [(0o700, true), (0o711, false)] {
            for folder in [folder.path(), &closed] {
                fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
            }
            fs::set_permissions(&closed, PermissionsExt::from_mode(mode)).unwrap();
            let mut python = Command::new("python3");
            python.arg("-u").arg(closed.join("producer.py"));
            let said = obstacle(&python, |_| true, true);
            assert_eq!(said.is_some(), is_closed, "{said:?}");
            assert_eq!(obstacle(&python, |_| true, false), None);
        }
    }
}
