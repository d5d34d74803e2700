//! The Python that runs submitted scripts: `python3` of this machine, and what it lacks for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::run;
use confine::Confinement;
use serde::Deserialize;

/// A script that prints the paths of the interpreter and its libraries. It has to be asked, because `python3` may be a wrapper
/// that chooses between several interpreters.
const ASK: &str = "import json, site, sys
print(json.dumps({'executable': sys.executable, 'path': sys.path[1:] + [sys.prefix, sys.base_prefix], \
'user_base': site.getuserbase(), 'user_site': site.getusersitepackages()}))";

/// A script that prints which modules other scripts import and cannot find.
const IMPORTS: &str = include_str!("imports.py");

/// The packages that pip knows by another name than scripts import them by: the name to import, and the package.
const PACKAGES: [(&str, &str); 2] = [
    ("confluent_kafka", "confluent-kafka"),
    ("kafka", "kafka-python"),
];

/// How long Python may take to answer a question.
const LIMIT: Duration = Duration::from_secs(30);

/// An interpreter, and the paths that it must be allowed to read.
#[derive(Clone, Debug, Deserialize)]
pub struct Python {
    pub executable: PathBuf,
    pub path: Vec<PathBuf>,
    pub user_base: PathBuf,
    user_site: PathBuf,
}

impl Python {
    /// The `python3` of this machine.
    ///
    /// # Errors
    /// When this machine has none, or when it does not answer.
    pub fn find() -> Result<Self> {
        let output = run(Command::new("python3").args(["-c", ASK]), LIMIT).context(
            "it is a Python script, but this machine has no `python3`. Install Python 3",
        )?;
        if !output.status.success() {
            bail!(
                "`python3` cannot say where its libraries are: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The paths that it reads, apart from the scripts.
    pub fn readable(&self) -> impl Iterator<Item = PathBuf> {
        let own = [self.executable.clone(), self.user_site.clone()];
        own.into_iter().chain(self.path.clone())
    }

    /// Says for each of these programs, whose scripts are in a folder, why it cannot run: which modules it imports that are neither in the folder nor on
    /// this machine. Nobody has read the scripts, so they are parsed in this confinement.
    ///
    /// # Errors
    /// On Ctrl-C, or when Python cannot be started.
    pub fn lacks(
        &self,
        folder: &Path,
        programs: &[String],
        confinement: &Confinement,
    ) -> Result<BTreeMap<String, String>> {
        let mut ask = Command::new(&self.executable);
        ask.args(["-c", IMPORTS]).arg(folder).args(programs);
        let empty = tempfile::tempdir()?;
        let answer = run(
            confine::confined(&ask, confinement)?.current_dir(empty.path()),
            LIMIT,
        )?;
        // A script that Python cannot even parse is judged. It shows by itself what is wrong with it.
        let missing: BTreeMap<String, Vec<String>> =
            serde_json::from_slice(&answer.stdout).unwrap_or_default();
        let lacking = missing
            .into_iter()
            .filter(|(_, modules)| !modules.is_empty());
        Ok(lacking
            .map(|(program, modules)| {
                let why = self.lacking(&program, &modules);
                (program, why)
            })
            .collect())
    }

    fn lacking(&self, program: &str, modules: &[String]) -> String {
        let packages: Vec<&str> = modules.iter().map(|module| package(module)).collect();
        format!(
            "{program}.py imports {}, but neither the submission nor {} has that. Install it with `python3 -m pip install {}`, and \
             grade the submission again. If it is a file of the student's, ask for it",
            modules.join(" and "),
            self.executable.display(),
            packages.join(" ")
        )
    }
}

/// The name of the package in which pip finds a module.
fn package(module: &str) -> &str {
    let known = PACKAGES.iter().find(|(name, _)| *name == module);
    known.map_or(module, |(_, package)| package)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Why a script of this text, with these files beside it, cannot run.
    fn lacks(script: &str, beside: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in beside.iter().chain([&("producer.py", script)]) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut ask = Command::new("python3");
        ask.args(["-c", IMPORTS]).arg(folder.path()).arg("producer");
        let empty = tempfile::tempdir().unwrap();
        let answer = run(ask.current_dir(empty.path()), LIMIT).unwrap();
        let answer: BTreeMap<String, Vec<String>> = serde_json::from_slice(&answer.stdout).unwrap();
        let missing = answer["producer"].join(" ");
        (!missing.is_empty()).then_some(missing)
    }

    #[test]
    fn what_python_and_the_folder_have_is_not_missing() {
        assert_eq!(
            lacks(
                "import json, os.path\nimport helper\n",
                &[("helper.py", "")]
            ),
            None
        );
        assert_eq!(
            lacks(
                "from helper.io import read\n",
                &[("helper/io.py", "import sys")]
            ),
            None
        );
        assert_eq!(lacks("this is no Python", &[]), None);
        assert_eq!(
            lacks("# import nowhere\nprint('import nowhere')\n", &[]),
            None
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = Some("nowhere".to_string());
        assert_eq!(lacks("import nowhere.client\n", &[]), missing);
        assert_eq!(
            lacks("def main():\n    from nowhere import Client\n", &[]),
            missing
        );
        assert_eq!(
            lacks("import helper\n", &[("helper.py", "import nowhere")]),
            missing
        );
    }

    #[test]
    fn what_a_script_can_do_without_is_not_missing() {
        let optional = "try:\n    import nowhere\nexcept ImportError:\n    nowhere = None\n";
        assert_eq!(lacks(optional, &[]), None);
        assert_eq!(lacks("if False:\n    import nowhere\n", &[]), None);
    }
}
