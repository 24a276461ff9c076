//! A memory of plugins that ends with the process.

use async_trait::async_trait;
use evenkeel_engine::port::memory::{Memory, MemoryError, Owner, Remembered};

/// For who runs a plugin without a home's journal.
#[derive(Default)]
pub struct Forgetful {}

#[async_trait]
impl Memory for Forgetful {
    async fn get(&self, _: &Owner, _: &str) -> Result<Option<Remembered>, MemoryError> {
        Err(MemoryError::Io("not there yet".into()))
    }
    async fn put(&self, _: &Owner, _: &str, _: Vec<u8>, _: Option<u64>, _: &str) -> Result<u64, MemoryError> {
        Err(MemoryError::Io("not there yet".into()))
    }
    async fn delete(&self, _: &Owner, _: &str) -> Result<(), MemoryError> {
        Err(MemoryError::Io("not there yet".into()))
    }
    async fn keys(&self, _: &Owner, _: &str, _: Option<&str>, _: u32) -> Result<Vec<String>, MemoryError> {
        Err(MemoryError::Io("not there yet".into()))
    }
}
