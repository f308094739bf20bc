//! The user's kubeconfig: found, locked and changed as kubectl and kind do it.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use warren_pki::{Current, KubeconfigFile};
use warren_remote::{MADE_BY, Made};

use crate::failure::Hinted;

/// Others hold the lock for the time of one write; after this long, whoever made it is gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A kubeconfig that belongs to the user.
#[derive(Clone, Debug)]
pub(crate) struct UserKubeconfig {
    path: PathBuf,
}

impl UserKubeconfig {
    /// This file.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The first file of `$KUBECONFIG` that exists, else its last; without it `~/.kube/config`.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
        let paths: Vec<PathBuf> = std::env::split_paths(&listed)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        if let Some(path) = paths.iter().find(|path| path.exists()).or(paths.last()) {
            return Ok(Self::at(path.clone()));
        }
        let home = std::env::home_dir().context("there is neither $KUBECONFIG nor a home directory")?;
        Ok(Self::at(home.join(".kube").join("config")))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; a missing file is an empty one.
    pub(crate) fn read(&self) -> anyhow::Result<KubeconfigFile> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("cannot read {}", self.path.display()))?,
        };
        KubeconfigFile::parse(&text).with_context(|| format!("cannot change {}", self.path.display()))
    }

    /// Changes it under kubectl's lock, in one step.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut KubeconfigFile) -> T) -> anyhow::Result<T> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private_folder(folder)?;
        }
        let _lock = Lock::take(&self.path)?;
        let old = self.read()?;
        let mut new = old.clone();
        let answer = change(&mut new);
        if new != old {
            write_private(&self.path, &new.to_yaml())?;
        }
        Ok(answer)
    }

    /// Merges the kubeconfig of a virtual cluster, makes its context the current one, and notes where it leads and
    /// what was current before. Answers the context's name.
    pub(crate) fn connect(&self, kubeconfig: &str, made: Made) -> anyhow::Result<String> {
        let incoming = KubeconfigFile::parse(kubeconfig).context("the kubeconfig of the virtual cluster")?;
        let name = incoming
            .current_context()
            .context("the kubeconfig of the virtual cluster has no context")?
            .to_owned();
        self.change(|file| {
            let made = Made {
                previous_context: previous(file, &name),
                host_context: Some(made.host_context)
                    .filter(|context| file.server(context) == Some(made.host.as_str()))
                    .unwrap_or_default(),
                ..made
            };
            file.merge(&incoming, Current::Switch);
            file.set_note(&name, MADE_BY, made.to_value());
            name
        })
    }

    /// Takes out the contexts that lead to a virtual cluster, and goes back to what was current before. Answers
    /// their names.
    pub(crate) fn forget(&self, host: &str, namespace: &str, name: &str) -> anyhow::Result<Vec<String>> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        self.change(|file| {
            let gone: Vec<String> = file
                .contexts()
                .into_iter()
                .filter(|context| {
                    made(file, context).is_some_and(|made| {
                        made.host == host && made.namespace == namespace && made.name == name
                    })
                })
                .map(str::to_owned)
                .collect();
            for context in &gone {
                let back = back(file, context);
                let was_current = file.current_context() == Some(context.as_str());
                file.remove(context);
                if was_current {
                    file.set_current_context(back.as_deref());
                }
            }
            gone
        })
    }
}

/// What Warren noted at a context.
pub(crate) fn made(file: &KubeconfigFile, context: &str) -> Option<Made> {
    file.note(context, MADE_BY).map(Made::read)
}

/// The context to go back to from `context`: the one that was current before, else the host's.
pub(crate) fn back(file: &KubeconfigFile, context: &str) -> Option<String> {
    let made = made(file, context)?;
    [made.previous_context, made.host_context]
        .into_iter()
        .find(|name| file.contexts().contains(&name.as_str()))
}

/// What is current before `next` becomes so. From one virtual cluster to another the way back stays the same.
fn previous(file: &KubeconfigFile, next: &str) -> String {
    let current = file.current_context().unwrap_or_default();
    match made(file, current) {
        Some(made) => made.previous_context,
        None if current == next => String::new(),
        None => current.to_owned(),
    }
}

/// Makes a folder that only the user may look into.
pub(crate) fn private_folder(folder: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot create {}", folder.display()))
}

/// Writes a file that only the user may read, in one step: readers see the old or the new one. A link stays a link.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let wrong = || format!("cannot write {}", path.display());
    let mut file = tempfile::Builder::new()
        .prefix(".warren-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .with_context(wrong)?;
    file.write_all(text.as_bytes()).with_context(wrong)?;
    file.persist(&target)
        .map_err(|error| error.error)
        .with_context(wrong)?;
    Ok(())
}

/// The lock file that client-go makes beside a kubeconfig while it is changed. Removed when dropped.
struct Lock(PathBuf);

impl Lock {
    fn take(path: &Path) -> anyhow::Result<Self> {
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            let made = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&lock);
            match made {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if Instant::now() > deadline {
                        bail!(Hinted::new(
                            format!("{} is being changed by another program", path.display()),
                            format!("if none is running, remove {}", lock.display())
                        ));
                    }
                    thread::sleep(LOCK_PAUSE);
                }
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", lock.display())),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock that cannot be removed is reported to whoever finds it next.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests;
