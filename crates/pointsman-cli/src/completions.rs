//! `pointsman completions`: what a shell must know to complete this command line.

use clap::CommandFactory;
use clap_complete::{Generator, Shell};

use crate::{
    ending::{CommandResult, End},
    output,
};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  source <(pointsman completions bash)\n  pointsman completions fish > ~/.config/fish/completions/pointsman.fish"
)]
pub(crate) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run<C: CommandFactory>(arguments: &Arguments) -> CommandResult {
    output::line(&String::from_utf8_lossy(&script::<C>(arguments.shell)));
    Ok(End::Done)
}

fn script<C: CommandFactory>(shell: Shell) -> Vec<u8> {
    let mut command = C::command();
    command.set_bin_name("pointsman");
    command.build();
    let mut script = Vec::new();
    shell.generate(&command, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_learns_every_command() {
        let names: Vec<String> = crate::Arguments::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| command.get_name().to_owned())
            .collect();
        assert!(names.iter().any(|name| name == "check"));
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script::<crate::Arguments>(*shell)).unwrap();
            for name in &names {
                assert!(script.contains(name.as_str()), "{shell} does not learn of {name}");
            }
        }
    }
}
