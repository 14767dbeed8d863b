//! Which KV a command works on.

use std::path::PathBuf;

use pointsman_core::state::bounds::Hears;

use crate::{
    bindings,
    configuration::Project,
    deployment::Deployment,
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
    /// The KV of the deployed Worker.
    #[arg(long)]
    remote: bool,
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
    /// The KV of the deployed Worker.
    #[arg(long)]
    remote: bool,
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
    /// The KV of the deployed Worker.
    #[arg(long)]
    remote: bool,
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
    fn kv(&self, remote: bool) -> Wrangler {
        let (config, environment) = (self.project.wrangler(), self.project.environment());
        let deployment = Deployment::read(&config, environment.as_deref());
        Wrangler {
            is_followed: deployment.is_ok_and(|deployment| bindings::hears(&deployment) != Hears::Kv),
            place: if remote { Place::Remote } else { Place::Local },
            config,
            environment,
            persist_to: self.persist_to.clone(),
        }
    }
}

impl Target {
    pub(crate) fn kv(&self) -> Wrangler {
        self.reach.kv(self.place.remote)
    }

    pub(crate) const fn project(&self) -> &Project {
        &self.reach.project
    }
}

impl TargetOrDryRun {
    /// `None` for a dry run.
    pub(crate) fn kv(&self) -> Option<Wrangler> {
        (!self.place.dry_run).then(|| self.reach.kv(self.place.remote))
    }

    pub(crate) const fn project(&self) -> &Project {
        &self.reach.project
    }
}

impl OptionalTarget {
    /// `None` where the caller named no KV.
    pub(crate) fn kv(&self) -> Option<Wrangler> {
        (self.place.local || self.place.remote).then(|| self.reach.kv(self.place.remote))
    }

    pub(crate) const fn project(&self) -> &Project {
        &self.reach.project
    }
}
