//! The kinds of objects, and the one list of them: a kind is added here and nowhere else.

use std::fmt;

use wasmpod_manifest::k8s;
use wasmpod_manifest::k8s::Resource;

/// Calls a macro with the list of kinds: type, singular name, short names, categories, whether it is in a namespace,
/// and whether its `metadata.generation` counts the changes of its `spec`.
macro_rules! for_all_kinds {
    ($call:ident) => {
        $call! {
            Pod "pod" ["po"] ["all"] true true;
            ConfigMap "configmap" ["cm"] [] true false;
            Secret "secret" [] [] true false;
            Service "service" ["svc"] ["all"] true false;
            Event "event" ["ev"] [] true false;
            Endpoints "endpoints" ["ep"] [] true false;
            EndpointSlice "endpointslice" [] [] true false;
            Ingress "ingress" ["ing"] [] true true;
            PersistentVolumeClaim "persistentvolumeclaim" ["pvc"] [] true false;
            ServiceAccount "serviceaccount" ["sa"] [] true false;
            ReplicationController "replicationcontroller" ["rc"] ["all"] true true;
            DaemonSet "daemonset" ["ds"] ["all"] true true;
            Deployment "deployment" ["deploy"] ["all"] true true;
            ReplicaSet "replicaset" ["rs"] ["all"] true true;
            StatefulSet "statefulset" ["sts"] ["all"] true true;
            Job "job" [] ["all"] true true;
            CronJob "cronjob" ["cj"] ["all"] true true;
            IngressClass "ingressclass" [] [] false true;
            NetworkPolicy "networkpolicy" ["netpol"] [] true true;
            Namespace "namespace" ["ns"] [] false false;
            Node "node" ["no"] [] false false;
            PersistentVolume "persistentvolume" ["pv"] [] false false;
        }
    };
}
pub(crate) use for_all_kinds;

macro_rules! kinds {
    ($($name:ident $singular:literal [$($short:literal)*] [$($category:literal)*] $namespaced:literal $counted:literal;)*) => {
        /// A kind of object.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                $name,
            )*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// `kind`, such as `Pod`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => k8s::$name::KIND,)* }
            }

            /// The API group; empty for the core group.
            #[must_use]
            pub const fn group(self) -> &'static str {
                match self { $(Self::$name => k8s::$name::GROUP,)* }
            }

            /// The version in its group.
            #[must_use]
            pub const fn version(self) -> &'static str {
                match self { $(Self::$name => k8s::$name::VERSION,)* }
            }

            /// `apiVersion`: group and version.
            #[must_use]
            pub const fn api_version(self) -> &'static str {
                match self { $(Self::$name => k8s::$name::API_VERSION,)* }
            }

            /// The name in paths, such as `pods`.
            #[must_use]
            pub const fn plural(self) -> &'static str {
                match self { $(Self::$name => k8s::$name::URL_PATH_SEGMENT,)* }
            }

            /// The name of one, such as `pod`.
            #[must_use]
            pub const fn singular(self) -> &'static str {
                match self { $(Self::$name => $singular,)* }
            }

            /// What people write instead, such as `po`.
            #[must_use]
            pub const fn short_names(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($short),*],)* }
            }

            /// The groups of kinds that it is in, such as `all`.
            #[must_use]
            pub const fn categories(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($category),*],)* }
            }

            /// Does an object of this kind live in a namespace?
            #[must_use]
            pub const fn is_namespaced(self) -> bool {
                match self { $(Self::$name => $namespaced,)* }
            }

            /// Does `metadata.generation` count the changes of its `spec`?
            pub(crate) const fn counts_generations(self) -> bool {
                match self { $(Self::$name => $counted,)* }
            }
        }
    };
}
for_all_kinds!(kinds);

impl Kind {
    /// The kind of this `kind` and `apiVersion`.
    #[must_use]
    pub fn from_type(api_version: &str, name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|kind| kind.name() == name && kind.api_version() == api_version)
    }

    /// The kind that people mean by `text`: its plural, singular or short name, in any case, also with its group behind
    /// a dot.
    #[must_use]
    pub fn from_word(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (word, group) = match text.split_once('.') {
            Some((word, group)) => (word, Some(group)),
            None => (text.as_str(), None),
        };
        let mut all = Self::ALL.iter().copied();
        all.find(|kind| {
            let is_named = kind.plural() == word
                || kind.singular() == word
                || kind.short_names().contains(&word);
            is_named && group.is_none_or(|group| group == kind.group())
        })
    }

    /// `pods`, `deployments.apps`: how an API server's messages name it.
    #[must_use]
    pub fn qualified_plural(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// Is it one of the kinds whose objects make pods?
    #[must_use]
    pub const fn is_workload(self) -> bool {
        matches!(
            self,
            Self::ReplicationController
                | Self::DaemonSet
                | Self::Deployment
                | Self::ReplicaSet
                | Self::StatefulSet
                | Self::Job
                | Self::CronJob
        )
    }

    /// Its place in [`Kind::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
