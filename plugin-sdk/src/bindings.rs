//! What `wit-bindgen` makes of the contract in `wit/`.
//!
//! The imports are bound once, with the world `base`, whose `describe` this crate exports itself. Each kind has a world
//! of its own, so that a component exports what its author wrote and nothing else: the type information of a kind is
//! emitted where its export macro is invoked, in the plugin's crate.

#[allow(
    clippy::too_many_arguments,
    clippy::too_many_lines,
    missing_docs,
    unsafe_code,
    reason = "generated from the contract"
)]
pub mod base {
    wit_bindgen::generate!({
        world: "evenkeel:plugin/base",
        path: "wit",
        generate_all,
        additional_derives: [PartialEq],
        generate_unused_types: true,
    });
}

#[allow(missing_docs, unsafe_code, reason = "generated from the contract")]
pub mod check {
    wit_bindgen::generate!({
        inline: "package evenkeel:sdk; world check { export evenkeel:plugin/check@0.1.0; }",
        path: "wit",
        with: { "evenkeel:plugin/types@0.1.0": crate::bindings::base::evenkeel::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_check",
        default_bindings_module: "evenkeel_sdk::bindings::check",
    });
}

#[allow(missing_docs, unsafe_code, reason = "generated from the contract")]
pub mod remedy {
    wit_bindgen::generate!({
        inline: "package evenkeel:sdk; world remedy { export evenkeel:plugin/remedy@0.1.0; }",
        path: "wit",
        with: { "evenkeel:plugin/types@0.1.0": crate::bindings::base::evenkeel::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_remedy",
        default_bindings_module: "evenkeel_sdk::bindings::remedy",
    });
}

#[allow(missing_docs, unsafe_code, reason = "generated from the contract")]
pub mod monitor {
    wit_bindgen::generate!({
        inline: "package evenkeel:sdk; world monitor { export evenkeel:plugin/monitor@0.1.0; }",
        path: "wit",
        with: { "evenkeel:plugin/types@0.1.0": crate::bindings::base::evenkeel::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_monitor",
        default_bindings_module: "evenkeel_sdk::bindings::monitor",
    });
}

#[allow(missing_docs, unsafe_code, reason = "generated from the contract")]
pub mod notifier {
    wit_bindgen::generate!({
        inline: "package evenkeel:sdk; world notifier { export evenkeel:plugin/notifier@0.1.0; }",
        path: "wit",
        with: { "evenkeel:plugin/types@0.1.0": crate::bindings::base::evenkeel::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_notifier",
        default_bindings_module: "evenkeel_sdk::bindings::notifier",
    });
}
