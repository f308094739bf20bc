//! A fleet on a host in another process, over TLS, with faults in between: after a storm of changes on either side both
//! sides are in step, and a fresh start finds nothing to do.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

mod proxy;
mod storm;
mod watching;
mod world;

use serde_json::json;
use warren_apimachinery::resource::{CONFIG_MAPS, PODS, SERVICES};
use warren_apimachinery::{ObjectKey, StatusReason};

use storm::Storm;
use world::{NAMESPACE, World};

fn config_map(name: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}, "data": {"a": "b"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_are_in_step_after_a_storm_of_changes_and_faults() {
    let mut world = World::new().await;
    world.proxy.make_faults(true);
    Storm::new(7).rage(&world, 240).await;
    world.proxy.make_faults(false);
    let faults = world.proxy.faults();
    assert!(
        faults.iter().all(|(_, count)| *count > 0),
        "each sort of fault was made: {faults:?}"
    );
    world.until_in_step().await;

    let before = world.revisions();
    world.restart().await;
    world.until_in_step().await;
    assert_eq!(
        world.serving().host().writes_sent(),
        0,
        "a fresh full pass writes nothing to the host"
    );
    assert_eq!(world.revisions(), before, "nor to the virtual cluster");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_served_while_the_host_is_away_and_everything_follows_when_it_is_back() {
    let mut world = World::new().await;
    let pod = |name: &str| storm::pod(name, None);
    world.tenant().create(&PODS, pod("before")).await.unwrap();
    world.until_in_step().await;

    world.proxy.take_host_away(true);
    world
        .tenant()
        .create(&CONFIG_MAPS, config_map("meanwhile"))
        .await
        .unwrap();
    world.tenant().create(&PODS, pod("meanwhile")).await.unwrap();
    let refused = world
        .tenant()
        .create(&SERVICES, storm::service("meanwhile"))
        .await
        .unwrap_err();
    assert!(refused.is(StatusReason::ServiceUnavailable), "{refused}");
    assert!(
        refused.message().contains("host cluster does not answer"),
        "{refused}"
    );
    // A start without the host serves what the data holds.
    world.restart().await;
    let kept = ObjectKey::namespaced(NAMESPACE, "meanwhile");
    assert!(world.tenant().get(&CONFIG_MAPS, &kept).is_some());
    world.until_served().await;

    world.proxy.take_host_away(false);
    world.until_in_step().await;
    assert_eq!(world.host_pods().len(), 2);
    world.end().await;
}
