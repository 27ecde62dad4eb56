//! `Spec`: everything that a container may do, as one value. What is not in it, no container has.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum,
    HostConfigLogConfig, Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType, NetworkingConfig,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use super::seccomp;

/// A container, before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    /// The digest of the image's config, by which the engine knows what it has checked.
    pub(crate) image: String,
    /// The engine's name for what runs it.
    pub(crate) runtime: String,
    /// Whether that is a kernel of its own.
    pub(crate) own_kernel: bool,
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Folders and single files of the host, and nothing else of it.
    pub(crate) mounts: Vec<Bind>,
    pub(crate) user: u32,
    pub(crate) memory: u64,
    /// Thousandths of a processor.
    pub(crate) cpu: u32,
    pub(crate) processes: u32,
    pub(crate) disk: u64,
    /// The engine's network and the address in it; none without.
    pub(crate) network: Option<(String, Ipv4Addr)>,
    pub(crate) labels: HashMap<String, String>,
}

/// Something of the host inside a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) host: PathBuf,
    pub(crate) at: String,
    pub(crate) writable: bool,
}

/// gVisor's own threads count against the limit of the container: with less it ends before the tool does anything.
const OWN_KERNEL_PROCESSES: u32 = 512;

/// gVisor's own memory counts against the limit as well.
const OWN_KERNEL_MEMORY: u64 = 64 << 20;

/// One inode for each so many bytes of scratch space: a tool that makes empty files fills its own space, not the host's memory.
const BYTES_AN_INODE: u64 = 4096;

const OPEN_FILES: i64 = 1024;

impl Spec {
    /// As the engine takes it.
    pub(crate) fn body(self) -> ContainerCreateBody {
        let networking = self.networking();
        ContainerCreateBody {
            hostname: Some("sandbox".to_owned()),
            user: Some(format!("{0}:{0}", self.user)),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            open_stdin: Some(true),
            stdin_once: Some(true),
            env: Some(self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            // An empty entry point clears the image's: what runs is what was asked for.
            entrypoint: (!self.command.is_empty()).then(|| self.command.clone()),
            cmd: (!self.command.is_empty()).then(Vec::new),
            // A health check of the image would run programs that nobody asked for.
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
            image: Some(self.image.clone()),
            labels: Some(self.labels.clone()),
            networking_config: networking,
            host_config: Some(self.host()),
            ..ContainerCreateBody::default()
        }
    }

    fn networking(&self) -> Option<NetworkingConfig> {
        let (network, address) = self.network.as_ref()?;
        let ipam = EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..EndpointIpamConfig::default() };
        let endpoint = EndpointSettings { ipam_config: Some(ipam), ..EndpointSettings::default() };
        Some(NetworkingConfig { endpoints_config: Some([(network.clone(), endpoint)].into()) })
    }

    fn host(&self) -> HostConfig {
        let memory = bytes(self.memory + if self.own_kernel { OWN_KERNEL_MEMORY } else { 0 });
        let processes = if self.own_kernel { self.processes.max(OWN_KERNEL_PROCESSES) } else { self.processes };
        HostConfig {
            runtime: Some(self.runtime.clone()),
            network_mode: Some(self.network.as_ref().map_or("none", |(network, _)| network).to_owned()),
            readonly_rootfs: Some(true),
            privileged: Some(false),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(Vec::new()),
            security_opt: Some(vec!["no-new-privileges:true".to_owned(), format!("seccomp={}", seccomp::profile())]),
            ipc_mode: Some("none".to_owned()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            // Memory and swap together: no swap.
            memory: Some(memory),
            memory_swap: Some(memory),
            nano_cpus: Some(i64::from(self.cpu) * 1_000_000),
            pids_limit: Some(i64::from(processes)),
            ulimits: Some(self.ulimits()),
            oom_score_adj: Some(500),
            tmpfs: Some(self.scratch()),
            mounts: Some(self.mounts.iter().map(mount).collect()),
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
            // Orphans that a tool leaves behind are reaped.
            init: Some(true),
            ..HostConfig::default()
        }
    }

    fn ulimits(&self) -> Vec<ResourcesUlimits> {
        let limit = |name: &str, most: i64| ResourcesUlimits {
            name: Some(name.to_owned()),
            soft: Some(most),
            hard: Some(most),
        };
        vec![
            limit("nofile", OPEN_FILES),
            // Not 0: see the jail's.
            limit("core", 1),
            limit("memlock", 64 << 10),
            limit("fsize", bytes(self.disk)),
        ]
    }

    /// Its own scratch space, in memory: it counts against the memory limit and is gone with the container. Not executable.
    fn scratch(&self) -> HashMap<String, String> {
        let size = self.disk.min(self.memory);
        // Its owner is the user inside: runtimes give it the mode of the image's own folder, whatever is asked for.
        let inodes =
            if self.own_kernel { String::new() } else { format!(",nr_inodes={}", (size / BYTES_AN_INODE).max(64)) };
        [(
            "/tmp".to_owned(),
            format!("rw,nosuid,nodev,noexec,mode=1777,uid={0},gid={0},size={size}{inodes}", self.user),
        )]
        .into()
    }
}

fn mount(bind: &Bind) -> Mount {
    let private = MountBindOptions {
        propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
        ..MountBindOptions::default()
    };
    Mount {
        typ: Some(MountType::BIND),
        source: Some(bind.host.display().to_string()),
        target: Some(bind.at.clone()),
        read_only: Some(!bind.writable),
        bind_options: Some(private),
        ..Mount::default()
    }
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn spec() -> Spec {
        Spec {
            image: "sha256:0".into(),
            runtime: "runsc".into(),
            own_kernel: true,
            command: vec!["/tool".into()],
            environment: Vec::new(),
            mounts: Vec::new(),
            user: 65534,
            memory: 64 << 20,
            cpu: 500,
            processes: 16,
            disk: 16 << 20,
            network: None,
            labels: HashMap::new(),
        }
    }

    #[test]
    fn a_container_is_asked_for_with_everything_closed() {
        let body = serde_json::to_value(spec().body()).unwrap();
        let host = &body["HostConfig"];
        assert_eq!(host["NetworkMode"], "none");
        assert_eq!((&host["Privileged"], &host["ReadonlyRootfs"]), (&Value::from(false), &Value::from(true)));
        assert_eq!(host["CapDrop"][0], "ALL");
        assert_eq!(host["Memory"], host["MemorySwap"]);
        assert_eq!(host["PidsLimit"], 512);
        assert_eq!(body["User"], "65534:65534");
        for absent in ["PidMode", "UTSMode", "UsernsMode", "Devices", "Binds", "VolumesFrom", "PortBindings", "CapAdd"]
        {
            assert!(host.get(absent).is_none_or(|value| value.as_array().is_some_and(Vec::is_empty)), "{absent}");
        }
        assert!(host["SecurityOpt"][1].as_str().unwrap().starts_with("seccomp={"));
    }

    #[test]
    fn the_engines_socket_is_never_among_the_mounts_of_a_tool_without_folders() {
        let body = serde_json::to_value(spec().body()).unwrap();
        assert_eq!(body["HostConfig"]["Mounts"], Value::Array(Vec::new()));
    }
}
