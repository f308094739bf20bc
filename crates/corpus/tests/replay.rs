//! Warren answers the whole corpus as a real kube-apiserver did, but for what `known-differences.txt` lists.

use warren_corpus::{Folder, check};

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_cluster_answers_as_a_kube_apiserver_did() -> anyhow::Result<()> {
    let verdict = check(&Folder::of_the_repository(), &[], false).await?;
    assert!(verdict.problems.is_empty(), "{}", verdict.problems.join("\n"));
    assert!(verdict.compared > 0, "nothing was compared");
    Ok(())
}
