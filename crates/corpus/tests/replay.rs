//! Warren answers the whole corpus as a real kube-apiserver did, and says of itself what that says, but for what the
//! lists of known differences name.

use warren_corpus::{Folder, check, check_self_description};

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_cluster_answers_as_a_kube_apiserver_did() -> anyhow::Result<()> {
    let verdict = check(&Folder::of_the_repository(), &[], false).await?;
    assert!(verdict.problems.is_empty(), "{}", verdict.problems.join("\n"));
    assert!(verdict.compared > 0, "nothing was compared");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_cluster_describes_itself_as_a_kube_apiserver_does() -> anyhow::Result<()> {
    let problems = check_self_description(&Folder::of_the_repository(), false).await?;
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}
