//! The flags of `warren up` that say how the virtual cluster's API is served: kube-apiserver's, with its names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use warren_fleet::{
    Anonymous, ApiOptions, AuditOptions, AuditPolicy, AuthenticationConfiguration, IssuerConfiguration,
    Mapping, RequiredClaim, Rotation, Username,
};

use super::admission_flags::AdmissionFlags;

/// Who is let in, what is written down, and what may be written. All are about the virtual cluster that is named, not about its host.
#[derive(Args, Debug)]
#[command(next_help_heading = "API server of the virtual cluster")]
pub(crate) struct ApiFlags {
    /// File with bearer tokens: token,user,uid,"group1,group2" a line
    #[arg(long, value_name = "FILE")]
    token_auth_file: Option<PathBuf>,
    /// Whether requests without credentials are of system:anonymous [default: true]
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    anonymous_auth: Option<bool>,
    /// AuthenticationConfiguration file: issuers of tokens, and what anonymous users may ask
    #[arg(long, value_name = "FILE", conflicts_with_all = ["oidc_issuer_url", "anonymous_auth"])]
    authentication_config: Option<PathBuf>,
    #[command(flatten)]
    oidc: OidcFlags,
    #[command(flatten)]
    audit: AuditFlags,
    #[command(flatten)]
    admission: AdmissionFlags,
}

#[derive(Args, Debug)]
struct OidcFlags {
    /// OpenID Connect issuer whose tokens are trusted
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer_url: Option<String>,
    /// Whom its tokens must be for
    #[arg(long, value_name = "ID", requires = "oidc_issuer_url")]
    oidc_client_id: Option<String>,
    /// Claim with the user's name
    #[arg(long, value_name = "CLAIM", default_value = "sub")]
    oidc_username_claim: String,
    /// What stands before the user's name; '-' for nothing [default: the issuer's URL and '#', unless the claim is email]
    #[arg(long, value_name = "PREFIX")]
    oidc_username_prefix: Option<String>,
    /// Claim with the user's groups
    #[arg(long, value_name = "CLAIM")]
    oidc_groups_claim: Option<String>,
    /// What stands before each group
    #[arg(long, value_name = "PREFIX")]
    oidc_groups_prefix: Option<String>,
    /// Claim that a token must have; may be given several times
    #[arg(long, value_name = "CLAIM=VALUE")]
    oidc_required_claim: Vec<String>,
    /// Algorithms that tokens may be signed with
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "RS256")]
    oidc_signing_algs: Vec<String>,
    /// Authorities of the issuer's server [default: the system's]
    #[arg(long, value_name = "FILE")]
    oidc_ca_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct AuditFlags {
    /// Audit policy; nothing is written down without one
    #[arg(long, value_name = "FILE", requires = "audit_log_path")]
    audit_policy_file: Option<PathBuf>,
    /// Where requests are written down; '-' for standard output
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    audit_log_path: Option<PathBuf>,
    /// Days for which old files are kept
    #[arg(long, value_name = "DAYS", default_value_t = 366)]
    audit_log_maxage: u64,
    /// Old files that are kept
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    audit_log_maxbackup: usize,
    /// MiB after which a new file is begun
    #[arg(long, value_name = "MIB", default_value_t = 100)]
    audit_log_maxsize: u64,
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

impl ApiFlags {
    /// Reads the files that are named.
    pub(super) fn options(&self) -> anyhow::Result<ApiOptions> {
        let mut options = ApiOptions::default();
        if let Some(path) = &self.token_auth_file {
            options.fixed_tokens = ApiOptions::read_token_file(&read(path)?)
                .map_err(anyhow::Error::msg)
                .with_context(|| path.display().to_string())?;
        }
        if self.anonymous_auth == Some(false) {
            options.anonymous = Anonymous::Refused;
        }
        if let Some(path) = &self.authentication_config {
            let configuration = AuthenticationConfiguration::read(read(path)?.as_bytes())
                .map_err(anyhow::Error::msg)
                .with_context(|| path.display().to_string())?;
            options.configure(configuration);
        }
        options.issuers.extend(self.oidc.issuer()?);
        options.audit = self.audit.options()?;
        options.admission = self.admission.settings()?;
        Ok(options)
    }
}

impl OidcFlags {
    fn issuer(&self) -> anyhow::Result<Option<IssuerConfiguration>> {
        let (Some(url), Some(client)) = (&self.oidc_issuer_url, &self.oidc_client_id) else {
            return Ok(None);
        };
        if !url.starts_with("https://") {
            bail!("--oidc-issuer-url: {url:?} is not https");
        }
        for name in &self.oidc_signing_algs {
            if !warren_pki::is_signing_algorithm(name) {
                bail!("--oidc-signing-algs: {name:?} is not supported");
            }
        }
        let required = self.oidc_required_claim.iter().map(|pair| {
            let (claim, value) = pair
                .split_once('=')
                .with_context(|| format!("--oidc-required-claim: {pair:?} is not CLAIM=VALUE"))?;
            Ok(RequiredClaim {
                claim: claim.to_owned(),
                value: value.to_owned(),
            })
        });
        let prefix = match self.oidc_username_prefix.as_deref() {
            Some("-") => String::new(),
            Some(prefix) if !prefix.is_empty() => prefix.to_owned(),
            _ if self.oidc_username_claim == "email" => String::new(),
            _ => format!("{url}#"),
        };
        Ok(Some(IssuerConfiguration {
            url: url.clone(),
            certificate_authority: self
                .oidc_ca_file
                .as_deref()
                .map(read)
                .transpose()?
                .unwrap_or_default(),
            audiences: vec![client.clone()],
            algorithms: self.oidc_signing_algs.clone(),
            required: required.collect::<anyhow::Result<_>>()?,
            mapping: Mapping {
                username: Username {
                    claim: self.oidc_username_claim.clone(),
                    prefix,
                },
                groups_claim: self.oidc_groups_claim.clone().unwrap_or_default(),
                groups_prefix: self.oidc_groups_prefix.clone().unwrap_or_default(),
                ..Mapping::default()
            },
            ..IssuerConfiguration::default()
        }))
    }
}

impl AuditFlags {
    fn options(&self) -> anyhow::Result<Option<AuditOptions>> {
        let (Some(policy), Some(path)) = (&self.audit_policy_file, &self.audit_log_path) else {
            return Ok(None);
        };
        let read = AuditPolicy::read(read(policy)?.as_bytes())
            .map_err(anyhow::Error::msg)
            .with_context(|| policy.display().to_string())?;
        Ok(Some(AuditOptions {
            policy: read,
            path: path.clone(),
            rotation: Rotation {
                max_size: self.audit_log_maxsize,
                max_backups: self.audit_log_maxbackup,
                max_age: self.audit_log_maxage,
            },
        }))
    }
}
