//! Components that no toolchain makes.

use anyhow::{Context, ensure};
use serde_json::Value;

const MANIFEST: &str = "evenkeel:manifest";
/// The magic number, and the version of the component model's binary format.
const HEADER: usize = 8;

/// A component taken apart into its outermost sections, to be changed and put together again.
#[derive(Clone)]
pub struct Component {
    header: Vec<u8>,
    /// Each with its number and its content.
    sections: Vec<(u8, Vec<u8>)>,
}

impl Component {
    /// # Errors
    /// When it is no WebAssembly.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        ensure!(bytes.len() > HEADER, "it has no header");
        let (header, mut rest) = bytes.split_at(HEADER);
        let mut sections = Vec::new();
        while let Some((id, after)) = rest.split_first() {
            let (size, after) = read_leb128(after).context("a section has no size")?;
            ensure!(after.len() >= size, "a section is cut off");
            let (content, after) = after.split_at(size);
            sections.push((*id, content.to_vec()));
            rest = after;
        }
        Ok(Self {
            header: header.to_vec(),
            sections,
        })
    }

    /// The same under another name.
    ///
    /// # Errors
    /// When it has no manifest.
    pub fn named(mut self, name: &str) -> anyhow::Result<Self> {
        let manifest = self
            .sections
            .iter()
            .position(|(id, content)| *id == 0 && is_manifest(content));
        let (_, content) = self.sections.remove(manifest.context("it has no manifest")?);
        let mut manifest: Value = serde_json::from_slice(&content[1 + MANIFEST.len()..])?;
        manifest["name"] = name.into();
        self.sections.push((0, section(&serde_json::to_vec(&manifest)?)));
        Ok(self)
    }

    /// With one more core module (as text), which is instantiated so many times after all that was there before.
    ///
    /// # Errors
    /// When the text is no module.
    pub fn and(mut self, module: &str, instances: usize) -> anyhow::Result<Self> {
        let index = self.sections.iter().filter(|(id, _)| *id == 1).count();
        self.sections.push((1, wat::parse_str(module)?));
        let mut content = leb128(instances);
        for _ in 0..instances {
            content.push(0);
            content.extend(leb128(index));
            content.push(0);
        }
        self.sections.push((2, content));
        Ok(self)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.clone();
        for (id, content) in &self.sections {
            bytes.push(*id);
            bytes.extend(leb128(content.len()));
            bytes.extend_from_slice(content);
        }
        bytes
    }
}

/// The component with this text as its manifest.
pub fn with_manifest(mut component: Vec<u8>, json: &[u8]) -> Vec<u8> {
    let section = section(json);
    component.push(0);
    component.extend(leb128(section.len()));
    component.extend(section);
    component
}

fn section(json: &[u8]) -> Vec<u8> {
    let mut section = leb128(MANIFEST.len());
    section.extend_from_slice(MANIFEST.as_bytes());
    section.extend_from_slice(json);
    section
}

fn is_manifest(content: &[u8]) -> bool {
    content
        .get(1..)
        .is_some_and(|content| content.starts_with(MANIFEST.as_bytes()))
}

/// As WebAssembly writes sizes: seven bits a byte, the lowest first.
fn leb128(mut size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(size & 0x7f).expect("seven bits");
        size >>= 7;
        if size == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// And what follows it.
fn read_leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut size = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        size |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((size, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_the_same_when_put_together_again() {
        let plain = wat::parse_str("(component (core module) (core instance (instantiate 0)))").unwrap();
        let named = with_manifest(plain.clone(), br#"{"name":"a"}"#);
        let component = Component::parse(&named).unwrap();
        assert_eq!(component.bytes(), named);
        assert_eq!(
            component.named("b").unwrap().bytes(),
            with_manifest(plain, br#"{"name":"b"}"#)
        );
    }
}
