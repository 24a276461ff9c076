//! A component that is ready to be instantiated.

use evenkeel_model::plugin::Kind;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Linker, Lower};

use crate::bindings::evenkeel::plugin::types::Error;
use crate::bindings::exports::evenkeel::plugin::{check, describe, monitor, notifier, remedy};
use crate::code::Code;
use crate::component::LoadError;
use crate::state::State;

/// Linked, type-checked, with the kinds that it exports.
pub struct Loaded {
    pub pre: InstancePre<State>,
    pub code: Code,
    pub check: Option<check::GuestIndices>,
    pub remedy: Option<remedy::GuestIndices>,
    pub monitor: Option<monitor::GuestIndices>,
    pub notifier: Option<notifier::GuestIndices>,
    pub describe: Option<describe::GuestIndices>,
}

impl Loaded {
    /// Whatever does not fit the contract is found here, before anything of it runs.
    pub fn new(linker: &Linker<State>, code: Code) -> Result<Self, LoadError> {
        let pre = linker
            .instantiate_pre(&code.component)
            .map_err(|error| mismatch(&error))?;
        let exports = Exports { pre: &pre };
        Ok(Self {
            check: exports.check()?,
            remedy: exports.remedy()?,
            monitor: exports.monitor()?,
            notifier: exports.notifier()?,
            describe: exports.describe()?,
            pre,
            code,
        })
    }

    pub fn kinds(&self) -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|kind| self.has(*kind)).collect()
    }

    pub fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Check => self.check.is_some(),
            Kind::Remedy => self.remedy.is_some(),
            Kind::Monitor => self.monitor.is_some(),
            Kind::Notifier => self.notifier.is_some(),
        }
    }
}

fn mismatch(error: &wasmtime::Error) -> LoadError {
    LoadError::Mismatch(format!("{error:#}"))
}

/// The exported interfaces, each function checked against the type that the host calls it with.
struct Exports<'p> {
    pre: &'p InstancePre<State>,
}

impl Exports<'_> {
    fn check(&self) -> Result<Option<check::GuestIndices>, LoadError> {
        let name = "evenkeel:plugin/check@0.1.0";
        self.interface(name, || {
            self.function::<(String,), (Result<Vec<check::Finding>, Error>,)>(name, "run")?;
            check::GuestIndices::new(self.pre).map_err(|error| mismatch(&error))
        })
    }

    fn remedy(&self) -> Result<Option<remedy::GuestIndices>, LoadError> {
        let name = "evenkeel:plugin/remedy@0.1.0";
        self.interface(name, || {
            self.function::<(String,), (Result<Vec<remedy::Action>, Error>,)>(name, "plan")?;
            self.function::<(String, remedy::Action), (Result<remedy::Applied, Error>,)>(name, "apply")?;
            self.function::<(String, remedy::Action, Option<remedy::Applied>), (Result<(), Error>,)>(name, "rollback")?;
            remedy::GuestIndices::new(self.pre).map_err(|error| mismatch(&error))
        })
    }

    fn monitor(&self) -> Result<Option<monitor::GuestIndices>, LoadError> {
        let name = "evenkeel:plugin/monitor@0.1.0";
        self.interface(name, || {
            self.function::<(String,), (Result<Vec<monitor::Sample>, Error>,)>(name, "collect")?;
            monitor::GuestIndices::new(self.pre).map_err(|error| mismatch(&error))
        })
    }

    fn notifier(&self) -> Result<Option<notifier::GuestIndices>, LoadError> {
        let name = "evenkeel:plugin/notifier@0.1.0";
        self.interface(name, || {
            self.function::<(String, notifier::Notice), (Result<Option<String>, Error>,)>(name, "send")?;
            notifier::GuestIndices::new(self.pre).map_err(|error| mismatch(&error))
        })
    }

    fn describe(&self) -> Result<Option<describe::GuestIndices>, LoadError> {
        let name = "evenkeel:plugin/describe@0.1.0";
        self.interface(name, || {
            self.function::<(String,), (Option<String>,)>(name, "params-schema")?;
            describe::GuestIndices::new(self.pre).map_err(|error| mismatch(&error))
        })
    }

    /// What `found` makes of it, if the component exports it at all.
    fn interface<T>(&self, name: &str, found: impl FnOnce() -> Result<T, LoadError>) -> Result<Option<T>, LoadError> {
        self.pre
            .component()
            .get_export_index(None, name)
            .map(|_| found())
            .transpose()
    }

    fn function<Params, Return>(&self, interface: &str, name: &str) -> Result<(), LoadError>
    where
        Params: ComponentNamedList + Lower,
        Return: ComponentNamedList + Lift,
    {
        let component = self.pre.component();
        let wrong = |why: String| LoadError::Mismatch(format!("`{interface}` {why}"));
        let instance = component.get_export_index(None, interface);
        let found = component.get_export(instance.as_ref(), name);
        let Some((ComponentItem::ComponentFunc(function), _)) = found else {
            return Err(wrong(format!("has no function `{name}`")));
        };
        function
            .typecheck::<Params, Return>(&self.pre.instance_type())
            .map_err(|error| wrong(format!("has a `{name}` of another type: {error:#}")))
    }
}
