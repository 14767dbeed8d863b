//! The configuration that the head is compared with: a file, or what git has of a revision.

use std::{
    ffi::OsStr,
    io::Read,
    path::{Path, PathBuf},
};

use crate::{
    configuration::{Project, Secrets, Source},
    deployment::Deployment,
    ending::{Failure, input},
    findings::Placed,
    host::{self, Program, Temporary},
    output::warning,
};

/// Reads the base: a file where there is one of that name, else a revision of `head`.
///
/// # Errors
/// Where it is neither, or cannot be read.
pub(super) fn base(named: &str, head: &Path, project: &Project) -> Result<Source, Failure> {
    if Path::new(named).exists() {
        return Source::read(Path::new(named), project, Secrets::OfDevVars);
    }
    let text = show(named, head).map_err(|said| {
        input(format!(
            "--base {named}: there is no such file, and git has no {} of that revision: {said}",
            head.display()
        ))
    })?;
    // Where it leads: variables hold the backends' URLs, and change like rules do.
    let wrangler = project.wrangler();
    let label = format!("{named}:{}", wrangler.display());
    let environment = project.environment();
    let said = |placed: Placed| input(format!("{}: {}", placed.at, placed.finding.what));
    let read = |text| Deployment::parse(&label, text, environment.as_deref());
    let deployment = match show(named, &wrangler) {
        Ok(text) => read(text).map_err(said)?,
        Err(_) => {
            warning(&format!("git has no {label}: the variables of today count for both"));
            Deployment::read(&wrangler, environment.as_deref()).map_err(said)?
        }
    };
    Source::of_texts(PathBuf::from(format!("{named}:{}", head.display())), text, deployment, project)
}

/// What git has of a file at a revision. The only place where git is called.
fn show(revision: &str, file: &Path) -> Result<String, String> {
    if revision.starts_with('-') || revision.contains(':') {
        return Err("that can be no revision".to_owned());
    }
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let name = file.file_name().and_then(OsStr::to_str).ok_or("is no file")?;
    let (mut output, mut errors) = (Temporary::new()?, Temporary::new()?);
    let arguments = [OsStr::new("-C"), folder.as_os_str(), OsStr::new("show")];
    let ended = host::run(&Program {
        name: "git".into(),
        arguments: arguments
            .map(OsStr::to_owned)
            .into_iter()
            .chain([format!("{revision}:./{name}").into()])
            .collect(),
        variables: Vec::new(),
        first_in_path: None,
        input: None,
        output: &output,
        errors: Some(&errors),
    })
    .map_err(|problem| format!("git cannot be called: {problem}"))?;
    if !ended.success {
        let said = String::from_utf8_lossy(&read(&mut errors)?).into_owned();
        return Err(said.lines().next().unwrap_or("git said nothing").to_owned());
    }
    String::from_utf8(read(&mut output)?).map_err(|_| "is not UTF-8".to_owned())
}

/// What a program has written into a file.
fn read(file: &mut Temporary) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    read.map_err(|problem| format!("what git said: {problem}"))?;
    Ok(bytes)
}
