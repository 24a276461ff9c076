//! `evenkeel plugin …`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use evenkeel_console::port::Circuit;
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::plugin::{Installed, Kind, Manifest, Source};
use evenkeel_sandbox::{Facts, Ports, Sandbox, Scan, digest, embed, scan};
use serde_json::Value;

use super::{cargo, component};
use crate::args::{Listing, Plugin, PluginBuild, PluginInspect};
use crate::desk::Desk;
use crate::home::Files;
use crate::render::{self, safe, story, table};
use crate::wire;

pub async fn plugin(home: &Path, command: &Plugin) -> Result<ExitCode> {
    match command {
        Plugin::Build(args) => build(home, args).await?,
        Plugin::List(listing) => list(home, listing).await?,
        Plugin::Inspect(args) => inspect(home, args)?,
        Plugin::Close { plugin } => close(home, plugin).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds, asks the component for its schemas, and puts the manifest into it.
async fn build(home: &Path, args: &PluginBuild) -> Result<()> {
    let source = read_source(&args.dir)?;
    let bytes = match &source.build {
        Some(build) => component::make(&args.dir, build)?,
        None => compile(&args.dir, &source)?,
    };
    let manifest = source.manifest(describe(home, &bytes).await?);
    let bytes = embed(&bytes, &manifest)?;
    let out = out_dir(home, args)?;
    let path = out.join(format!("{}-{}.wasm", manifest.name, manifest.version));
    write_whole(&path, &bytes)?;
    let installed = read(&path)?;
    if args.listing.json {
        return Ok(render::json(&installed)?);
    }
    Ok(render::line(&format!(
        "{} ({} KiB, sha256 {})",
        path.display(),
        bytes.len() / 1024,
        installed.digest
    ))?)
}

fn compile(dir: &Path, source: &Source) -> Result<Vec<u8>> {
    let artifact = cargo::build(dir)?;
    if artifact.version != source.version.to_string() {
        bail!(
            "plugin.toml says version {}, Cargo.toml says {}; make them one",
            source.version,
            artifact.version
        );
    }
    fs::read(&artifact.file).with_context(|| format!("can't read `{}`", artifact.file.display()))
}

/// Runs nothing but the component's `describe`, with nothing granted.
async fn describe(home: &Path, bytes: &[u8]) -> Result<BTreeMap<Kind, Value>> {
    let sandbox = Sandbox::new(
        home,
        None,
        &limits(home),
        wire::compiler(),
        Ports::local(home, wire::attendant()),
    )?;
    sandbox.describe(bytes).await.context("the component is no plugin")
}

/// Of the home if there is one that checks clean.
fn limits(home: &Path) -> SandboxLimits {
    let home = crate::home::locate(home).and_then(|home| Ok(Files::read(&home)?.check()?.home));
    home.map_or_else(|_| SandboxLimits::default(), |home| home.settings.sandbox)
}

/// A component with a manifest, wherever it lies.
fn read(path: &Path) -> Result<Installed> {
    let bytes = fs::read(path).with_context(|| format!("can't read `{}`", path.display()))?;
    let manifest = evenkeel_sandbox::inspect(&bytes).and_then(Facts::into_manifest);
    let manifest = manifest.with_context(|| format!("`{}` is no plugin", path.display()))?;
    Ok(Installed {
        manifest,
        digest: digest(&bytes),
        file: path.display().to_string(),
    })
}

fn read_source(dir: &Path) -> Result<Source> {
    let path = dir.join("plugin.toml");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("can't read `{}`; a plugin's directory has one", path.display()))?;
    Source::parse(&text).map_err(|problems| {
        let texts = [("plugin.toml".to_owned(), text.clone())].into();
        crate::home::Unclean { problems, texts }.into()
    })
}

/// `--out`, the home's `plugins/`, or here.
fn out_dir(home: &Path, args: &PluginBuild) -> Result<PathBuf> {
    let out = match &args.out {
        Some(out) => out.clone(),
        None if home.join("evenkeel.toml").is_file() => home.join("plugins"),
        None => PathBuf::from("."),
    };
    fs::create_dir_all(&out).with_context(|| format!("can't make `{}`", out.display()))?;
    Ok(out)
}

/// The old file or the new one is there, never a part.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("wasm.part");
    let write = || {
        fs::write(&part, bytes)?;
        fs::rename(&part, path)
    };
    write().with_context(|| format!("can't write `{}`", path.display()))
}

async fn list(home: &Path, listing: &Listing) -> Result<()> {
    let home = crate::home::locate(home)?;
    let Scan { installed, refused } = scan(&home);
    for circuit in Desk::open_circuits(&home).await? {
        render::note(&open(&circuit));
    }
    for (file, error) in refused {
        render::note(&format!("`{}` is no plugin: {error}", safe::text(&file)));
    }
    if listing.json {
        return Ok(render::json(&installed)?);
    }
    let mut rows = table::new(&["plugin", "version", "kinds", "asks for", "summary"]);
    for Installed { manifest, .. } in &installed {
        rows.add_row([
            safe::text(&manifest.name),
            manifest.version.to_string(),
            kinds(manifest),
            requests(manifest),
            safe::short(&manifest.summary, 60),
        ]);
    }
    render::line(&table::text(&rows))?;
    if installed.is_empty() {
        render::note("no plugin is installed; `evenkeel plugin build DIR` builds one into plugins/");
    }
    Ok(())
}

/// Since when, why, and what ends it.
fn open(circuit: &Circuit) -> String {
    safe::text(&format!(
        "`{}@{}` is not called for `{}` since {}: {}; `evenkeel plugin close {0}` closes its circuit, else one call tries it again at {}",
        circuit.plugin,
        circuit.version,
        circuit.customer,
        story::clock(circuit.since),
        circuit.why,
        story::clock(circuit.retry),
    ))
}

async fn close(home: &Path, plugin: &str) -> Result<()> {
    let closed = Desk::close_circuits(home, plugin).await?;
    let plural = if closed == 1 { "" } else { "s" };
    Ok(render::line(&format!(
        "{closed} circuit{plural} of {} closed",
        safe::text(plugin)
    ))?)
}

fn inspect(home: &Path, args: &PluginInspect) -> Result<()> {
    let installed = find(home, &args.plugin)?;
    if args.listing.json {
        return Ok(render::json(&installed)?);
    }
    let manifest = &installed.manifest;
    render::line(&format!("{} {}", safe::text(&manifest.name), manifest.version))?;
    render::line(&format!("  {}", safe::text(&manifest.summary)))?;
    if let Some(license) = &manifest.license {
        render::line(&format!("  licence   {}", safe::text(license)))?;
    }
    render::line(&format!("  file      {}", safe::text(&installed.file)))?;
    render::line(&format!("  sha256    {}", installed.digest))?;
    render::line(&format!("  asks for  {}", requests(manifest)))?;
    for (kind, schema) in &manifest.kinds {
        render::line(&format!("  {kind} takes:"))?;
        for line in parameters(schema) {
            render::line(&format!("    {line}"))?;
        }
    }
    Ok(())
}

/// By file, or by name (and version) among the installed ones.
fn find(home: &Path, plugin: &str) -> Result<Installed> {
    let path = Path::new(plugin);
    if path.is_file() {
        return read(path);
    }
    let home = crate::home::locate(home)
        .with_context(|| format!("there is no file `{plugin}`, and no home to look for a plugin of that name"))?;
    let (name, version) = plugin
        .split_once('@')
        .map_or((plugin, None), |(name, version)| (name, Some(version)));
    let wanted = scan(&home).installed.into_iter().filter(|candidate| {
        candidate.manifest.name == name
            && version.is_none_or(|version| candidate.manifest.version.to_string() == version)
    });
    wanted
        .max_by(|a, b| a.manifest.version.cmp(&b.manifest.version))
        .with_context(|| format!("no plugin `{plugin}` is installed; `evenkeel plugin list` shows what is"))
}

fn kinds(manifest: &Manifest) -> String {
    let kinds: Vec<_> = manifest.kinds.keys().map(|kind| kind.as_str()).collect();
    kinds.join(", ")
}

/// What it asks for, and of that what it can do without.
fn requests(manifest: &Manifest) -> String {
    let mut all = Vec::new();
    for (capability, verbs) in &manifest.capabilities {
        let required: Vec<_> = manifest.required(*capability).collect();
        let (must, may): (Vec<&str>, Vec<&str>) = verbs
            .iter()
            .map(String::as_str)
            .partition(|verb| required.contains(verb));
        if !must.is_empty() || may.is_empty() {
            all.push(
                format!("{capability} {}", safe::text(&must.join("|")))
                    .trim_end()
                    .to_owned(),
            );
        }
        if !may.is_empty() {
            all.push(format!("{capability} {} (optional)", safe::text(&may.join("|"))));
        }
    }
    if all.is_empty() {
        "nothing".to_owned()
    } else {
        all.join(", ")
    }
}

/// A line a parameter: its name, type, whether it is needed, its default and description.
fn parameters(schema: &serde_json::Value) -> Vec<String> {
    let required: Vec<_> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str())
        .collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| {
            let kind = match &property["type"] {
                serde_json::Value::String(kind) => kind.clone(),
                serde_json::Value::Null => "value".to_owned(),
                other => other.to_string(),
            };
            let need = match &property["default"] {
                serde_json::Value::Null if required.contains(&name.as_str()) => "required".to_owned(),
                serde_json::Value::Null => "optional".to_owned(),
                default => format!("default {default}"),
            };
            let about = property["description"].as_str().unwrap_or_default();
            safe::text(&format!("{name}: {kind}, {need}  {about}"))
                .trim_end()
                .replace("\\n", " ")
        })
        .collect()
}
