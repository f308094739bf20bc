//! How the API of one virtual cluster is served beyond the defaults: whom it trusts, what it writes down.

use std::path::PathBuf;
use std::sync::Arc;

use warren_access::{
    AdmissionSettings, Anonymous, AuthenticationConfiguration, Authenticators, Issuer, IssuerConfiguration,
};
use warren_apimachinery::UserInfo;
use warren_apiserver::{AuditLog, AuditPolicy, Auditor, Rotation};
use warren_outbound::IssuerDocuments;

use crate::error::FleetError;

/// See the module. The default trusts the cluster's own keys alone, lets everybody ask, and writes nothing down.
#[derive(Clone, Debug, Default)]
pub struct ApiOptions {
    /// Fixed bearer tokens and whom they name.
    pub fixed_tokens: Vec<(String, UserInfo)>,
    /// Issuers of tokens.
    pub issuers: Vec<IssuerConfiguration>,
    /// What those without credentials may ask.
    pub anonymous: Anonymous,
    /// What is written down of requests, and where.
    pub audit: Option<AuditOptions>,
    /// Which admission plugins run, and how; upstream's where nothing is said.
    pub admission: Option<Arc<AdmissionSettings>>,
}

/// What is written down of requests, and where.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// What.
    pub policy: AuditPolicy,
    /// The file, or `-` for standard output.
    pub path: PathBuf,
    /// When a new file is begun, and how many are kept.
    pub rotation: Rotation,
}

impl ApiOptions {
    /// Takes over what a structured configuration says.
    pub fn configure(&mut self, configuration: AuthenticationConfiguration) {
        self.issuers.extend(configuration.issuers);
        if let Some(anonymous) = configuration.anonymous {
            self.anonymous = anonymous;
        }
    }

    /// Reads a token file of upstream's form: `token,user,uid,"group1,group2"`, a line each.
    ///
    /// # Errors
    /// The number of the line that has too few columns or an empty token.
    pub fn read_token_file(text: &str) -> Result<Vec<(String, UserInfo)>, String> {
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        lines
            .map(|(at, line)| {
                let columns = columns(line);
                let [token, name, uid, rest @ ..] = columns.as_slice() else {
                    return Err(format!(
                        "line {}: a token, a user's name and a uid are needed",
                        at + 1
                    ));
                };
                if token.is_empty() {
                    return Err(format!("line {}: the token is empty", at + 1));
                }
                let groups = rest.first().map(String::as_str).unwrap_or_default();
                let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty());
                let user = UserInfo {
                    name: name.clone(),
                    uid: uid.clone(),
                    groups: groups.map(str::to_owned).collect(),
                    ..UserInfo::default()
                };
                Ok((token.clone(), user))
            })
            .collect()
    }

    pub(crate) fn authenticators(&self) -> Authenticators {
        let documents = Arc::new(IssuerDocuments);
        Authenticators {
            issuers: self
                .issuers
                .iter()
                .map(|issuer| Issuer::new(issuer.clone(), documents.clone()))
                .collect(),
            anonymous: self.anonymous.clone(),
        }
    }

    pub(crate) fn auditor(&self) -> Result<Option<Arc<Auditor>>, FleetError> {
        let Some(audit) = &self.audit else { return Ok(None) };
        let log = AuditLog::open(&audit.path, audit.rotation).map_err(|source| FleetError::AuditLog {
            path: audit.path.clone(),
            source,
        })?;
        Ok(Some(Arc::new(Auditor {
            policy: audit.policy.clone(),
            log,
        })))
    }
}

/// The columns of a line of comma-separated values.
fn columns(line: &str) -> Vec<String> {
    let mut columns = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => columns.push(String::new()),
            c => {
                if let Some(last) = columns.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    for column in &mut columns {
        *column = column.trim().to_owned();
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_files_name_users_and_their_groups() {
        let read = ApiOptions::read_token_file("t0ken,jane,7,\"devs, ops\"\n\nother,joe,8\n").unwrap();
        let [(token, jane), (_, joe)] = read.as_slice() else {
            panic!("{read:?}")
        };
        assert_eq!(
            (token.as_str(), jane.name.as_str(), jane.uid.as_str()),
            ("t0ken", "jane", "7")
        );
        assert_eq!(jane.groups, ["devs", "ops"]);
        assert!(joe.groups.is_empty());
        assert!(
            ApiOptions::read_token_file("t,jane\n")
                .unwrap_err()
                .starts_with("line 1:")
        );
        assert!(
            ApiOptions::read_token_file("a,b,c\n,jane,7\n")
                .unwrap_err()
                .starts_with("line 2:")
        );
    }
}
