//! The attributes that make a function or an impl a kind of the component.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{FnArg, Ident, ItemFn, ItemImpl, ReturnType, Type};

/// One kind whose export is a single function.
pub struct Kind {
    /// The interface, and the module of its bindings.
    name: &'static str,
    /// The exported function.
    export: &'static str,
    /// Whether it takes a notice between the parameters and the host.
    notice: bool,
    /// What it answers, as the author has it.
    answer: &'static str,
    /// The same as the contract has it: `wit` is the module of its types.
    wit_answer: &'static str,
    /// How it is written, for error messages.
    form: &'static str,
}

pub const CHECK: Kind = Kind {
    name: "check",
    export: "run",
    notice: false,
    answer: "::std::vec::Vec<::evenkeel_sdk::Finding>",
    wit_answer: "::std::vec::Vec<wit::Finding>",
    form: "fn(params: P, host: &Host) -> Result<Vec<Finding>>",
};

pub const MONITOR: Kind = Kind {
    name: "monitor",
    export: "collect",
    notice: false,
    answer: "::std::vec::Vec<::evenkeel_sdk::Sample>",
    wit_answer: "::std::vec::Vec<wit::Sample>",
    form: "fn(params: P, host: &Host) -> Result<Vec<Sample>>",
};

pub const NOTIFIER: Kind = Kind {
    name: "notifier",
    export: "send",
    notice: true,
    answer: "::core::option::Option<::std::string::String>",
    wit_answer: "::core::option::Option<::std::string::String>",
    form: "fn(params: P, notice: Notice, host: &Host) -> Result<Option<String>>",
};

pub fn function(kind: &Kind, attribute: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    no_arguments(attribute)?;
    let function: ItemFn = syn::parse2(item)?;
    let params = parameters(kind, &function)?;
    let (name, export) = (format_ident!("{}", kind.name), format_ident!("{}", kind.export));
    let (answer, wit_answer): (Type, Type) = (syn::parse_str(kind.answer)?, syn::parse_str(kind.wit_answer)?);
    let (notice, argument, value) = if kind.notice {
        (
            quote!(::evenkeel_sdk::Notice,),
            quote!(, notice: wit::Notice),
            quote!(, notice),
        )
    } else {
        (quote!(), quote!(), quote!())
    };
    let call = &function.sig.ident;
    let exported = exported(
        &name,
        &params,
        &quote! {
            fn #export(params: ::std::string::String #argument) -> ::core::result::Result<#wit_answer, wit::Error> {
                ::evenkeel_sdk::export::#name(#call, &params #value)
            }
        },
    );
    Ok(quote! {
        #function
        // Says here, on every target, when the types are not those of the kind; and counts as a use of the function.
        const _: fn(#params, #notice &::evenkeel_sdk::Host) -> ::evenkeel_sdk::Result<#answer> = #call;
        #exported
    })
}

pub fn remedy(attribute: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    no_arguments(attribute)?;
    let implementation: ItemImpl = syn::parse2(item)?;
    let is_remedy = implementation
        .trait_
        .as_ref()
        .and_then(|(_, path, _)| path.segments.last());
    if is_remedy.is_none_or(|segment| segment.ident != "Remedy") {
        return Err(syn::Error::new_spanned(
            &implementation.self_ty,
            "expected `impl Remedy for` the parameter type",
        ));
    }
    let params = &*implementation.self_ty;
    let exported = exported(
        &format_ident!("remedy"),
        params,
        &quote! {
            fn plan(
                params: ::std::string::String,
            ) -> ::core::result::Result<::std::vec::Vec<wit::Action>, wit::Error> {
                ::evenkeel_sdk::export::plan::<#params>(&params)
            }
            fn apply(
                params: ::std::string::String,
                action: wit::Action,
            ) -> ::core::result::Result<wit::Applied, wit::Error> {
                ::evenkeel_sdk::export::apply::<#params>(&params, action)
            }
            fn rollback(
                params: ::std::string::String,
                action: wit::Action,
                done: ::core::option::Option<wit::Applied>,
            ) -> ::core::result::Result<(), wit::Error> {
                ::evenkeel_sdk::export::rollback::<#params>(&params, action, done)
            }
        },
    );
    Ok(quote! {
        #implementation
        // Counts as a use, on every target.
        const _: fn(&#params, &::evenkeel_sdk::Host) -> ::evenkeel_sdk::Result<::std::vec::Vec<::evenkeel_sdk::Action>> =
            <#params as ::evenkeel_sdk::Remedy>::plan;
        #exported
    })
}

fn no_arguments(attribute: &TokenStream) -> syn::Result<()> {
    if attribute.is_empty() {
        Ok(())
    } else {
        Err(syn::Error::new_spanned(attribute, "this attribute takes no arguments"))
    }
}

/// The type of the first argument, if the signature has the form of the kind.
fn parameters(kind: &Kind, function: &ItemFn) -> syn::Result<Type> {
    let signature = &function.sig;
    let wrong = |message: &str| {
        Err(syn::Error::new_spanned(
            signature,
            format!("{message}: a {} is `{}`", kind.name, kind.form),
        ))
    };
    if signature.asyncness.is_some() || !signature.generics.params.is_empty() {
        return wrong("neither async nor generic");
    }
    if signature.inputs.len() != 2 + usize::from(kind.notice) {
        return wrong("other arguments expected");
    }
    if matches!(signature.output, ReturnType::Default) {
        return wrong("it answers something");
    }
    match signature.inputs.first() {
        Some(FnArg::Typed(first)) if !matches!(*first.ty, Type::Reference(_)) => Ok((*first.ty).clone()),
        _ => wrong("the parameters are taken by value"),
    }
}

/// The export itself, and the entry in the table that `describe` answers from.
///
/// The entry is made by a constructor, which runs when the component is instantiated: so each kind is written for
/// itself, and one crate may hold several.
fn exported(kind: &Ident, params: &Type, functions: &TokenStream) -> TokenStream {
    let (export, label) = (format_ident!("export_{kind}"), kind.to_string());
    quote! {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "exporting a symbol and registering a constructor are unsafe by their form")]
        const _: () = {
            use ::evenkeel_sdk::bindings::#kind::exports::evenkeel::plugin::#kind as wit;

            struct Exported;
            impl wit::Guest for Exported { #functions }
            ::evenkeel_sdk::bindings::#kind::#export!(Exported with_types_in ::evenkeel_sdk::bindings::#kind);

            extern "C" fn describe() {
                ::evenkeel_sdk::export::describe(#label, ::evenkeel_sdk::export::schema::<#params>);
            }
            #[used]
            #[unsafe(link_section = ".init_array")]
            static DESCRIBE: extern "C" fn() = describe;
        };
    }
}
