//! The flags of `warren up` that say which admission plugins run: kube-apiserver's, with its names.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use warren_fleet::{AdmissionConfiguration, AdmissionSettings, Plugins};

const FIVE_MINUTES: i64 = 300;

/// See the module.
#[derive(Args, Debug)]
pub(super) struct AdmissionFlags {
    /// Admission plugins that run besides the default ones
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    enable_admission_plugins: Vec<String>,
    /// Admission plugins that do not run
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    disable_admission_plugins: Vec<String>,
    /// AdmissionConfiguration file: what plugins are told
    #[arg(long, value_name = "FILE")]
    admission_control_config_file: Option<PathBuf>,
    /// How long pods stay on a node that is not ready
    #[arg(long, value_name = "SECONDS", default_value_t = FIVE_MINUTES)]
    default_not_ready_toleration_seconds: i64,
    /// How long pods stay on a node that cannot be reached
    #[arg(long, value_name = "SECONDS", default_value_t = FIVE_MINUTES)]
    default_unreachable_toleration_seconds: i64,
}

impl AdmissionFlags {
    /// `None` where nothing is said.
    pub(super) fn settings(&self) -> anyhow::Result<Option<Arc<AdmissionSettings>>> {
        let seconds = [
            self.default_not_ready_toleration_seconds,
            self.default_unreachable_toleration_seconds,
        ];
        let lists = [&self.enable_admission_plugins, &self.disable_admission_plugins];
        let is_silent = lists.iter().all(|list| list.is_empty())
            && self.admission_control_config_file.is_none()
            && seconds == [FIVE_MINUTES; 2];
        if is_silent {
            return Ok(None);
        }
        let plugins = match Plugins::switched(&self.enable_admission_plugins, &self.disable_admission_plugins)
        {
            Ok(plugins) => plugins,
            Err(errors) => bail!(errors.join("; ")),
        };
        let configuration = match &self.admission_control_config_file {
            None => AdmissionConfiguration::default(),
            Some(path) => read(path)?,
        };
        let mut settings = configuration.settings(plugins).map_err(anyhow::Error::msg)?;
        [settings.not_ready_seconds, settings.unreachable_seconds] = seconds;
        Ok(Some(Arc::new(settings)))
    }
}

/// Files that the configuration names stand beside it.
fn read(path: &Path) -> anyhow::Result<AdmissionConfiguration> {
    let text = fs::read(path).with_context(|| {
        let path = path.display();
        format!("unable to read admission control configuration from \"{path}\"")
    })?;
    let beside = |name: &str| {
        let path = path.parent().unwrap_or(Path::new("")).join(name);
        fs::read(&path).map_err(|error| format!("open {}: {error}", path.display()))
    };
    let read = AdmissionConfiguration::read(&text, beside);
    read.map_err(|why| anyhow::anyhow!("failed to read plugin config: {why}"))
}
