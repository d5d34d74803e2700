//! An intake as bytes, so that another machine can judge exactly the same files.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use tar::{Archive, Builder, Header};

use crate::intake::{Intake, Kind, Taken};
use crate::listing::{LeftOut, MOST_BYTES};

/// What an intake is apart from its files: the first entry of the archive.
#[derive(Serialize, Deserialize)]
struct Description {
    is_workspace: bool,
    /// Paths are bytes, because a name in a submission need not be UTF-8.
    folder: Vec<u8>,
    left_out: Vec<(Vec<u8>, String)>,
}

/// The name of that entry.
const DESCRIPTION: &str = "intake.json";

/// The folder that holds the files of the submission, in the archive.
const FILES: &str = "files";

impl Intake {
    /// Everything that judging needs, as a `.tar.gz` archive.
    ///
    /// # Errors
    /// When a path is too strange for an archive.
    pub fn packed(&self) -> Result<Vec<u8>> {
        let description = Description {
            is_workspace: self.kind == Kind::Workspace,
            folder: bytes(&self.folder),
            left_out: self
                .left_out
                .iter()
                .map(|file| (bytes(&file.path), file.why.clone()))
                .collect(),
        };
        let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut add = |path: &Path, content: &[u8], executable: bool| {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(if executable { 0o755 } else { 0o644 });
            archive.append_data(&mut header, path, content)
        };
        add(
            Path::new(DESCRIPTION),
            &serde_json::to_vec(&description)?,
            false,
        )?;
        for (path, taken) in &self.files {
            add(&Path::new(FILES).join(path), &taken.bytes, taken.executable)
                .with_context(|| path.display().to_string())?;
        }
        Ok(archive.into_inner()?.finish()?)
    }

    /// The intake that was packed.
    ///
    /// # Errors
    /// When it was not packed by [`Intake::packed`].
    pub fn unpacked(packed: &[u8]) -> Result<Self> {
        // Others write to the topic, too. They must not fill the memory.
        let unpacked = GzDecoder::new(packed).take(2 * MOST_BYTES);
        let mut archive = Archive::new(unpacked);
        let mut entries = archive.entries()?;
        let first = entries.next().context("the archive is empty")??;
        ensure!(
            &*first.path()? == Path::new(DESCRIPTION),
            "the archive was not made by this lab"
        );
        let description: Description = serde_json::from_reader(first)?;
        let mut intake = Self {
            kind: if description.is_workspace {
                Kind::Workspace
            } else {
                Kind::Programs
            },
            folder: inside(&path(description.folder))?,
            ..Self::default()
        };
        for (file, why) in description.left_out {
            let path = path(file);
            intake.left_out.push(LeftOut { path, why });
        }
        for entry in entries {
            let mut entry = entry?;
            let path = inside(entry.path()?.strip_prefix(FILES)?)?;
            let executable = entry.header().mode()? & 0o100 != 0;
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            intake.files.insert(path, Taken { bytes, executable });
        }
        Ok(intake)
    }
}

/// The path, if it stays in the folder that it begins in.
fn inside(path: &Path) -> Result<PathBuf> {
    let is_inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    ensure!(is_inside, "{} leads out of the folder", path.display());
    Ok(path.to_path_buf())
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

fn path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("app/bin");
        fs::create_dir_all(&app).unwrap();
        let long = "long".repeat(50);
        for name in ["producer", "notes.txt", &long] {
            fs::write(app.join(name), format!("the content of {name}")).unwrap();
        }
        fs::set_permissions(app.join(&long), PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", app.join("link")).unwrap();
        let intake = Intake::read(folder.path()).unwrap();
        let again = Intake::unpacked(&intake.packed().unwrap()).unwrap();
        assert_eq!(again.digest(), intake.digest());
        assert_eq!((again.kind, &again.folder), (intake.kind, &intake.folder));
        assert_eq!(again.left_out(), intake.left_out());
        assert!(!again.left_out().is_empty());
        assert!(Intake::unpacked(b"anything").is_err());
    }
}
