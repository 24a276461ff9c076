//! `Params` and `Body`: the derives of serde and schemars, without the author depending on either.
//!
//! A derive cannot add derives to its own item. So it writes a copy of the type that carries them, and serde's `remote`
//! makes that copy read and write the original.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DataStruct, DeriveInput, Fields, Meta, Token, parse_quote};

pub fn params(item: TokenStream) -> syn::Result<TokenStream> {
    let original: DeriveInput = syn::parse2(item)?;
    let mut copy = copy_of(&original)?;
    if closed(&original)? {
        copy.attrs.push(parse_quote!(#[serde(deny_unknown_fields)]));
    }
    copy.attrs
        .push(parse_quote!(#[schemars(crate = "::evenkeel_sdk::schemars")]));
    copy.attrs.insert(0, parse_quote! {
        #[derive(::evenkeel_sdk::serde::Deserialize, ::evenkeel_sdk::serde::Serialize, ::evenkeel_sdk::schemars::JsonSchema)]
    });
    let default = default(&original, &copy)?;
    let read_and_write = read_and_write(&original, &copy);
    let schema = schema(&original, &copy);
    Ok(quote!(const _: () = { #copy #default #read_and_write #schema };))
}

pub fn body(item: TokenStream) -> syn::Result<TokenStream> {
    let original: DeriveInput = syn::parse2(item)?;
    let mut copy = copy_of(&original)?;
    let derives = parse_quote!(#[derive(::evenkeel_sdk::serde::Deserialize, ::evenkeel_sdk::serde::Serialize)]);
    copy.attrs.insert(0, derives);
    let default = default(&original, &copy)?;
    let read_and_write = read_and_write(&original, &copy);
    Ok(quote!(const _: () = { #copy #default #read_and_write };))
}

/// The same type under another name, with the attributes that serde, schemars and the compiler read.
fn copy_of(original: &DeriveInput) -> syn::Result<DeriveInput> {
    if let Some(first) = original.generics.params.first() {
        return Err(syn::Error::new_spanned(
            first,
            "a parameter type has no generics: the schema is that of one type",
        ));
    }
    if let Data::Union(union) = &original.data {
        return Err(syn::Error::new_spanned(
            union.union_token,
            "a union cannot be read from a runbook",
        ));
    }
    let mut copy = original.clone();
    copy.ident = format_ident!("__EvenkeelCopyOf{}", original.ident);
    copy.attrs.retain(is_read);
    match &mut copy.data {
        Data::Struct(data) => retain_read(&mut data.fields),
        Data::Enum(data) => data.variants.iter_mut().for_each(|variant| {
            variant.attrs.retain(is_read);
            retain_read(&mut variant.fields);
        }),
        Data::Union(_) => {}
    }
    let name = original.ident.to_string();
    copy.attrs
        .push(parse_quote!(#[serde(crate = "::evenkeel_sdk::serde", remote = #name)]));
    copy.attrs
        .push(parse_quote!(#[allow(dead_code, reason = "only its impls are used")]));
    Ok(copy)
}

fn retain_read(fields: &mut Fields) {
    fields.iter_mut().for_each(|field| field.attrs.retain(is_read));
}

fn is_read(attribute: &Attribute) -> bool {
    ["serde", "schemars", "doc", "cfg"]
        .iter()
        .any(|name| attribute.path().is_ident(name))
}

/// Unknown keys are errors, unless the author said something of the kind or the type has no keys of its own.
fn closed(item: &DeriveInput) -> syn::Result<bool> {
    let open = ["deny_unknown_fields", "transparent", "untagged", "from", "try_from"];
    let mut is_open = says(&item.attrs, &open)?;
    if let Data::Struct(data) = &item.data {
        for field in &data.fields {
            is_open |= says(&field.attrs, &["flatten"])?;
        }
    }
    Ok(!is_open)
}

fn says(attributes: &[Attribute], words: &[&str]) -> syn::Result<bool> {
    Ok(metas(attributes)?
        .iter()
        .any(|meta| words.iter().any(|word| meta.path().is_ident(word))))
}

/// What stands in `#[serde(…)]`.
fn metas(attributes: &[Attribute]) -> syn::Result<Vec<Meta>> {
    let mut metas = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        metas.extend(attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?);
    }
    Ok(metas)
}

/// With `#[serde(default)]` on the type, serde wants the default of the copy too: it is that of the original.
fn default(original: &DeriveInput, copy: &DeriveInput) -> syn::Result<TokenStream> {
    let Some(meta) = metas(&original.attrs)?
        .into_iter()
        .find(|meta| meta.path().is_ident("default"))
    else {
        return Ok(TokenStream::new());
    };
    let fields = match (&meta, &original.data) {
        (
            Meta::Path(_),
            Data::Struct(DataStruct {
                fields: Fields::Named(fields),
                ..
            }),
        ) => fields,
        _ => {
            return Err(syn::Error::new_spanned(
                meta,
                "write `#[serde(default)]` and implement `Default` for the struct",
            ));
        }
    };
    let names: Vec<_> = fields.named.iter().map(|field| &field.ident).collect();
    let (original, copy) = (&original.ident, &copy.ident);
    Ok(quote! {
        impl ::core::default::Default for #copy {
            fn default() -> Self {
                let #original { #(#names),* } = ::core::default::Default::default();
                Self { #(#names),* }
            }
        }
    })
}

fn read_and_write(original: &DeriveInput, copy: &DeriveInput) -> TokenStream {
    let (original, copy) = (&original.ident, &copy.ident);
    quote! {
        impl<'de> ::evenkeel_sdk::serde::Deserialize<'de> for #original {
            fn deserialize<D>(deserializer: D) -> ::core::result::Result<Self, D::Error>
            where
                D: ::evenkeel_sdk::serde::Deserializer<'de>,
            {
                #copy::deserialize(deserializer)
            }
        }
        impl ::evenkeel_sdk::serde::Serialize for #original {
            fn serialize<S>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error>
            where
                S: ::evenkeel_sdk::serde::Serializer,
            {
                #copy::serialize(self, serializer)
            }
        }
    }
}

fn schema(original: &DeriveInput, copy: &DeriveInput) -> TokenStream {
    let (original, copy) = (&original.ident, &copy.ident);
    let name = original.to_string();
    quote! {
        impl ::evenkeel_sdk::schemars::JsonSchema for #original {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed(#name)
            }
            fn schema_id() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed(::core::concat!(::core::module_path!(), "::", #name))
            }
            fn json_schema(
                generator: &mut ::evenkeel_sdk::schemars::SchemaGenerator,
            ) -> ::evenkeel_sdk::schemars::Schema {
                <#copy as ::evenkeel_sdk::schemars::JsonSchema>::json_schema(generator)
            }
        }
    }
}
