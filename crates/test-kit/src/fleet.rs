//! A fleet in the test's own process.

use std::path::PathBuf;

use warren_fleet::{Embedded, Options};

use crate::folder::Folder;

/// A host with one simulated node and a virtual cluster `demo`, in memory, on ports that were free.
pub struct TestFleet {
    embedded: Embedded,
    folder: Folder,
}

impl TestFleet {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let embedded = Embedded::start(Options::in_memory(), 1, None).await?;
        std::fs::write(
            folder.join("host.kubeconfig"),
            embedded.host_kubeconfig()?.to_yaml(),
        )?;
        let fleet = Self { embedded, folder };
        fleet.virtual_cluster("demo").await?;
        Ok(fleet)
    }

    /// The fleet itself.
    pub fn embedded(&self) -> &Embedded {
        &self.embedded
    }

    /// The kubeconfig of the host.
    pub fn host_kubeconfig(&self) -> PathBuf {
        self.folder.join("host.kubeconfig")
    }

    /// Makes a virtual cluster, unless it is there, and answers its kubeconfig.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn virtual_cluster(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(&format!("{name}.kubeconfig"));
        let kubeconfig = self.embedded.virtual_cluster(name, None).await?;
        std::fs::write(&path, kubeconfig)?;
        Ok(path)
    }

    /// Ends it.
    pub async fn stop(self) {
        self.embedded.stop().await;
    }
}
