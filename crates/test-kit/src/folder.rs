//! A folder for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A temporary folder that stands in for everything a user has: home, data, kubeconfig. Gone when dropped.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// An empty one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("warren-test-").tempdir()?))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Something in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The user's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.join(".kube").join("config")
    }

    /// A command that takes this folder for its user's home and knows no other.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", self.path())
            .env_remove("KUBECONFIG")
            .env_remove("XDG_DATA_HOME")
            .env_remove("NO_COLOR")
            .current_dir(self.path());
        command
    }
}
