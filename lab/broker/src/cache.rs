//! The cache: a folder outside the build, with Kafka's jars, the files that were made from them, and the files of running
//! brokers.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

use crate::wait;

/// How long another process may hold a lock. It may be downloading the jars.
const LOCK_LIMIT: Duration = Duration::from_secs(20 * 60);

/// A file in each scratch folder. The owner of the folder holds a lock on it for as long as the owner lives.
const IN_USE: &str = "in-use";

/// A folder that is removed when this value is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The cache. It is the folder `KAFKA_LAB_CACHE`, or `kafka-lab` in the user's cache folder if that variable is not set.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the cache. Makes its folder if it does not exist yet.
    ///
    /// # Errors
    /// If the folder cannot be written to. The message says what to do.
    pub fn open() -> Result<Self> {
        let root = match std::env::var_os("KAFKA_LAB_CACHE") {
            Some(folder) => std::path::absolute(PathBuf::from(folder))?,
            None => directories::BaseDirs::new()
                .ok_or_else(|| {
                    anyhow!(
                        "you have no home folder for the cache; set KAFKA_LAB_CACHE to a folder"
                    )
                })?
                .cache_dir()
                .join("kafka-lab"),
        };
        fs::create_dir_all(root.join("run"))
            .and_then(|()| tempfile::tempfile_in(&root).map(drop))
            .with_context(|| {
                format!(
                    "`cargo lab` cannot write to its cache, {}. Set KAFKA_LAB_CACHE to another folder",
                    root.display()
                )
            })?;
        Ok(Self { root })
    }

    /// The folder with a folder for each running broker.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Returns the folder `name`. If it is not there and whole, `make` fills a temporary folder, which then gets the name. So a
    /// folder under this name is never incomplete. Only one process at a time makes folders.
    ///
    /// # Errors
    /// If `make` fails, if the cache cannot be written to, or if another process makes folders for more than 20 min.
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
        // These folders were left by killed processes, because no other process is making one now.
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

    /// Makes a folder that exists for as long as the returned value. Also removes such folders of processes that were killed.
    ///
    /// # Errors
    /// If the cache cannot be written to.
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

    /// Whether the folder `name` is there and whole.
    pub fn has(&self, name: &str, is_whole: impl Fn(&Path) -> bool) -> bool {
        is_whole(&self.root.join(name))
    }

    /// Waits until no other process holds the lock `name`, and takes it. A process that ends gives up its locks.
    ///
    /// # Errors
    /// If another process holds the lock for more than 20 min, or on Ctrl-C.
    pub(crate) fn lock(&self, name: &str) -> Result<File> {
        let path = self.root.join(format!("{name}.lock"));
        let file = File::create(&path)?;
        let what = format!("another `cargo lab` to release {}", path.display());
        wait::until(&what, LOCK_LIMIT, || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        })?;
        Ok(file)
    }
}
