//! The least that calls the same export of the same component: no limits, no grants, no record.

use std::path::Path;

use anyhow::{Result, bail};
use evenkeel_model::home::SandboxLimits;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../plugin-sdk/wit",
        inline: "
            package evenkeel:bare;
            world bare { export evenkeel:plugin/check@0.1.0; }
        ",
        world: "evenkeel:bare/bare",
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
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl Bare {
    pub fn load(component: &Path) -> Result<Self> {
        let engine = evenkeel_sandbox::start_engine(&SandboxLimits::default())?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let component = Component::from_file(&engine, component)?;
        let pre = bindings::BarePre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, pre })
    }

    pub async fn once(&self) -> Result<()> {
        let state = State {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, state);
        store.set_epoch_deadline(1_000_000);
        let instance = self.pre.instantiate_async(&mut store).await?;
        match instance
            .evenkeel_plugin_check()
            .call_run(&mut store, &"{}".to_owned())
            .await?
        {
            Ok(_) => Ok(()),
            Err(error) => bail!("the no-op check failed: {}", error.message),
        }
    }
}
