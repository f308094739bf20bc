//! The requests of commands against a host in the test's own process.

use serde_json::json;
use warren_apimachinery::ObjectKey;
use warren_remote::{Access, Host, RemoteError};
use warren_test_kit::TestFleet;

async fn host(fleet: &TestFleet) -> anyhow::Result<Host> {
    let access = Access {
        kubeconfig: Some(fleet.host_kubeconfig()),
        context: None,
    };
    Ok(access.host().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_cluster_is_asked_for_waited_for_and_removed() -> anyhow::Result<()> {
    let fleet = TestFleet::start().await?;
    let host = host(&fleet).await?;
    let key = ObjectKey::namespaced("warren-a", "a");
    host.ensure_namespace("warren-a").await?;
    host.ensure_namespace("warren-a").await?;
    host.create(&key, &json!({})).await?;
    let ready = host.wait(&key, |object| object.filter(|object| object.is_ready()).cloned());
    assert_eq!(ready.await?.status().kubeconfig_secret, "vc-a");
    assert!(host.kubeconfig(&key).await?.contains("client-certificate-data"));
    let names: Vec<String> = host
        .list(None)
        .await?
        .iter()
        .map(|object| object.name().to_owned())
        .collect();
    assert_eq!(names, ["a", "demo"]);
    assert_eq!(host.list(Some("warren-a")).await?.len(), 1);
    host.delete(&key).await?;
    host.wait(&key, |object| object.is_none().then_some(())).await?;
    fleet.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_has_a_name() -> anyhow::Result<()> {
    let fleet = TestFleet::start().await?;
    let host = host(&fleet).await?;
    let missing = ObjectKey::namespaced("warren-x", "x");
    assert!(matches!(
        host.find(&missing).await,
        Err(RemoteError::NotFound { .. })
    ));
    assert!(matches!(
        host.delete(&missing).await,
        Err(RemoteError::NotFound { .. })
    ));
    let demo = ObjectKey::namespaced("warren-demo", "demo");
    assert!(matches!(
        host.create(&demo, &json!({})).await,
        Err(RemoteError::Exists { .. })
    ));
    let inside = Access {
        kubeconfig: Some(fleet.virtual_cluster("demo").await?),
        context: None,
    };
    let inside = inside.host().await?;
    assert!(matches!(inside.list(None).await, Err(RemoteError::NotWarren(_))));
    assert!(matches!(inside.find(&demo).await, Err(RemoteError::NotWarren(_))));
    fleet.stop().await;
    let error = host.list(None).await.unwrap_err();
    assert!(error.is_connection_refused(), "{error:?}");
    Ok(())
}
