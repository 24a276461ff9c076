//! The macros of `evenkeel-sdk`: nobody depends on this crate directly.

mod document;
mod kind;

use proc_macro::TokenStream;

/// Makes a type readable from a runbook's `with`: `serde::Deserialize` (unknown keys are errors) and a JSON schema.
///
/// The attributes of serde and schemars work as they do with their own derives, and doc comments become descriptions in
/// the schema. Types that parameters are made of derive it too.
#[proc_macro_derive(Params, attributes(serde, schemars))]
pub fn params(item: TokenStream) -> TokenStream {
    expand(document::params(item.into()))
}

/// Makes a type the body of an action, or what rollback needs: `serde::Serialize` and `serde::Deserialize`.
#[proc_macro_derive(Body, attributes(serde))]
pub fn body(item: TokenStream) -> TokenStream {
    expand(document::body(item.into()))
}

/// Exports `fn(params: P, host: &Host) -> Result<Vec<Finding>>` as the component's check.
#[proc_macro_attribute]
pub fn check(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(kind::function(&kind::CHECK, &attribute.into(), item.into()))
}

/// Exports `fn(params: P, host: &Host) -> Result<Vec<Sample>>` as the component's monitor.
#[proc_macro_attribute]
pub fn monitor(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(kind::function(&kind::MONITOR, &attribute.into(), item.into()))
}

/// Exports `fn(params: P, notice: Notice, host: &Host) -> Result<Option<String>>` as the component's notifier.
#[proc_macro_attribute]
pub fn notifier(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(kind::function(&kind::NOTIFIER, &attribute.into(), item.into()))
}

/// Exports `impl Remedy for P` as the component's remedy.
#[proc_macro_attribute]
pub fn remedy(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(kind::remedy(&attribute.into(), item.into()))
}

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|error| error.into_compile_error()).into()
}
