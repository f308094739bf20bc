//! Whole files, as people have them: what is ignored, what is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use warren_config::VirtualClusterSpec;
use warren_config::check::{Checked, Class, check_text};

fn look(text: &str) -> Checked {
    check_text(text.as_bytes()).unwrap().1
}

fn paths(checked: &Checked, class: Class) -> Vec<&str> {
    checked.of(class).map(|finding| finding.path.as_str()).collect()
}

#[test]
fn vclusters_own_defaults_are_fine_and_mean_what_an_empty_file_means() {
    let checked = look(include_str!("files/vcluster-defaults.yaml"));
    assert_eq!(paths(&checked, Class::Refused), [""; 0]);
    let spec = checked.into_spec().unwrap();
    // The port is vCluster's inside its pod; without a word Warren takes any.
    let mut expect = VirtualClusterSpec::default();
    expect.control_plane.proxy.port = Some(8443);
    expect.export_kube_config.context = Some(String::new());
    expect.export_kube_config.server = Some(String::new());
    expect.control_plane.service.spec = spec.control_plane.service.spec.clone();
    expect.control_plane.ingress.spec = spec.control_plane.ingress.spec.clone();
    expect.policies.resource_quota.scope_selector = spec.policies.resource_quota.scope_selector.clone();
    assert_eq!(spec, expect);
}

#[test]
fn files_as_people_have_them_are_taken_or_refused_for_a_reason() {
    let none: [&str; 0] = [];
    for (text, ignored, refused) in [
        // Highly available, with an ingress to the API and its name in the certificate.
        (
            "controlPlane:
  distro: {k8s: {enabled: true, version: v1.33.4}}
  backingStore: {etcd: {deploy: {enabled: true, statefulSet: {highAvailability: {replicas: 3}}}}}
  statefulSet:
    highAvailability: {replicas: 3}
    scheduling: {podManagementPolicy: OrderedReady, nodeSelector: {pool: system}}
    persistence: {volumeClaim: {size: 20Gi, storageClass: gp3}}
    resources: {limits: {memory: 4Gi}}
  proxy: {extraSANs: [dev.example.com]}
  ingress: {enabled: true, host: dev.example.com, spec: {ingressClassName: nginx}}
exportKubeConfig: {context: dev, server: 'https://dev.example.com', additionalSecrets: [{name: dev-kubeconfig, namespace: argocd}]}
",
            vec!["controlPlane.distro", "controlPlane.backingStore", "controlPlane.statefulSet"],
            none.to_vec(),
        ),
        // What a platform team gives a development team.
        (
            "sync:
  toHost:
    ingresses: {enabled: true}
    networkPolicies: {enabled: true}
    serviceAccounts: {enabled: true}
    pods: {enforceTolerations: ['dedicated=dev:NoSchedule'], priorityClassName: low, rewriteHosts: {enabled: true, initContainer: {image: {tag: '3.20'}}}}
    customResources:
      certificates.cert-manager.io: {enabled: true, patches: [{path: 'spec.secretName', reference: {apiVersion: v1, kind: Secret}}]}
  fromHost:
    nodes: {enabled: true, selector: {labels: {pool: dev}}}
    ingressClasses: {enabled: true, selector: {matchLabels: {for: dev}}}
    secrets: {enabled: true, mappings: {byName: {'shared/pull-secret': default/pull-secret, 'wildcard/*': 'certs/*'}}}
    customResources: {clusterissuers.cert-manager.io: {enabled: true, scope: Cluster}}
policies:
  podSecurityStandard: restricted
  resourceQuota: {enabled: true, quota: {requests.cpu: '40', count/pods: 200}}
  limitRange: {enabled: true}
  networkPolicy: {enabled: true, workload: {publicEgress: {enabled: true}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}}
networking:
  replicateServices: {fromHost: [{from: databases/postgres, to: default/postgres}]}
  resolveDNS: [{hostname: '*.internal.example.com', target: {ip: 10.1.2.3}}]
  advanced: {clusterDomain: dev.local, fallbackHostCluster: true}
telemetry: {enabled: false}
",
            vec!["sync.toHost.pods.rewriteHosts"],
            none.to_vec(),
        ),
        // Each namespace in one of its own, and what is sold as Pro.
        (
            "pro: true
sync: {toHost: {namespaces: {enabled: true, mappingsOnly: true, mappings: {byName: {'team-*': '${name}-team-*', default: '${name}-default'}}, extraLabels: {owner: dev}}}}
sleep: {auto: {afterInactivity: 1h}}
platform: {project: default}
",
            vec!["pro", "sleep", "platform"],
            none.to_vec(),
        ),
        // What Warren cannot be.
        (
            "controlPlane:
  backingStore: {database: {external: {enabled: true, dataSource: 'mysql://root@tcp(db:3306)/vcluster'}}}
  distro: {k8s: {apiServer: {extraArgs: ['--oidc-issuer-url=https://id.example.com']}}}
  advanced: {virtualScheduler: {enabled: true}}
privateNodes: {enabled: true}
deploy: {metricsServer: {enabled: true}}
integrations: {certManager: {enabled: true}, metricsServer: {enabled: true}}
experimental: {deploy: {vcluster: {manifests: 'kind: Namespace'}}}
plugins: {mine: {image: example.com/plugin}}
",
            vec!["controlPlane.backingStore"],
            vec![
                "controlPlane.backingStore.database.external.enabled",
                "controlPlane.distro.k8s.apiServer.extraArgs",
                "controlPlane.advanced.virtualScheduler.enabled",
                "privateNodes.enabled",
                "deploy.metricsServer.enabled",
                "integrations.certManager.enabled",
                "experimental.deploy.vcluster.manifests",
                "plugins",
            ],
        ),
        // A values.yaml of the time before vcluster.yaml.
        (
            "syncer: {extraArgs: [--tls-san=dev]}
vcluster: {image: rancher/k3s:v1.25}
isolation: {enabled: true}
sync: {ingresses: {enabled: true}, nodes: {enabled: true}}
",
            none.to_vec(),
            vec!["syncer", "vcluster", "isolation", "sync.ingresses", "sync.nodes"],
        ),
    ] {
        let checked = look(text);
        assert_eq!(paths(&checked, Class::Ignored), ignored, "{text}");
        assert_eq!(paths(&checked, Class::Refused), refused, "{text}");
    }
}
