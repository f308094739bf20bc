//! The data directory of `warren up`, and the kubeconfigs in it.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use warren_fleet::FleetError;
use warren_pki::KubeconfigFile;

use crate::failure::Hinted;
use crate::host_access::HOST_KUBECONFIG;
use crate::user_kubeconfig::{private_folder, write_private};

/// A directory that is there and ours to write; locked by the fleet, not here.
pub(super) struct Data {
    directory: PathBuf,
    virtual_kubeconfig: PathBuf,
}

impl Data {
    /// The directory that was named, else the default one of the virtual cluster.
    pub(super) fn open(named: Option<&Path>, name: &str) -> anyhow::Result<Self> {
        let virtual_kubeconfig = format!("{name}.kubeconfig");
        if virtual_kubeconfig == HOST_KUBECONFIG {
            bail!(Hinted::new(
                format!("\"{name}\" is the embedded host's own name"),
                "choose another name for the virtual cluster"
            ));
        }
        let directory = match named {
            Some(directory) => directory.to_owned(),
            None => super::default_directory(name)?,
        };
        let open = || -> anyhow::Result<PathBuf> {
            private_folder(&directory)?;
            fs::canonicalize(&directory).with_context(|| format!("cannot open {}", directory.display()))
        };
        let directory = open().map_err(|error| {
            let hint = "--data-dir names another directory";
            Hinted::new(format!("{error:#}"), hint)
        })?;
        Ok(Self {
            virtual_kubeconfig: directory.join(virtual_kubeconfig),
            directory,
        })
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file with the virtual cluster's kubeconfig.
    pub(super) fn virtual_kubeconfig(&self) -> &Path {
        &self.virtual_kubeconfig
    }

    /// The host's port of the last time: where the kubeconfigs lead that were handed out.
    pub(super) fn last_host_port(&self) -> Option<u16> {
        let text = fs::read_to_string(self.directory.join(HOST_KUBECONFIG)).ok()?;
        let file = KubeconfigFile::parse(&text).ok()?;
        let server = file.server(file.current_context()?)?;
        server.rsplit(':').next()?.parse().ok()
    }

    /// Writes the host's kubeconfig.
    pub(super) fn write_host(&self, text: &str) -> anyhow::Result<()> {
        write_private(&self.directory.join(HOST_KUBECONFIG), text)
    }

    /// Writes the virtual cluster's kubeconfig.
    pub(super) fn write_virtual(&self, text: &str) -> anyhow::Result<()> {
        write_private(&self.virtual_kubeconfig, text)
    }

    /// Says what to do about a fleet that does not start.
    pub(super) fn explain(&self, error: FleetError) -> anyhow::Error {
        let directory = self.directory.display();
        let why = warren_telemetry::Chain(&error).to_string();
        match &error {
            error if error.is_data_in_use() => Hinted::new(
                format!("the data directory {directory} is in use by another process"),
                "stop the other 'warren up', or name another directory with --data-dir; \
                 'warren create' makes more virtual clusters on the host that runs",
            ),
            FleetError::Journal(_) => Hinted::new(
                format!("the data in {directory} cannot be used: {why}"),
                "--data-dir names another directory",
            ),
            FleetError::Address { .. } => Hinted::new(why, "--port and --host-port choose other ports"),
            _ => return error.into(),
        }
        .into()
    }
}

/// Fails when somebody else listens on a port that was asked for.
pub(super) fn check_port(port: u16) -> anyhow::Result<()> {
    let hint = "--port and --host-port choose other ports; without them any that is free is taken";
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!(Hinted::new(
                format!("port {port} is taken by another process"),
                hint
            ))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!(Hinted::new(
                format!("port {port} needs more rights than this user has"),
                hint
            ))
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on port {port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_port_is_that_of_the_last_kubeconfig() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::open(Some(folder.path()), "demo").unwrap();
        assert_eq!(data.last_host_port(), None);
        let text = "kind: Config\ncurrent-context: h\ncontexts: [{name: h, context: {cluster: c}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:4711'}}]\n";
        data.write_host(text).unwrap();
        assert_eq!(data.last_host_port(), Some(4711));
    }

    #[test]
    fn a_virtual_cluster_cannot_take_the_hosts_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Data::open(Some(folder.path()), "host").is_err());
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = check_port(port).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("port {port} is taken by another process")
        );
    }
}
