//! What `bindgen!` makes of the contract in `plugin-sdk/wit`: one world that imports all there
//! is and exports every kind. Kinds are looked up one by one, so a component exports any of them.

wasmtime::component::bindgen!({
    path: "../../plugin-sdk/wit",
    inline: "
        package evenkeel:host;
        world host {
            include evenkeel:plugin/base@0.1.0;
            export evenkeel:plugin/check@0.1.0;
            export evenkeel:plugin/remedy@0.1.0;
            export evenkeel:plugin/monitor@0.1.0;
            export evenkeel:plugin/notifier@0.1.0;
        }
    ",
    world: "evenkeel:host/host",
    imports: {
        "evenkeel:plugin/run": trappable,
        "evenkeel:plugin/log": trappable,
        default: async | trappable,
    },
    exports: { default: async },
});
