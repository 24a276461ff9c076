//! The sections of a component, and the one that holds the manifest.

use std::ops::Range;

use evenkeel_model::plugin::Manifest;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wasmparser::BinaryReader;

use super::{LoadError, MAX_SECTIONS};

/// Where the manifest is.
const NAME: &str = "evenkeel:manifest";
const MAGIC: &[u8] = b"\0asm";
/// Version 0xd, layer 1: a component as the component model of WASI 0.2 encodes it.
const ENCODING: u16 = 0xd;
const HEADER: usize = 8;
const CUSTOM: u8 = 0;

/// One section of the outermost component.
pub struct Section<'b> {
    id: u8,
    /// Identifier and size included.
    all: Range<usize>,
    content: &'b [u8],
}

impl<'b> Section<'b> {
    /// The JSON in it, if it is the manifest.
    pub fn manifest(&self) -> Option<&'b [u8]> {
        if self.id != CUSTOM {
            return None;
        }
        let mut reader = BinaryReader::new(self.content, 0);
        let name = reader.read_string().ok()?;
        (name == NAME).then(|| &self.content[reader.current_position()..])
    }
}

/// The component with this manifest, and no other.
pub fn embed(bytes: &[u8], manifest: &Manifest) -> Result<Vec<u8>, LoadError> {
    let json = serde_json::to_vec(manifest).map_err(|error| LoadError::BadManifest(error.to_string()))?;
    let mut embedded = bytes[..HEADER.min(bytes.len())].to_vec();
    for section in sections(bytes)? {
        if section.manifest().is_none() {
            embedded.extend_from_slice(&bytes[section.all]);
        }
    }
    let section = CustomSection {
        name: NAME.into(),
        data: json.into(),
    };
    section.append_to_component(&mut embedded);
    Ok(embedded)
}

/// The outermost sections in order.
pub fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>, LoadError> {
    header(bytes)?;
    let mut reader = BinaryReader::new(bytes, 0);
    let mut sections = Vec::new();
    reader.read_bytes(HEADER).map_err(damaged)?;
    while !reader.eof() {
        let start = reader.current_position();
        let id = reader.read_u8().map_err(damaged)?;
        let size = reader.read_var_u32().map_err(damaged)?;
        let content = reader.read_bytes(size as usize).map_err(damaged)?;
        if sections.len() == MAX_SECTIONS {
            return Err(LoadError::TooManySections);
        }
        sections.push(Section {
            id,
            all: start..reader.current_position(),
            content,
        });
    }
    Ok(sections)
}

fn header(bytes: &[u8]) -> Result<(), LoadError> {
    if !bytes.starts_with(MAGIC) {
        return Err(LoadError::NotWasm);
    }
    let &[_, _, _, _, version_low, version_high, layer_low, layer_high, ..] = bytes else {
        return Err(LoadError::Damaged("it ends within its header".into()));
    };
    let version = u16::from_le_bytes([version_low, version_high]);
    match u16::from_le_bytes([layer_low, layer_high]) {
        0 => Err(LoadError::CoreModule),
        1 if version == ENCODING => Ok(()),
        _ => Err(LoadError::OtherEncoding(version)),
    }
}

pub fn damaged(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Damaged(format!("{} at byte {}", error.message(), error.offset()))
}
