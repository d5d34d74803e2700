//! A submission: which programs it contains, and how they are started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use confine::Confinement;

use crate::programs::paths::shortened;
use crate::programs::{Built, PROGRAMS, Version, own_build_command, target, workspace};
use crate::verdict::cause::{Cause, NOT_SUBMITTED, NoProgram, What};

/// Variables with options for every JVM that is started.
const OPTIONS_OF_JVMS: [&str; 3] = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"];

/// The programs of a submission, by name.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    programs: BTreeMap<String, Found>,
    left_out: BTreeMap<String, Vec<String>>,
    python: Option<PathBuf>,
    confinement: Option<Confinement>,
    /// The folders that its messages should not name.
    folders: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
enum Found {
    /// The path of an executable or a Python script.
    File(PathBuf),
    /// The compiler's errors.
    DoesNotCompile(String),
    /// Why this machine cannot run it, which is not its fault.
    NotHere(String),
}

impl Submission {
    /// Returns a submission of these executables and scripts, given as paths by program name.
    pub fn of(programs: BTreeMap<String, PathBuf>) -> Self {
        let programs = programs.into_iter();
        Self {
            programs: programs
                .map(|(name, path)| (name, Found::File(path)))
                .collect(),
            ..Self::default()
        }
    }

    /// Returns the same submission. This Python runs its scripts.
    #[must_use]
    pub fn with_python(mut self, python: PathBuf) -> Self {
        self.python = Some(python);
        self
    }

    /// Returns the same submission. Its programs run confined, because nobody has read them.
    #[must_use]
    pub fn confined(mut self, confinement: Confinement) -> Self {
        self.confinement = Some(confinement);
        self
    }

    /// Returns the same submission. These files, which this program may miss, were left out of it.
    #[must_use]
    pub fn left_out(mut self, program: &str, files: Vec<String>) -> Self {
        self.left_out.insert(program.to_string(), files);
        self
    }

    /// Returns the same submission. What depends on this program cannot be judged, because this machine cannot run it.
    #[must_use]
    pub fn without(mut self, program: &str, why: String) -> Self {
        self.programs
            .insert(program.to_string(), Found::NotHere(why));
        self
    }

    /// The programs that are Python scripts.
    pub fn scripts(&self) -> Vec<String> {
        let is_script = |found: &Found| matches!(found, Found::File(path) if is_script(path));
        let scripts = self.programs.iter().filter(|(_, found)| is_script(found));
        scripts.map(|(program, _)| program.clone()).collect()
    }

    /// Returns the submission in a folder. It contains executables named after the programs, such as `producer`, or Python
    /// scripts, such as `producer.py`.
    ///
    /// # Errors
    /// If the folder contains none of them.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder)?;
        let mut programs = BTreeMap::new();
        for program in PROGRAMS {
            let names = [(*program).to_string(), format!("{program}.py")];
            let files = names.iter().map(|name| folder.join(name));
            if let Some(found) = files.into_iter().find(|file| file.is_file()) {
                programs.insert((*program).to_string(), found);
            }
        }
        if programs.is_empty() {
            bail!(
                "{} contains none of the programs. Their names are {}; a Python script also ends in .py",
                folder.display(),
                PROGRAMS.join(", ")
            );
        }
        Ok(Self {
            folders: vec![folder],
            ..Self::of(programs)
        })
    }

    /// Builds these programs of this workspace. If one does not compile, the others can still be started.
    ///
    /// # Errors
    /// If Cargo itself fails, or on Ctrl-C.
    pub fn build_own(programs: &[&str]) -> Result<Self> {
        let targets: Vec<_> = programs
            .iter()
            .map(|program| target(program, Version::Own))
            .collect();
        let mut cargo = own_build_command(&targets);
        let built = Built::keep_going(&mut cargo)?;
        Ok(Self::from_build(
            programs,
            &built,
            &[workspace().to_path_buf()],
        ))
    }

    /// Returns the submission that results from a build of these programs. Messages should not name these folders.
    pub fn from_build(programs: &[&str], built: &Built, folders: &[PathBuf]) -> Self {
        let found = programs.iter().map(|program| {
            let found = match built.executables.get(*program) {
                Some(path) => Found::File(path.clone()),
                None => Found::DoesNotCompile(built.error(program)),
            };
            ((*program).to_string(), found)
        });
        Self {
            programs: found.collect(),
            folders: folders.to_vec(),
            ..Self::default()
        }
    }

    /// Says why checks that need all of these programs cannot be judged, if one of the programs cannot be started.
    pub fn missing(&self, programs: &[&str]) -> Option<NoProgram> {
        let error = |program: &&str| match self.programs.get(*program) {
            Some(Found::File(_) | Found::NotHere(_)) => None,
            Some(Found::DoesNotCompile(error)) => Some((What::DoesNotCompile, error.as_str())),
            None => Some((What::NotSubmitted, "")),
        };
        let what = programs.iter().find_map(error)?.0;
        let mut errors: Vec<String> = Vec::new();
        let mut named = Vec::new();
        for program in programs {
            let Some((_, error)) = error(program).filter(|(other, _)| *other == what) else {
                continue;
            };
            named.push((*program).to_string());
            // Programs may share a file, and then they have the same errors.
            let error = self.with_short_paths(error.trim_end());
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        let cause = Cause {
            programs: named,
            what,
        };
        let mut saw = match what {
            What::DoesNotCompile => format!("it does not compile:\n{}", errors.join("\n\n")),
            What::NotSubmitted | What::EndsAtOnce => NOT_SUBMITTED.to_string(),
        };
        let left_out: BTreeSet<&str> = cause
            .programs
            .iter()
            .filter_map(|program| self.left_out.get(program))
            .flatten()
            .map(String::as_str)
            .collect();
        if !left_out.is_empty() {
            saw += "\nGrading left out these files of the submission, and that may be the reason:";
        }
        for file in left_out {
            saw += &format!("\n  {file}");
        }
        Some(NoProgram { cause, saw })
    }

    /// Says why this machine cannot run one of these programs, if there is one that it cannot run.
    pub fn not_here(&self, programs: &[&str]) -> Option<&str> {
        programs
            .iter()
            .find_map(|program| match self.programs.get(*program) {
                Some(Found::NotHere(why)) => Some(why.as_str()),
                _ => None,
            })
    }

    /// Returns the text without the parts of paths that depend on this machine.
    pub fn with_short_paths(&self, text: &str) -> String {
        shortened(text, &self.folders)
    }

    /// Returns the command that starts a program. A confined program may use the folders in `kept` as its own, in addition to
    /// the folder that it is started in.
    ///
    /// # Errors
    /// If there is no such program, or it cannot be confined.
    pub fn command(&self, program: &str, kept: &[PathBuf]) -> Result<Command> {
        let mut command = self.plain_command(program)?;
        match &self.confinement {
            Some(confinement) => {
                let mut confinement = confinement.clone();
                confinement.kept.extend_from_slice(kept);
                confine::confined(&command, &confinement)
            }
            None => {
                equalize(&mut command);
                Ok(command)
            }
        }
    }

    fn plain_command(&self, program: &str) -> Result<Command> {
        let Some(Found::File(path)) = self.programs.get(program) else {
            bail!("there is no program {program} to start");
        };
        if is_script(path) {
            let python = self.python.as_deref().unwrap_or(Path::new("python3"));
            let mut command = Command::new(python);
            command.arg("-u").arg(path);
            return Ok(command);
        }
        Ok(Command::new(path))
    }
}

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

/// Removes from the environment what would make a program do something else here than when it is graded, where it is confined:
/// a language in which a number is `49,99`, and options for every JVM.
fn equalize(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let is_language = name == "LANGUAGE" || name.to_string_lossy().starts_with("LC_");
        if is_language || OPTIONS_OF_JVMS.iter().any(|option| name == *option) {
            command.env_remove(name);
        }
    }
    command.env("LANG", confine::LANGUAGE);
}
