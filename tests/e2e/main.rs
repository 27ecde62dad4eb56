//! The promises of Portcullis, one module each, against the real binary, real clients and servers, and a real disk.

#[cfg(test)]
mod approval;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod bad_servers;
#[cfg(test)]
mod bound;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod console;
#[cfg(test)]
mod container;
#[cfg(test)]
mod cosigned;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod delegation;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod export;
#[cfg(test)]
mod fidelity;
#[cfg(test)]
mod glass;
#[cfg(test)]
mod jail;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod layering;
#[cfg(test)]
mod liveness;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod observe;
#[cfg(test)]
mod openbao;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod package;
#[cfg(test)]
mod packed;
#[cfg(test)]
mod passes;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod pkcs11;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod pruned;
#[cfg(test)]
mod quorum;
#[cfg(test)]
mod redaction;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod told;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod wasm;
