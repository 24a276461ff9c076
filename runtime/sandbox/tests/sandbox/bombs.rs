//! 19: components that are legal, small, and take the compiler very long or very much.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evenkeel_model::home::SandboxLimits;
use evenkeel_model::plugin::{Digest, Installed};
use evenkeel_sandbox::{Compiler, LoadError, Ports, Sandbox, digest};
use wasm_encoder::{
    BlockType, CodeSection, Function, FunctionSection, Instruction, Module, RawSection, TypeSection, ValType,
};

use crate::stage::{attendant, guest, installed, scratch};

/// A function of so many `if`s, one after the other or each in the one before it.
fn ifs(many: u32, nested: bool) -> Vec<u8> {
    let locals = 64;
    let mut function = Function::new([(locals, ValType::I32)]);
    for n in 0..many {
        function.instruction(&Instruction::LocalGet(n % locals));
        function.instruction(&Instruction::If(BlockType::Empty));
        function.instruction(&Instruction::LocalGet((n + 1) % locals));
        function.instruction(&Instruction::I32Const(1));
        function.instruction(&Instruction::I32Add);
        function.instruction(&Instruction::LocalSet((n + 7) % locals));
        if !nested {
            function.instruction(&Instruction::End);
        }
    }
    for _ in 0..if nested { many } else { 0 } {
        function.instruction(&Instruction::End);
    }
    function.instruction(&Instruction::End);
    component([function])
}

fn functions(many: u32) -> Vec<u8> {
    component((0..many).map(|n| {
        let mut function = Function::new([(4, ValType::I32)]);
        for local in 0..4 {
            function.instruction(&Instruction::I32Const(n.cast_signed()));
            function.instruction(&Instruction::LocalGet(local));
            function.instruction(&Instruction::I32Mul);
            function.instruction(&Instruction::LocalSet(local));
        }
        function.instruction(&Instruction::End);
        function
    }))
}

/// A plugin by its export, with a core module of these functions in it.
fn component(functions: impl IntoIterator<Item = Function>) -> Vec<u8> {
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    for function in functions {
        declared.function(0);
        code.function(&function);
    }
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&code);
    let module = module.finish();

    let check = r#"(component (instance $i) (export "evenkeel:plugin/check@0.1.0" (instance $i)))"#;
    let check = wat::parse_str(check).unwrap();
    let mut bytes = check[..8].to_vec();
    let core_module = RawSection { id: 1, data: &module };
    bytes.push(core_module.id);
    wasm_encoder::Encode::encode(&core_module, &mut bytes);
    bytes.extend_from_slice(&check[8..]);
    bytes
}

/// A home with one plugin, and a compiler that leaves a line in a file each time it is started.
struct Workshop {
    _dir: tempfile::TempDir,
    home: PathBuf,
    plugin: Installed,
}

impl Workshop {
    fn with(bytes: &[u8]) -> Self {
        let (dir, home) = scratch();
        fs::create_dir(home.join("plugins")).unwrap();
        fs::write(home.join("plugins/bomb.wasm"), bytes).unwrap();
        Self {
            _dir: dir,
            home,
            plugin: installed("plugins/bomb.wasm", digest(bytes)),
        }
    }

    fn sandbox(&self, limits: &SandboxLimits) -> Sandbox {
        let script = format!("echo started >> '{}'; exec \"$@\"", self.starts_file().display());
        let real = env!("CARGO_BIN_EXE_evenkeel-sandbox-child");
        let compiler = Compiler::child("/bin/sh", ["-c", &script, "sh", real]);
        let data = self.home.join("data");
        let sandbox = Sandbox::new(
            &self.home,
            Some(&data),
            limits,
            compiler,
            Ports::local(&self.home, attendant()),
        )
        .unwrap();
        sandbox.install(std::slice::from_ref(&self.plugin));
        sandbox
    }

    fn starts_file(&self) -> PathBuf {
        self.home.join("starts")
    }

    fn starts(&self) -> usize {
        fs::read_to_string(self.starts_file())
            .unwrap_or_default()
            .lines()
            .count()
    }

    fn digest(&self) -> &Digest {
        &self.plugin.digest
    }
}

fn limits(change: impl FnOnce(&mut SandboxLimits)) -> SandboxLimits {
    let mut limits = SandboxLimits {
        concurrency: 2,
        ..SandboxLimits::default()
    };
    change(&mut limits);
    limits
}

async fn stopped(bytes: &[u8], limits: &SandboxLimits) -> String {
    let workshop = Workshop::with(bytes);
    let error = workshop.sandbox(limits).load(workshop.digest()).await.unwrap_err();
    assert!(matches!(error, LoadError::CompileLimit { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_compile_bomb_is_stopped_at_its_cpu_time_and_the_key_is_named() {
    let a_second = limits(|limits| limits.compile_cpu = Duration::from_secs(1));
    for bomb in [ifs(100_000, false), ifs(100_000, true), functions(100_000)] {
        assert_eq!(
            stopped(&bomb, &a_second).await,
            "compiling it takes more than 1 s of CPU time: the limit is `[sandbox] compile_cpu` in evenkeel.toml; \
             it is tried again when that is raised"
        );
    }
}

#[tokio::test]
async fn a_compile_bomb_is_stopped_at_its_memory_and_at_its_time() {
    let little = limits(|limits| limits.compile_memory = 128 << 20);
    let said = stopped(&ifs(100_000, false), &little).await;
    assert!(
        said.starts_with("compiling it takes more than 128 MiB of memory: the limit is `[sandbox] compile_memory`"),
        "{said}"
    );
    let short = limits(|limits| limits.compile_time = Duration::from_millis(100));
    let said = stopped(&ifs(100_000, false), &short).await;
    assert!(
        said.starts_with("compiling it takes more than 100 ms: the limit is `[sandbox] compile_time`"),
        "{said}"
    );
}

#[tokio::test]
async fn what_could_not_be_compiled_is_not_tried_again_until_its_limit_is_raised() {
    let workshop = Workshop::with(&ifs(100_000, false));
    let little = limits(|limits| limits.compile_memory = 128 << 20);
    let sandbox = workshop.sandbox(&little);
    let first = sandbox.load(workshop.digest()).await.unwrap_err();
    assert_eq!(sandbox.load(workshop.digest()).await.unwrap_err(), first);
    // Nor after a restart.
    let restarted = workshop.sandbox(&little);
    assert_eq!(restarted.load(workshop.digest()).await.unwrap_err(), first);
    assert_eq!(workshop.starts(), 1);

    restarted.bound_compiling(&limits(|limits| limits.compile_memory = 160 << 20));
    let again = restarted.load(workshop.digest()).await.unwrap_err();
    assert!(again.to_string().contains("160 MiB"), "{again}");
    assert_eq!(workshop.starts(), 2);
}

/// Its code is kept, and fits the instances of a home that allows more.
#[tokio::test]
async fn what_has_too_much_memory_is_not_compiled_again_after_a_restart() {
    let large = "(core module $m (memory 32)) (core instance (instantiate $m))";
    let check = r#"(instance $i) (export "evenkeel:plugin/check@0.1.0" (instance $i))"#;
    let workshop = Workshop::with(&wat::parse_str(format!("(component {large} {check})")).unwrap());
    let little = limits(|limits| limits.memory_bytes = 1 << 20);
    for _ in 0..2 {
        let refused = workshop.sandbox(&little).load(workshop.digest()).await;
        assert_eq!(refused, Err(LoadError::LargeMemory));
    }
    let enough = limits(|limits| limits.memory_bytes = 2 << 20);
    let refused = workshop.sandbox(&enough).load(workshop.digest()).await;
    assert!(matches!(refused, Err(LoadError::Mismatch(_))), "{refused:?}");
    assert_eq!(workshop.starts(), 1);
}

/// Another key, another record: who can't write with this home's key makes nobody believe it.
#[tokio::test]
async fn a_record_of_a_failure_that_someone_else_wrote_is_not_believed() {
    let workshop = Workshop::with(guest());
    let limits = limits(|_| ());
    let sandbox = workshop.sandbox(&limits);
    let cache = workshop.home.join("data/cache");
    sandbox.load(workshop.digest()).await.unwrap();
    let code = only(&cache, "cwasm");
    let note = code.with_extension("note");
    fs::remove_file(&code).unwrap();
    fs::write(&note, r#"{"refused": "never"}"#).unwrap();
    fs::copy(only(&cache, "mac"), note.with_extension("note.mac")).unwrap();

    workshop.sandbox(&limits).load(workshop.digest()).await.unwrap();
    assert_eq!(workshop.starts(), 2);
}

fn only(dir: &Path, extension: &str) -> PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found = files.filter(|path| path.extension().is_some_and(|is| is == extension));
    found.next().expect("there is one")
}

/// Who stops waiting doesn't stop the compiling: the next one finds it done, or waits for the rest.
#[tokio::test]
async fn a_plugin_is_compiled_once_however_many_wait_or_give_up() {
    let workshop = Workshop::with(guest());
    let sandbox = workshop.sandbox(&limits(|_| ()));
    let given_up = tokio::time::timeout(Duration::ZERO, sandbox.load(workshop.digest())).await;
    let both = tokio::join!(sandbox.load(workshop.digest()), sandbox.load(workshop.digest()));
    assert_eq!(both, (Ok(()), Ok(())));
    assert!(given_up.is_err());
    assert_eq!(workshop.starts(), 1);
}
