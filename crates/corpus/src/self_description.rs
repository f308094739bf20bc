//! Compares what Warren says of itself with what was recorded, and lists the routes that nothing requests.

use std::collections::BTreeSet;

use crate::folder::Folder;
use crate::routes;
use crate::snapshot::{self, FILES};
use crate::virtual_cluster::VirtualCluster;

/// Starts a virtual cluster and compares. The answer is what must be looked at. With `rewrite`, the lists of what is
/// known to differ and of what nothing requests are brought to what was found.
///
/// # Errors
/// When Warren does not start or the files cannot be read.
pub async fn check_self_description(folder: &Folder, rewrite: bool) -> anyhow::Result<Vec<String>> {
    let warren = VirtualCluster::start().await?;
    let taken = snapshot::take(&warren.target).await;
    let all = routes::all(&warren.target).await;
    warren.stop().await;
    let (taken, all) = (taken?, all?);
    let mut differing = BTreeSet::new();
    for file in FILES {
        let recorded: BTreeSet<String> = folder
            .lines(&format!("snapshots/{file}.txt"))?
            .into_iter()
            .collect();
        let found: BTreeSet<String> = taken.get(file).into_iter().flatten().cloned().collect();
        differing.extend(recorded.difference(&found).map(|line| format!("{file} - {line}")));
        differing.extend(found.difference(&recorded).map(|line| format!("{file} + {line}")));
    }
    let unrequested = routes::unrequested(folder, &all)?;
    let lists = [
        ("snapshots/known-differences.txt", differing, DIFFERENCES),
        ("snapshots/unrequested-routes.txt", unrequested, UNREQUESTED),
        (
            "snapshots/routes.txt",
            all.iter().map(ToString::to_string).collect(),
            ROUTES,
        ),
    ];
    let mut problems = Vec::new();
    for (path, found, head) in lists {
        if rewrite {
            folder.keep_lines(path, head, found.iter())?;
            continue;
        }
        let listed: BTreeSet<String> = folder.lines(path)?.into_iter().collect();
        problems.extend(
            found
                .difference(&listed)
                .map(|line| format!("{path} lacks: {line}")),
        );
        problems.extend(
            listed
                .difference(&found)
                .map(|line| format!("{path} need not have: {line}")),
        );
    }
    Ok(problems)
}

const DIFFERENCES: &str =
    "What Warren says of itself otherwise (+) than a kube-apiserver (-). This list only shrinks.";
const UNREQUESTED: &str = "Routes that no request of the corpus takes. This list only shrinks.";
const ROUTES: &str = "Every route: verb, path, content type. Made from discovery; look at what changes.";
