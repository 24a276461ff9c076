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

use rustix::mm::{Advice, madvise};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::component::LoadError;

/// Native code that was taken in.
pub struct Code {
    pub component: Component,
    /// From a file of the cache: what is not resident is read from there again.
    is_mapped: bool,
}

impl Code {
    /// Lets go of its pages. Those that are needed again come back one by one, out of the kernel's
    /// cache of that file.
    pub fn release(&self) {
        if !self.is_mapped {
            return;
        }
        let image = self.component.image_range();
        let bytes = image.end.addr() - image.start.addr();
        // SAFETY: this is the mapping of a file that `map` was given, which is never written in
        // place. Nor is the mapping: wasmtime takes in no code with relocations and makes it
        // read-only. So whoever reads or runs it meanwhile finds the same bytes.
        let released = unsafe { madvise(image.start.cast_mut().cast(), bytes, Advice::LinuxDontNeed) };
        if let Err(error) = released {
            tracing::debug!(%error, "code that nothing needs for now stays in memory");
        }
    }
}

/// Cranelift's part: takes long, and as long as the component likes.
pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, String> {
    engine.precompile_component(bytes).map_err(|error| format!("{error:#}"))
}

/// What [`compile`] just returned, here or in a child that this process started.
pub fn take(engine: &Engine, code: &[u8]) -> Result<Code, LoadError> {
    // SAFETY: these bytes are what `compile` made, here or in a child that runs this same binary
    // and had nothing but the component to read; they came back over a pipe that only the two have.
    let component = unsafe { Component::deserialize(engine, code) };
    taken(component, false)
}

fn taken(component: wasmtime::Result<Component>, is_mapped: bool) -> Result<Code, LoadError> {
    let component = component.map_err(|error| unusable(&format!("{error:#}")))?;
    Ok(Code { component, is_mapped })
}

/// The pool of instances is as large as the limits were when it was made.
fn unusable(words: &str) -> LoadError {
    if words.contains("memory does not fit in pooling allocator") {
        return LoadError::LargeMemory;
    }
    LoadError::Compile(words.to_owned())
}

/// A file of what [`compile`] made, whose seal the caller has verified by reading this very file.
pub fn map(engine: &Engine, sealed: &File) -> Result<Code, LoadError> {
    // The file that is open, whatever its name stands for by now.
    let path = format!("/proc/self/fd/{}", sealed.as_raw_fd());
    // SAFETY: the seal is a MAC over the whole file under a key of this home, made over what
    // `compile` returned; and files of the cache are replaced, never written in place, so that
    // what is mapped stays as it was.
    let component = unsafe { Component::deserialize_file(engine, path) };
    taken(component, true)
}
