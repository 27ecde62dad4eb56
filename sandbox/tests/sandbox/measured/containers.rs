//! A server in a container: `docker run` from cold, bare attached streams, and the sandbox's part of a call that finds it warm.
//!
//! `bench-sandbox` starts engine and guard, and says where they are.

use std::env::var;
use std::io::Write as _;
use std::process::Stdio;

use bollard::container::AttachContainerResults;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::{HEAD, Times};
use crate::world::{World, config};

const COLD: usize = 20;
const BATCH: usize = 200;
const BATCHES: usize = 10;

const HELLO: &[u8] =
    b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"hello\",\"arguments\":{}}}\n";

/// What `bench-sandbox` says.
struct Place {
    engine: String,
    package: String,
    /// The engine's name for what runs the containers.
    runtime: String,
    image: String,
}

impl Place {
    fn told() -> Self {
        let told = |name: &str| var(format!("PORTCULLIS_BENCH_{name}")).unwrap();
        Self { engine: told("ENGINE"), package: told("PACKAGE"), runtime: told("RUNTIME"), image: String::new() }
    }

    /// From nothing to the first answer, and to its end.
    fn cold(&self) {
        let host = format!("unix://{}", self.engine);
        let words = ["run", "--rm", "-i", "--network", "none", "--runtime", &self.runtime, &self.image];
        #[expect(clippy::disallowed_methods, reason = "this is what is measured")]
        let mut docker = std::process::Command::new("docker");
        docker.args(["--host", &host]).args(words).arg("/hostile-tool").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut docker = docker.spawn().unwrap();
        docker.stdin.take().unwrap().write_all(HELLO).unwrap();
        let said = docker.wait_with_output().unwrap();
        assert!(String::from_utf8_lossy(&said.stdout).contains("uid "), "{said:?}");
    }
}

/// One attached container, with nothing between it and us but the engine.
struct Attached {
    docker: Docker,
    id: String,
    streams: AttachContainerResults,
}

impl Attached {
    async fn start(place: &Place) -> Self {
        let docker = Docker::connect_with_unix(&place.engine, 60, API_DEFAULT_VERSION).unwrap();
        let docker = docker.negotiate_version().await.unwrap();
        let host = HostConfig {
            runtime: Some(place.runtime.clone()),
            network_mode: Some("none".into()),
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            image: Some(place.image.clone()),
            entrypoint: Some(vec!["/hostile-tool".into()]),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            open_stdin: Some(true),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        let id = docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id;
        let attach = AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stream(true).build();
        let streams = docker.attach_container(&id, Some(attach)).await.unwrap();
        docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
        Self { docker, id, streams }
    }

    async fn call(&mut self) {
        self.streams.input.write_all(HELLO).await.unwrap();
        loop {
            let said = self.streams.output.next().await.unwrap().unwrap().into_bytes();
            if said.ends_with(b"\n") {
                return;
            }
        }
    }

    async fn end(self) {
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        self.docker.remove_container(&self.id, Some(force)).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "`just bench sandbox`"]
async fn a_call_of_a_server_in_a_container() {
    let mut place = Place::told();
    let isolation =
        if place.runtime == "runc" { policies::profile::Isolation::Runc } else { policies::profile::Isolation::Gvisor };
    let world = World::start(config(&format!("package = '{}'\nstart_timeout = '60s'", place.package)).on(isolation));
    world.ready().await;
    // The guard has loaded the image by now; it has no name.
    let docker = Docker::connect_with_unix(&place.engine, 60, API_DEFAULT_VERSION).unwrap();
    let docker = docker.negotiate_version().await.unwrap();
    let images = bollard::query_parameters::ListImagesOptionsBuilder::new().all(true).build();
    place.image = docker.list_images(Some(images)).await.unwrap().remove(0).id;
    let mut cold = Times::default();
    for _ in 0..COLD {
        cold.of(async { place.cold() }).await;
    }
    let mut bare = Attached::start(&place).await;
    bare.call().await;
    let (mut without, mut with) = (Times::default(), Times::default());
    for batch in 0..=BATCHES {
        let mut round = (Times::default(), Times::default());
        let bare_calls = async |times: &mut Times| {
            for _ in 0..BATCH {
                times.of(bare.call()).await;
            }
        };
        round.0.batch(bare_calls).await;
        round.1.calls(&world, BATCH, "hello", "{}").await;
        if batch > 0 {
            without.add(round.0);
            with.add(round.1);
        }
    }
    bare.end().await;
    println!("{HEAD}\n{}", cold.row(&format!("{}: docker run, from cold", place.runtime), None));
    println!("{}", without.row(&format!("{}: bare attached round trip", place.runtime), None));
    println!("{}", with.row(&format!("{}: the sandbox's part of a call", place.runtime), Some(&without)));
    drop(world);
}
