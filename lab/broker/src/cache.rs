//! The folder outside the build where Kafka's jars, what was made from them, and running brokers lie.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

use crate::wait;

/// As long as it may take another process to fetch the jars.
const LOCK_LIMIT: Duration = Duration::from_secs(20 * 60);

/// The file that tells that a scratch folder has an owner: as long as that lives it is locked.
const IN_USE: &str = "in-use";

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

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
        let _guard = self.lock("making")?;
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

    /// A folder for as long as the value lives. What a killed process left of its own is removed.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self) -> Result<Scratch> {
        let _turn = self.lock("scratch")?;
        let all = self.root.join("scratch");
        fs::create_dir_all(&all)?;
        for entry in fs::read_dir(&all)? {
            let folder = entry?.path();
            let is_left = File::open(folder.join(IN_USE)).is_ok_and(|lock| lock.try_lock().is_ok());
            if is_left {
                let _ = fs::remove_dir_all(&folder);
            }
        }
        let folder = tempfile::tempdir_in(&all)?;
        let lock = File::create(folder.path().join(IN_USE))?;
        lock.lock()?;
        Ok(Scratch {
            folder,
            _lock: lock,
        })
    }

    /// Is the folder `name` there and whole?
    pub fn has(&self, name: &str, is_whole: impl Fn(&Path) -> bool) -> bool {
        is_whole(&self.root.join(name))
    }

    /// Waits until no other process holds the lock `name`, and takes it. It goes with the process that holds it.
    ///
    /// # Errors
    /// When another process holds it for too long; on Ctrl-C.
    pub(crate) fn lock(&self, name: &str) -> Result<File> {
        let path = self.root.join(format!("{name}.lock"));
        let file = File::create(&path)?;
        let what = format!("another `cargo lab` to let go of {}", path.display());
        wait::until(&what, LOCK_LIMIT, || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        })?;
        Ok(file)
    }
}
