//! Brings a fleet up in memory and prints kubeconfigs: to try things by hand.

use warren_fleet::{Embedded, Options};

#[tokio::main]
async fn main() {
    let started = std::time::Instant::now();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let dir = std::env::args().nth(1).unwrap();
    let embedded = Embedded::start(Options::in_dir(&dir), 3, None).await.unwrap();
    std::fs::write(
        format!("{dir}/host.kubeconfig"),
        embedded.host_kubeconfig().unwrap().to_yaml(),
    )
    .unwrap();
    println!("host {:?}", started.elapsed());
    let config = embedded.virtual_cluster("demo", None).await;
    match config {
        Ok(config) => std::fs::write(format!("{dir}/demo.kubeconfig"), config).unwrap(),
        Err(error) => println!("{error:?}"),
    }
    println!("ready {:?}", started.elapsed());
    tokio::signal::ctrl_c().await.unwrap();
    embedded.stop().await;
}
