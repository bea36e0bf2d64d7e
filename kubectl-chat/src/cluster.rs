//! Access to the API server: kubeconfig, context, namespace and impersonation, by the same flags as
//! kubectl's.

use std::path::PathBuf;

use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ClusterResourceScope, NamespaceResourceScope};
use kube::{Api, Client, Config, Resource};

use crate::fault::{Fault, is_missing};
use crate::model::{Chat, resource};

/// Kubeconfig, context, namespace and user, as for kubectl.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options as of kubectl")]
pub(crate) struct Access {
    /// The namespace [default: that of the context]
    #[arg(short, long, global = true)]
    pub(crate) namespace: Option<String>,
    /// The context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, then ~/.kube/config, then that of a pod]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The user to act as
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) as_user: Option<String>,
    /// A group to act as; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub(crate) as_group: Vec<String>,
}

/// An API client, and the namespace of the command.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Access {
    pub(crate) async fn open(&self) -> Result<Cluster, Fault> {
        let mut config = self.config().await?;
        if self.as_user.is_some() {
            config.auth_info.impersonate.clone_from(&self.as_user);
        }
        if !self.as_group.is_empty() {
            config.auth_info.impersonate_groups = Some(self.as_group.clone());
        }
        let agent = concat!("kubectl-chat/", env!("CARGO_PKG_VERSION"));
        if let (Ok(name), Ok(agent)) = ("user-agent".parse(), agent.parse()) {
            config.headers.push((name, agent));
        }
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|e| Fault::NoKubeconfig(e.to_string()))?;
        Ok(Cluster { client, namespace })
    }

    async fn config(&self) -> Result<Config, Fault> {
        let said = |error: &dyn std::error::Error| Fault::NoKubeconfig(error.to_string());
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        match &self.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path).map_err(|e| said(&e))?;
                Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|e| said(&e))
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options).await.map_err(|e| said(&e)),
            None => Config::infer().await.map_err(|e| said(&e)),
        }
    }

    /// The names of the kubeconfig's contexts.
    pub(crate) fn contexts(&self) -> Vec<String> {
        let kubeconfig = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        kubeconfig.map(|k| k.contexts.into_iter().map(|c| c.name).collect()).unwrap_or_default()
    }
}

impl Cluster {
    /// The `ChatCluster`s of the namespace.
    pub(crate) fn chats(&self) -> Api<Chat> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource())
    }

    /// The `ChatCluster`s of every namespace.
    pub(crate) fn all_chats(&self) -> Api<Chat> {
        Api::all_with(self.client.clone(), &resource())
    }

    /// Objects of another kind in the namespace.
    pub(crate) fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Cluster-scoped objects.
    pub(crate) fn global<K: Resource<Scope = ClusterResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    /// One `ChatCluster`. If it does not exist, the fault names those that do.
    pub(crate) async fn chat(&self, name: &str) -> Result<Chat, Fault> {
        match self.chats().get(name).await {
            Ok(chat) => Ok(chat),
            Err(error) if is_missing(&error) => Err(self.no_such(name).await),
            Err(error) => Err(Fault::of(format!("get ChatCluster {name}"), &error)),
        }
    }

    pub(crate) async fn no_such(&self, name: &str) -> Fault {
        let others = self.chats().list(&kube::api::ListParams::default().limit(20)).await;
        let others: Vec<String> = others
            .map(|list| list.items)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|c| c.metadata.name)
            .collect();
        let hint = if others.is_empty() {
            "see those of all namespaces with: kubectl chat status -A".to_owned()
        } else {
            format!("it has: {}", others.join(", "))
        };
        Fault::NoSuchCluster { name: name.to_owned(), namespace: self.namespace.clone(), hint }
    }
}
