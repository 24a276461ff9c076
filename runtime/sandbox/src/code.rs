//! Native code: how it comes to be, and how it is taken in. The one place with `unsafe`.
//!
//! *Invariant:* what is taken in was made by [`compile`], in this process, in a child of it, or by
//! this host before.
#![expect(
    unsafe_code,
    reason = "deserialising compiled code is running it: wasmtime can't check where it came from"
)]

use std::fs::File;
use std::os::fd::AsRawFd as _;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::component::LoadError;

/// Cranelift's part: takes long, and as long as the component likes.
pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, String> {
    engine.precompile_component(bytes).map_err(|error| format!("{error:#}"))
}

/// What [`compile`] just returned, here or in a child that this process started.
pub fn take(engine: &Engine, code: &[u8]) -> Result<Component, LoadError> {
    // SAFETY: these bytes are what `compile` made, here or in a child that runs this same binary
    // and had nothing but the component to read; they came back over a pipe that only the two have.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map_err(|error| unusable(&format!("{error:#}")))
}

/// The pool of instances is as large as the limits were when it was made.
fn unusable(words: &str) -> LoadError {
    if words.contains("memory does not fit in pooling allocator") {
        return LoadError::LargeMemory;
    }
    LoadError::Compile(words.to_owned())
}

/// A file of what [`compile`] made, whose seal the caller has verified by reading this very file.
pub fn map(engine: &Engine, sealed: &File) -> wasmtime::Result<Component> {
    // The file that is open, whatever its name stands for by now.
    let path = format!("/proc/self/fd/{}", sealed.as_raw_fd());
    // SAFETY: the seal is a MAC over the whole file under a key of this home, made over what
    // `compile` returned; and files of the cache are replaced, never written in place, so that
    // what is mapped stays as it was.
    unsafe { Component::deserialize_file(engine, path) }
}
