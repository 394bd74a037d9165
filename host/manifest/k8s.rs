//! The Kubernetes types that the rest of the house uses, under one path.
//!
//! They are `k8s-openapi`'s, unchanged: an API server must keep fields on which it does not act,
//! so types of our own would lose data. Other crates name them through this module only, which
//! keeps the choice of version in one place.

pub use k8s_openapi::ByteString;
pub use k8s_openapi::api::apps::v1::{
    DaemonSet, DaemonSetCondition, DaemonSetSpec, DaemonSetStatus, DaemonSetUpdateStrategy,
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus, DeploymentStrategy,
    ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus, RollingUpdateDaemonSet,
    RollingUpdateDeployment, RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetCondition,
    StatefulSetOrdinals, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetStatus, StatefulSetUpdateStrategy,
};
pub use k8s_openapi::api::batch::v1::{
    CronJob, CronJobSpec, CronJobStatus, Job, JobCondition, JobSpec, JobStatus, JobTemplateSpec,
    PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule, SuccessPolicy, SuccessPolicyRule,
    UncountedTerminatedPods,
};
pub use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapEnvSource, ConfigMapKeySelector, ConfigMapProjection,
    ConfigMapVolumeSource, Container, ContainerPort, ContainerState, ContainerStateRunning,
    ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, DownwardAPIProjection,
    DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource, EnvFromSource, EnvVar,
    EnvVarSource, EphemeralContainer, EphemeralVolumeSource, Event, EventSource, ExecAction,
    FileKeySelector, GRPCAction, HTTPGetAction, HTTPHeader, HostAlias, HostIP,
    HostPathVolumeSource, KeyToPath, Lifecycle, LifecycleHandler, LocalObjectReference,
    ObjectFieldSelector, ObjectReference, Pod, PodCondition, PodDNSConfig, PodDNSConfigOption,
    PodIP, PodReadinessGate, PodSecurityContext, PodSpec, PodStatus, PodTemplateSpec, Probe,
    ProjectedVolumeSource, ResourceFieldSelector, ResourceRequirements, Secret, SecretEnvSource,
    SecretKeySelector, SecretProjection, SecretVolumeSource, SecurityContext, Service, ServicePort,
    ServiceSpec, ServiceStatus, SleepAction, TCPSocketAction, Toleration, Volume, VolumeMount,
    VolumeProjection,
};
pub use k8s_openapi::api::core::v1::{
    ContainerResizePolicy, ContainerRestartRule, ContainerRestartRuleOnExitCodes,
    LocalVolumeSource, Namespace, NamespaceSpec, NamespaceStatus, PersistentVolume,
    PersistentVolumeClaim, PersistentVolumeClaimCondition, PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus, PersistentVolumeClaimTemplate, PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec, PersistentVolumeStatus, PodSchedulingGate, ReplicationController,
    ReplicationControllerCondition, ReplicationControllerSpec, ReplicationControllerStatus,
    ServiceAccount, VolumeResourceRequirements,
};
pub use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
pub use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    Condition, LabelSelector, LabelSelectorRequirement, ListMeta, MicroTime, ObjectMeta,
    OwnerReference, Time,
};
pub use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
pub use k8s_openapi::jiff;

// The kinds that only a store keeps, and what all kinds have in common.
pub use k8s_openapi::api::core::v1::{
    AttachedVolume, EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Node, NodeAddress,
    NodeCondition, NodeSpec, NodeStatus, NodeSystemInfo,
};
pub use k8s_openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointPort as SlicePort, EndpointSlice,
};
pub use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressClass, IngressLoadBalancerIngress,
    IngressLoadBalancerStatus, IngressPortStatus, IngressRule, IngressSpec, IngressStatus,
    IngressTLS,
};
pub use k8s_openapi::{
    ClusterResourceScope, Metadata, NamespaceResourceScope, Resource, ResourceScope,
};
