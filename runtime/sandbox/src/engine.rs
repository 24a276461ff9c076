//! The one wasmtime engine: what it may do, and the ticker that lets it be interrupted.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use evenkeel_model::home::SandboxLimits;
use wasmtime::{
    Config, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

/// How often a running plugin is looked after; the unit in which its CPU time is counted.
pub const TICK: Duration = Duration::from_millis(10);

/// What an instance may recurse into.
pub const WASM_STACK: usize = 512 << 10;

/// Of one instance; the limiter counts what they hold together.
pub const MEMORIES: u32 = 8;
pub const TABLES: u32 = 16;
pub const INSTANCES: u32 = 64;

/// An engine whose instances come out of a pool, or one by one where the address space is too
/// small for a pool (a container with `RLIMIT_AS`, a small virtual machine).
pub fn start(limits: &SandboxLimits) -> wasmtime::Result<Engine> {
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    let engine = Engine::new(&config).or_else(|error| {
        tracing::warn!(%error, "no pool of instances: each is allocated by itself, which is slower");
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Engine::new(&config)
    })?;
    tick(engine.weak())?;
    Ok(engine)
}

/// An engine that only compiles. What it makes fits [`start`]'s: how instances are allocated is
/// no part of the code.
pub fn to_compile() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(false)
        // Asynchronous components are no part of the contract, and cost every call.
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        // Composed components need it: without, compiling them panics.
        .wasm_multi_memory(true)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(2 << 20)
        .async_stack_zeroing(false)
        .memory_init_cow(true)
        .table_lazy_init(true)
        // The whole 32-bit space is reserved, so that no access needs a check.
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true);
    config
}

fn pool(limits: &SandboxLimits) -> PoolingAllocationConfig {
    let at_once = u32::try_from(limits.concurrency).unwrap_or(u32::MAX).clamp(1, 1_024);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(at_once)
        .total_core_instances(16 * at_once)
        .total_memories(2 * at_once)
        .total_tables(4 * at_once)
        .total_stacks(at_once)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_core_instances_per_component(INSTANCES)
        .max_memories_per_module(2)
        .max_tables_per_module(2)
        .table_elements(100_000)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_memory_size(limits.memory_bytes.clamp(64 << 10, 4 << 30))
        // A short call touches a few pages: to give them back costs less than to write zeroes over the lowest MiB. Asking
        // the kernel which ones (`pagemap_scan`) is faster, but misses pages that were swapped out, and so a slot could
        // show one plugin what another one wrote.
        .linear_memory_keep_resident(0)
        .table_keep_resident(64 << 10)
        .max_unused_warm_slots((at_once / 4).max(1));
    pool
}

/// A thread of its own, so that the ticks come although every worker runs a plugin. It ends with
/// the engine.
fn tick(engine: EngineWeak) -> wasmtime::Result<()> {
    let ticker = thread::Builder::new().name("sandbox-ticker".into());
    ticker.spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    use super::*;

    #[test]
    fn code_of_the_compiler_s_engine_fits_the_one_that_runs_it() {
        let hash = |engine: &Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let runs = start(&SandboxLimits::default()).unwrap();
        assert_eq!(hash(&to_compile().unwrap()), hash(&runs));
    }
}
