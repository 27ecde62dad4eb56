//! `Engine`: the container engine, asked for what a sandbox needs and nothing else.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptions, ImportImageOptions, InspectContainerOptions, ListContainersOptions, ListNetworksOptions,
    RemoveContainerOptions, WaitContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use policies::Hash;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::config::GuardConfig;
use super::network::{self, Place};
use super::protocol::Runtime;
use crate::container::archive;
use crate::container::layout::{ImageError, Layout, Manifest};
use crate::container::signature::Key;

/// The container engine, over its socket.
pub(super) struct Engine {
    docker: Docker,
    socket: PathBuf,
    name: String,
    gvisor: String,
    key: Option<Key>,
    /// Where the guard's own image lies, which only root can write.
    own: PathBuf,
    pub(super) runtimes: Vec<Runtime>,
    pub(super) userns: bool,
    /// An image is loaded once, however many sandboxes want it.
    loading: tokio::sync::Mutex<()>,
}

/// The engine making something: needs nobody who waits.
pub(super) trait Making: Future<Output = Result<(), EngineError>> + Send + 'static {}

impl<F: Future<Output = Result<(), EngineError>> + Send + 'static> Making for F {}

/// Why the engine did not do it.
#[derive(Debug, Error)]
pub(super) enum EngineError {
    #[error("the container engine cannot be reached at {path}")]
    Unreachable { path: PathBuf, source: Error },
    #[error(
        "the container engine has no runtime `{0}`: install gVisor and add it to the engine, or allow `runc` by name in the guard's `runtimes`"
    )]
    NoRuntime(String),
    #[error("the container engine could not {what}: {why}")]
    Failed { what: &'static str, why: String },
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("the key `{0}` for signatures of images cannot be used: wanted a P-256 public key in PEM")]
    Key(PathBuf),
    #[error("the container's streams could not be had")]
    Attach(#[source] io::Error),
}

/// How a container ended.
pub(super) struct Exit {
    pub(super) code: i64,
    pub(super) out_of_memory: bool,
}

/// The label by which a guard knows its own.
const LABEL: &str = "portcullis.guard";

/// How long one request may take. Loading an image takes longest, and is a stream.
const PATIENCE: u64 = 120;

fn failed(what: &'static str) -> impl FnOnce(Error) -> EngineError {
    move |error| EngineError::Failed { what, why: error.to_string() }
}

impl Engine {
    /// Connects, and checks that it can do what the config says.
    pub(super) async fn connect(config: &GuardConfig) -> Result<Arc<Self>, EngineError> {
        let unreachable = |source| EngineError::Unreachable { path: config.engine.clone(), source };
        let path = config.engine.to_string_lossy();
        let docker = Docker::connect_with_unix(&path, PATIENCE, API_DEFAULT_VERSION).map_err(unreachable)?;
        let docker = docker.negotiate_version().await.map_err(unreachable)?;
        let info = docker.info().await.map_err(unreachable)?;
        let known = info.runtimes.unwrap_or_default();
        for runtime in &config.runtimes {
            let name = runtime_name(*runtime, &config.gvisor);
            if !known.contains_key(name) {
                return Err(EngineError::NoRuntime(name.to_owned()));
            }
        }
        let userns = info.security_options.unwrap_or_default().iter().any(|option| option.contains("name=userns"));
        let key = config.cosign_key.as_deref().map(key).transpose()?;
        Ok(Arc::new(Self {
            docker,
            socket: config.engine.clone(),
            name: config.name.clone(),
            gvisor: config.gvisor.clone(),
            key,
            own: config.folder.join(super::probe::FOLDER),
            runtimes: config.runtimes.clone(),
            userns,
            loading: tokio::sync::Mutex::default(),
        }))
    }

    /// For people.
    pub(super) fn summary(&self) -> String {
        let runtimes: Vec<&str> = self.runtimes.iter().map(|runtime| self.runtime(*runtime)).collect();
        let userns = if self.userns { "user namespaces" } else { "no user namespaces" };
        format!("engine {}, runtimes {}, {userns}", self.socket.display(), runtimes.join(", "))
    }

    /// The engine's name for a runtime.
    pub(super) fn runtime(&self, runtime: Runtime) -> &str {
        runtime_name(runtime, &self.gvisor)
    }

    pub(super) fn labels(&self, server: &str) -> HashMap<String, String> {
        [(LABEL.to_owned(), self.name.clone()), ("portcullis.server".to_owned(), server.to_owned())].into()
    }

    /// The engine's id of an image, which it loads where it does not have it. Every blob is checked first.
    pub(super) async fn image(&self, folder: &Path, digest: Hash) -> Result<String, EngineError> {
        // The guard's own was signed by nobody, and made by itself.
        let own = folder.parent().is_some_and(|folder| folder == self.own);
        let (folder, key) = (folder.to_owned(), self.key.clone().filter(|_| !own));
        let read = tokio::task::spawn_blocking(move || read(&folder, digest, key.as_ref()));
        let (layout, manifest) = read.await.map_err(|_| ImageError::Unusable("it could not be read"))??;
        let id = format!("sha256:{}", manifest.config.digest);
        let _one = self.loading.lock().await;
        if self.docker.inspect_image(&id).await.is_err() {
            self.load(layout, digest, manifest).await?;
            self.docker.inspect_image(&id).await.map_err(failed("load the image"))?;
        }
        Ok(id)
    }

    async fn load(&self, layout: Layout, digest: Hash, manifest: Manifest) -> Result<(), EngineError> {
        let (to, mut from) = archive::pieces();
        let writing = tokio::task::spawn_blocking(move || archive::write(&layout, digest, &manifest, to));
        let options = ImportImageOptions { quiet: true, ..ImportImageOptions::default() };
        let pieces = poll_fn(move |context| from.poll_recv(context));
        let mut loading = Box::pin(self.docker.import_image_stream(options, pieces, None));
        let mut refused = None;
        while let Some(told) = loading.next().await {
            match told {
                Ok(info) => refused = info.error_detail.and_then(|detail| detail.message).or(refused),
                Err(error) => refused = Some(error.to_string()),
            }
        }
        drop(loading);
        // What is wrong with the image says more than what the engine made of it.
        writing.await.map_err(|_| ImageError::Unusable("it could not be read"))??;
        refused.map_or(Ok(()), |why| Err(EngineError::Failed { what: "load the image", why }))
    }

    /// A network that leads to its own bridge and nowhere else.
    pub(super) fn make_network(&self, place: &Place) -> impl Making + use<> {
        let ipam = IpamConfig {
            subnet: Some(place.subnet()),
            gateway: Some(place.door().to_string()),
            ..IpamConfig::default()
        };
        let option = |key: &str, value: &str| (format!("com.docker.network.bridge.{key}"), value.to_owned());
        let options =
            [option("name", &place.bridge), option("enable_ip_masquerade", "false"), option("enable_icc", "false")];
        let request = NetworkCreateRequest {
            name: place.bridge.clone(),
            driver: Some("bridge".to_owned()),
            ipam: Some(Ipam { config: Some(vec![ipam]), ..Ipam::default() }),
            options: Some(options.into()),
            enable_ipv6: Some(false),
            labels: Some(self.labels("")),
            ..NetworkCreateRequest::default()
        };
        let docker = self.docker.clone();
        async move { docker.create_network(request).await.map(drop).map_err(failed("make a network")) }
    }

    pub(super) fn create(&self, name: &str, body: ContainerCreateBody) -> impl Making + use<> {
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..CreateContainerOptions::default() };
        let docker = self.docker.clone();
        async move { docker.create_container(Some(options), body).await.map(drop).map_err(failed("make a container")) }
    }

    pub(super) async fn start(&self, name: &str) -> Result<(), EngineError> {
        self.docker.start_container(name, None).await.map_err(failed("start a container"))
    }

    /// The container's streams as a socket, framed as the engine frames them. It can be handed on: after the switch it carries nothing else.
    pub(super) async fn attach(&self, name: &str) -> Result<OwnedFd, EngineError> {
        let attach = async {
            let mut stream = UnixStream::connect(&self.socket).await?;
            let request = format!(
                "POST /containers/{name}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: engine\r\n\
                 Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await?;
            switched(&mut stream).await?;
            Ok(OwnedFd::from(stream.into_std()?))
        };
        attach.await.map_err(EngineError::Attach)
    }

    /// Waits for a container's end, however it comes. Cancel-safe.
    pub(super) async fn ended(&self, name: &str) -> Result<Exit, EngineError> {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut waiting = Box::pin(self.docker.wait_container(name, Some(options)));
        let code = match waiting.next().await {
            Some(Ok(ended)) => ended.status_code,
            Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
            Some(Err(error)) => return Err(failed("wait for a container")(error)),
            None => {
                return Err(EngineError::Failed { what: "wait for a container", why: "it said nothing".to_owned() });
            }
        };
        let inspected = self.docker.inspect_container(name, None::<InspectContainerOptions>).await;
        let state = inspected.ok().and_then(|container| container.state);
        Ok(Exit { code, out_of_memory: state.and_then(|state| state.oom_killed).unwrap_or(false) })
    }

    /// Removes a container, running or not. That there is none is what was wanted.
    pub(super) async fn remove(&self, name: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        absent(self.docker.remove_container(name, Some(options)).await).map_err(failed("remove a container"))
    }

    /// Removes a network, whose containers have gone.
    pub(super) async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        network::cut(name).await;
        absent(self.docker.remove_network(name).await).map_err(failed("remove a network"))
    }

    /// Removes what bears our label and is not kept, which is asked after everything is listed: what was made since is not in the
    /// list.
    pub(super) async fn sweep(&self, kept: impl Fn(&str) -> bool) -> Result<(), EngineError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}={}", self.name)])]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters.clone()), ..ListContainersOptions::default() };
        let containers = self.docker.list_containers(Some(options)).await.map_err(failed("list containers"))?;
        for container in containers {
            let names = container.names.unwrap_or_default();
            let kept = names.iter().any(|name| kept(name));
            if let (false, Some(id)) = (kept, container.id) {
                tracing::warn!(container = %id, "a container that an earlier guard left is removed");
                self.remove(&id).await?;
            }
        }
        let options = ListNetworksOptions { filters: Some(filters) };
        let networks = self.docker.list_networks(Some(options)).await.map_err(failed("list networks"))?;
        for name in networks.into_iter().filter_map(|network| network.name).filter(|name| !kept(name)) {
            self.remove_network(&name).await?;
        }
        Ok(())
    }
}

fn read(folder: &Path, digest: Hash, key: Option<&Key>) -> Result<(Layout, Manifest), ImageError> {
    let layout = Layout::open(folder)?;
    let manifest = layout.manifest(digest)?;
    if let Some(key) = key {
        key.check(&layout, digest)?;
    }
    Ok((layout, manifest))
}

fn key(path: &Path) -> Result<Key, EngineError> {
    let unusable = || EngineError::Key(path.to_owned());
    let pem = fs::read_to_string(path).map_err(|_| unusable())?;
    Key::parse(&pem).ok_or_else(unusable)
}

fn runtime_name(runtime: Runtime, gvisor: &str) -> &str {
    match runtime {
        Runtime::Gvisor => gvisor,
        Runtime::Runc => "runc",
    }
}

fn absent(removed: Result<(), Error>) -> Result<(), Error> {
    match removed {
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        other => other,
    }
}

/// Reads the engine's answer up to its end and not one byte further: what follows is the container's.
async fn switched(stream: &mut UnixStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 8192 {
            return Err(io::Error::other("the engine's answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    if head.starts_with(b"HTTP/1.1 101 ") {
        Ok(())
    } else {
        Err(io::Error::other("the engine did not switch to the container's streams"))
    }
}
