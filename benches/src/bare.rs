//! The least that calls the same export of the same component: no limits, no grants, no record. What the component imports
//! is answered by functions that do nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use self::bindings::evenkeel::cap::state::{Entry, Host, StateError};
use crate::recorded::Stuck;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../plugin-sdk/wit",
        inline: "
            package evenkeel:bare;
            world bare {
                import evenkeel:cap/state@0.1.0;
                export evenkeel:plugin/check@0.1.0;
            }
        ",
        world: "evenkeel:bare/bare",
        imports: { default: async },
        exports: { default: async },
    });
}

pub struct Bare {
    engine: Engine,
    pre: bindings::BarePre<State>,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    call: InCall,
}

/// What happens in a call that the component makes.
pub enum InCall {
    Nothing,
    /// Others go first.
    Yields,
    /// It is never answered.
    Sticks(Arc<Stuck>),
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl Host for State {
    async fn get(&mut self, _: String) -> Result<Option<Entry>, StateError> {
        match &self.call {
            InCall::Nothing => {}
            InCall::Yields => tokio::task::yield_now().await,
            InCall::Sticks(stuck) => match stuck.wait().await {},
        }
        Ok(None)
    }
    async fn put(&mut self, _: String, _: Vec<u8>, _: Option<u64>) -> Result<u64, StateError> {
        Err(StateError::Quota)
    }
    async fn delete(&mut self, _: String) -> Result<(), StateError> {
        Err(StateError::Quota)
    }
    async fn keys(&mut self, _: String, _: Option<String>, _: u32) -> Result<Vec<String>, StateError> {
        Err(StateError::Quota)
    }
}

impl Bare {
    pub fn load(engine: Engine, component: &Path) -> Result<Self> {
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        bindings::evenkeel::cap::state::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        let component = Component::from_file(&engine, component)?;
        let pre = bindings::BarePre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, pre })
    }

    /// The component makes so many calls.
    pub async fn step(&self, calls: u32, call: InCall) -> Result<()> {
        let params = if calls == 0 {
            "{}".to_owned()
        } else {
            format!(r#"{{"calls":{calls}}}"#)
        };
        let state = State {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            call,
        };
        let mut store = Store::new(&self.engine, state);
        store.set_epoch_deadline(1_000_000);
        let instance = self.pre.instantiate_async(&mut store).await?;
        match instance.evenkeel_plugin_check().call_run(&mut store, &params).await? {
            Ok(_) => Ok(()),
            Err(error) => bail!("the no-op check failed: {}", error.message),
        }
    }
}
