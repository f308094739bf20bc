//! Address and credentials of one context, for clients that are not kube's (load generators).

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{Kubeconfig, KubeconfigError};
use warren_apimachinery::value::ValueExt;

use crate::error::RemoteError;

/// What a kubeconfig's context says, with files read and text decoded. Plugins that make credentials are refused.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// Such as `https://127.0.0.1:6443`.
    pub server: String,
    /// Certificates that the server's is signed by, in PEM.
    pub authority_pem: Option<Vec<u8>>,
    /// Certificate and key of the client, in PEM.
    pub identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    /// A bearer token.
    pub token: Option<String>,
    /// The name to expect in the server's certificate where it is not the address's.
    pub tls_server_name: Option<String>,
    /// The server's certificate is not checked.
    pub insecure: bool,
}

impl Endpoint {
    pub(crate) fn of(kubeconfig: Kubeconfig, context: &str) -> Result<Self, RemoteError> {
        let missing = |error: KubeconfigError| RemoteError::Kubeconfig(error);
        let named = kubeconfig
            .contexts
            .into_iter()
            .find(|named| named.name == context);
        let context = named
            .and_then(|named| named.context)
            .ok_or_else(|| missing(KubeconfigError::LoadContext(context.to_owned())))?;
        let cluster = kubeconfig
            .clusters
            .into_iter()
            .find(|named| named.name == context.cluster)
            .and_then(|named| named.cluster)
            .ok_or_else(|| missing(KubeconfigError::LoadClusterOfContext(context.cluster.clone())))?;
        let user = kubeconfig
            .auth_infos
            .into_iter()
            .find(|named| Some(&named.name) == context.user.as_ref())
            .and_then(|named| named.auth_info)
            .unwrap_or_default();
        // As a value, since kube keeps its secrets in a type that it does not export.
        let user = serde_json::to_value(user).unwrap_or_default();
        if ["exec", "auth-provider", "username"]
            .iter()
            .any(|field| !user.field(field).is_null())
        {
            let why = "only client certificates and tokens are supported here, not plugins or passwords";
            return Err(RemoteError::NoKubeconfig(why.to_owned()));
        }
        let text = |field: &str| user.field(field).as_str();
        let certificate = data(text("client-certificate-data"), text("client-certificate"))?;
        let key = data(text("client-key-data"), text("client-key"))?;
        let token = match (text("token"), text("tokenFile")) {
            (Some(token), _) => Some(token.to_owned()),
            (None, Some(path)) => Some(String::from_utf8_lossy(&read(path)?).trim().to_owned()),
            (None, None) => None,
        };
        Ok(Self {
            server: cluster
                .server
                .ok_or_else(|| missing(KubeconfigError::MissingClusterUrl))?,
            authority_pem: data(
                cluster.certificate_authority_data.as_deref(),
                cluster.certificate_authority.as_deref(),
            )?,
            identity_pem: certificate.zip(key),
            token,
            tls_server_name: cluster.tls_server_name,
            insecure: cluster.insecure_skip_tls_verify.unwrap_or_default(),
        })
    }
}

/// Inline text wins over a file, as with kubectl.
fn data(inline: Option<&str>, path: Option<&str>) -> Result<Option<Vec<u8>>, RemoteError> {
    match (inline, path) {
        (Some(text), _) => {
            let decoded = STANDARD.decode(text.trim());
            decoded
                .map(Some)
                .map_err(|error| RemoteError::NoKubeconfig(format!("its data is not base64: {error}")))
        }
        (None, Some(path)) => read(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn read(path: &str) -> Result<Vec<u8>, RemoteError> {
    fs::read(path).map_err(|error| RemoteError::NoKubeconfig(format!("{path}: {error}")))
}
