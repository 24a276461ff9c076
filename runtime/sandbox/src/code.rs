//! Native code: how it comes to be, and how it is taken in. The one place with `unsafe`.
//!
//! *Invariant:* what is taken in was made by [`compile`], in this process or by this host before.
#![expect(
    unsafe_code,
    reason = "deserialising compiled code is running it: wasmtime can't check where it came from"
)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::component::LoadError;

/// Cranelift's part: takes long, and as long as the component likes.
pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    engine
        .precompile_component(bytes)
        .map_err(|error| LoadError::Compile(format!("{error:#}")))
}

/// What [`compile`] just returned.
pub fn take(engine: &Engine, code: &[u8]) -> Result<Component, LoadError> {
    // SAFETY: these bytes are what `compile` made, and nobody had them in between.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map_err(|error| LoadError::Compile(format!("{error:#}")))
}

/// A file of what [`compile`] made, whose seal the caller has verified.
pub fn map(engine: &Engine, sealed: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the seal is a MAC over the whole file under a key of this home, made over what
    // `compile` returned; and files of the cache are replaced, never written in place, so that
    // what is mapped stays as it was.
    unsafe { Component::deserialize_file(engine, sealed) }
}
