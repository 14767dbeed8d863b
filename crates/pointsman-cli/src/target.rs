//! Which KV a command works on.

use std::path::PathBuf;

use pointsman_core::state::bounds::Hears;

use crate::{
    api::Api,
    bindings,
    configuration::{GatewayFile, Project},
    deployment::Deployment,
    ending::Failure,
    hosts::WithHosts,
    store::Kv,
    wrangler::{Place, Wrangler},
};

/// The KV that a command reads and writes.
#[derive(clap::Args)]
pub(crate) struct Target {
    #[command(flatten)]
    place: OnePlace,
    #[command(flatten)]
    reach: Reach,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct OnePlace {
    /// The KV that `npm start` and `wrangler dev` use.
    #[arg(long)]
    local: bool,
    /// The KV of the deployed Worker, through wrangler.
    #[arg(long)]
    remote: bool,
    /// The management API of the gateway at this address, with the root key of the variable POINTSMAN_ROOT_KEY: what is changed
    /// counts within seconds. Without a path that of [operator] api in gateway.toml counts.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
}

/// A KV, or none: then what would be written is printed.
#[derive(clap::Args)]
pub(crate) struct TargetOrDryRun {
    #[command(flatten)]
    place: OnePlaceOrNone,
    #[command(flatten)]
    reach: Reach,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct OnePlaceOrNone {
    /// The KV that `npm start` and `wrangler dev` use.
    #[arg(long)]
    local: bool,
    /// The KV of the deployed Worker, through wrangler.
    #[arg(long)]
    remote: bool,
    /// The management API of the gateway at this address, with the root key of the variable POINTSMAN_ROOT_KEY: what is changed
    /// counts within seconds. Without a path that of [operator] api in gateway.toml counts.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// No KV: what would be written is printed as JSON.
    #[arg(long)]
    dry_run: bool,
}

/// A KV where the caller wants one.
#[derive(clap::Args)]
pub(crate) struct OptionalTarget {
    #[command(flatten)]
    place: AnyPlace,
    #[command(flatten)]
    reach: Reach,
}

#[derive(clap::Args)]
#[group(required = false, multiple = false)]
struct AnyPlace {
    /// The KV that `npm start` and `wrangler dev` use.
    #[arg(long)]
    local: bool,
    /// The KV of the deployed Worker, through wrangler.
    #[arg(long)]
    remote: bool,
    /// The management API of the gateway at this address, with the root key of the variable POINTSMAN_ROOT_KEY: what is changed
    /// counts within seconds. Without a path that of [operator] api in gateway.toml counts.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
}

/// How KV is reached.
#[derive(clap::Args)]
struct Reach {
    #[command(flatten)]
    project: Project,
    /// The folder of the local KV, if it is not beside wrangler.toml; the same as wrangler's option.
    #[arg(long, value_name = "FOLDER")]
    persist_to: Option<PathBuf>,
}

impl Reach {
    /// Through the API where an address of one is given, else through wrangler.
    fn kv(&self, api: Option<&str>, remote: bool) -> Result<Box<dyn Kv>, Failure> {
        if let Some(address) = api {
            return Ok(Box::new(Api::at(address, &self.project)?));
        }
        let (config, environment) = (self.project.wrangler(), self.project.environment());
        let deployment = Deployment::read(&config, environment.as_deref());
        Ok(Box::new(WithHosts::new(Wrangler {
            is_followed: deployment.is_ok_and(|deployment| bindings::hears(&deployment) != Hears::Kv),
            place: if remote { Place::Remote } else { Place::Local },
            config,
            environment,
            persist_to: self.persist_to.clone(),
        })))
    }
}

impl Target {
    /// # Errors
    /// Where there is no root key for the API, or it must not be sent there.
    pub(crate) fn kv(&self) -> Result<Box<dyn Kv>, Failure> {
        self.reach.kv(self.place.api.as_deref(), self.place.remote)
    }

    pub(crate) const fn project(&self) -> &Project {
        &self.reach.project
    }

    /// Whether it is the KV of this machine.
    pub(crate) const fn is_local(&self) -> bool {
        self.place.local
    }

    /// How isolates of this deployment learn of what is changed here.
    pub(crate) fn hears(&self, gateway: &GatewayFile) -> Hears {
        match self.place.api {
            Some(_) => Hears::Ledger,
            None => gateway.hears_of_kv(self.project()),
        }
    }
}

impl TargetOrDryRun {
    /// `None` for a dry run.
    ///
    /// # Errors
    /// As [`Target::kv`].
    pub(crate) fn kv(&self) -> Result<Option<Box<dyn Kv>>, Failure> {
        let kv = || self.reach.kv(self.place.api.as_deref(), self.place.remote);
        (!self.place.dry_run).then(kv).transpose()
    }

    pub(crate) const fn project(&self) -> &Project {
        &self.reach.project
    }
}

impl OptionalTarget {
    /// `None` where the caller named no KV.
    ///
    /// # Errors
    /// As [`Target::kv`].
    pub(crate) fn kv(&self) -> Result<Option<Box<dyn Kv>>, Failure> {
        let Self { place: AnyPlace { local, remote, api }, reach } = self;
        (*local || *remote || api.is_some()).then(|| reach.kv(api.as_deref(), *remote)).transpose()
    }

    pub(crate) const fn project(&self) -> &Project {
        &self.reach.project
    }
}
