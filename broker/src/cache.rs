//! The folder outside the build where Kafka's jars, what was made from them, and running brokers lie.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

/// `KAFKA_LAB_CACHE`, or `kafka-lab` in the user's cache folder.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the cache, and makes it where it is missing.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn open() -> Result<Self> {
        let root = match std::env::var_os("KAFKA_LAB_CACHE") {
            Some(folder) => std::path::absolute(PathBuf::from(folder))?,
            None => directories::BaseDirs::new()
                .ok_or_else(|| {
                    anyhow!("you have no home folder; name a folder in KAFKA_LAB_CACHE")
                })?
                .cache_dir()
                .join("kafka-lab"),
        };
        fs::create_dir_all(root.join("run"))
            .and_then(|()| tempfile::tempfile_in(&root).map(drop))
            .with_context(|| {
                format!(
                    "the lab cannot write to its cache, {}. Name another folder in KAFKA_LAB_CACHE",
                    root.display()
                )
            })?;
        Ok(Self { root })
    }

    /// Where running brokers keep their folders, one each.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The folder `name`, complete: `make` fills it in a temporary folder first, which then gets the name. Only one
    /// process makes at a time; a half-made folder is never seen under the name.
    ///
    /// # Errors
    /// When `make` fails, or the disk does.
    pub fn complete(
        &self,
        name: &str,
        is_whole: impl Fn(&Path) -> bool,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let folder = self.root.join(name);
        if is_whole(&folder) {
            return Ok(folder);
        }
        let _guard = self.lock()?;
        if is_whole(&folder) {
            return Ok(folder);
        }
        // What a killed process left; nobody else is making anything now.
        for entry in fs::read_dir(&self.root)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("partial-") {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let partial = tempfile::Builder::new()
            .prefix("partial-")
            .tempdir_in(&self.root)?;
        make(partial.path())?;
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(partial.path(), &folder)?;
        let _ = partial.keep();
        Ok(folder)
    }

    /// Is the folder `name` there and whole?
    pub fn has(&self, name: &str, is_whole: impl Fn(&Path) -> bool) -> bool {
        is_whole(&self.root.join(name))
    }

    /// A fresh folder for a running broker.
    pub(crate) fn run_folder(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new()
            .prefix("private-")
            .tempdir_in(self.run())?)
    }

    /// Waits until no other process is making something. The lock goes with the process that holds it.
    fn lock(&self) -> Result<File> {
        let file = File::create(self.root.join("lock"))?;
        file.lock()?;
        Ok(file)
    }
}
