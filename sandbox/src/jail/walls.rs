//! The second wall: what Landlock lets the program touch, in case the first (its own view of the file system) has a hole.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use super::spec::{HOME, Spec, Step, Stuck};

/// From the newest that is known here.
const VERSIONS: [ABI; 6] = [ABI::V6, ABI::V5, ABI::V4, ABI::V3, ABI::V2, ABI::V1];

/// The newest that this kernel has; all of it is used then.
pub(super) fn version() -> Option<ABI> {
    VERSIONS.into_iter().find(|abi| handled(*abi, true).and_then(Ruleset::create).is_ok())
}

fn handled(abi: ABI, offline: bool) -> Result<Ruleset, RulesetError> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let ruleset = ruleset.handle_access(AccessFs::from_all(abi))?;
    let ruleset = if abi >= ABI::V4 && offline { ruleset.handle_access(AccessNet::from_all(abi))? } else { ruleset };
    if abi >= ABI::V6 { ruleset.scope(Scope::from_all(abi)) } else { Ok(ruleset) }
}

/// Confines this thread and all that come after it.
pub(super) fn raise(spec: &Spec) -> Result<(), Stuck> {
    // A kernel without it is told of at start; the first wall stands there alone.
    let Some(abi) = version() else { return Ok(()) };
    let ruleset = handled(abi, spec.network.is_none()).and_then(Ruleset::create).step("Landlock")?;
    allowed(ruleset, spec, abi).and_then(RulesetCreated::restrict_self).step("Landlock")?;
    Ok(())
}

fn allowed(ruleset: RulesetCreated, spec: &Spec, abi: ABI) -> Result<RulesetCreated, RulesetError> {
    let (all, read) = (AccessFs::from_all(abi), AccessFs::from_read(abi));
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let mut rules: Vec<(PathBuf, BitFlags<AccessFs>)> = ["/tmp", HOME, "/dev/shm"].map(|at| (at.into(), all)).into();
    rules.push(("/proc".into(), AccessFs::ReadFile | AccessFs::ReadDir));
    rules.extend(["null", "zero", "full", "random", "urandom"].map(|name| (Path::new("/dev").join(name), device)));
    rules.extend(spec.binds.iter().map(|bind| (bind.at.clone(), if bind.writable { all } else { read })));
    rules.extend(spec.files.iter().map(|(at, _)| (at.clone(), read)));
    rules.extend(spec.lent.iter().filter_map(|lent| Some((lent.file()?.to_owned(), read))));
    // To look along the way is no more than the mounts show.
    rules.push(("/".into(), AccessFs::ReadDir.into()));
    rules.into_iter().try_fold(ruleset, |ruleset, (at, access)| {
        // What is not there needs no rule.
        let Ok(open) = PathFd::new(&at) else { return Ok(ruleset) };
        let access = if at.is_dir() { access } else { access & AccessFs::from_file(abi) };
        ruleset.add_rule(PathBeneath::new(open, access))
    })
}
